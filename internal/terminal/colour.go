package terminal

import (
	"os"
	"strconv"
)

// A Colour is one of the terminal's own sixteen, which its user chose to be readable, or Bold or Dim.
type Colour uint8

const (
	Default Colour = iota
	Red
	Green
	Yellow
	Blue
	Magenta
	Cyan
	BrightRed
	BrightGreen
	BrightYellow
	BrightBlue
	BrightMagenta
	BrightCyan
	Bold
	Dim
	Reverse
)

var codes = [...]int{Default: 0, Red: 31, Green: 32, Yellow: 33, Blue: 34, Magenta: 35, Cyan: 36, BrightRed: 91, BrightGreen: 92,
	BrightYellow: 93, BrightBlue: 94, BrightMagenta: 95, BrightCyan: 96, Bold: 1, Dim: 2, Reverse: 7}

// Colours says whether to colour what is printed to f: it is a terminal, and neither NO_COLOR (https://no-color.org)
// nor TERM=dumb asks not to.
func Colours(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && Is(f)
}

// A Painter colours text, or leaves it as it is.
type Painter bool

// Paint returns s in the colour.
func (p Painter) Paint(c Colour, s string) string {
	if !p || c == Default || s == "" {
		return s
	}
	return "\x1b[" + strconv.Itoa(codes[c]) + "m" + s + "\x1b[0m"
}
