package terminal

import (
	"io"
	"strconv"
	"strings"
)

// A Screen is the whole terminal, drawn line by line. Only lines that differ from what stands there are sent, so that
// nothing flickers and a slow link has little to carry.
type Screen struct {
	w     io.Writer
	lines []string
}

// NewScreen takes the terminal over until Close: what was on it comes back then.
func NewScreen(w io.Writer) *Screen {
	_, _ = io.WriteString(w, "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J") // the other screen, no cursor, no wrapping, empty
	return &Screen{w: w}
}

// Draw shows lines, of which those beyond the terminal's rows are left out.
func (s *Screen) Draw(lines []string, rows int) error {
	lines = lines[:min(len(lines), rows)]
	var b strings.Builder
	for i := range max(len(lines), len(s.lines)) {
		line := ""
		if i < len(lines) {
			line = lines[i]
		}
		if i < len(s.lines) && s.lines[i] == line || i >= len(s.lines) && line == "" {
			continue
		}
		// emptied first: behind a line that ends in the last column the cursor stands on its last character
		b.WriteString("\x1b[" + strconv.Itoa(i+1) + ";1H\x1b[0m\x1b[2K" + line)
	}
	s.lines = append(s.lines[:0], lines...)
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(s.w, b.String())
	return err
}

// Clear forgets what stands on the terminal: the next Draw sends every line. It is called when the size has changed.
func (s *Screen) Clear() {
	s.lines = s.lines[:0]
	_, _ = io.WriteString(s.w, "\x1b[2J")
}

// Close gives the terminal back.
func (s *Screen) Close() {
	_, _ = io.WriteString(s.w, "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l")
}
