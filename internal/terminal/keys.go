package terminal

import "unicode/utf8"

// A Key is a key of the keyboard: a character, or one of the below.
type Key rune

const (
	Up Key = -1 - iota
	Down
	LeftArrow
	RightArrow
	PageUp
	PageDown
	Home
	End
	Tab
	Enter
	Escape
	CtrlC
	CtrlL
)

// sequences are what terminals send for the keys that are no characters, behind an escape.
var sequences = map[string]Key{
	"[A": Up, "[B": Down, "[C": RightArrow, "[D": LeftArrow, "OA": Up, "OB": Down, "OC": RightArrow, "OD": LeftArrow,
	"[5~": PageUp, "[6~": PageDown, "[H": Home, "[F": End, "OH": Home, "OF": End, "[1~": Home, "[4~": End, "[7~": Home, "[8~": End,
}

var controls = map[byte]Key{3: CtrlC, 9: Tab, 10: Enter, 12: CtrlL, 13: Enter, 27: Escape}

// Keys reads what a terminal sent at once:
//
//	"q"   "\x1b[A"   "\x1b"   "ö"
//
// What it does not know is left out.
func Keys(b []byte) []Key {
	var keys []Key
	for len(b) > 0 {
		if b[0] == 27 && len(b) > 1 && (b[1] == '[' || b[1] == 'O') {
			n := sequenceLength(b)
			if k, ok := sequences[string(b[1:n])]; ok {
				keys = append(keys, k)
			}
			b = b[n:]
			continue
		}
		if b[0] < ' ' || b[0] == 127 {
			if k, ok := controls[b[0]]; ok {
				keys = append(keys, k)
			}
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError {
			keys = append(keys, Key(r))
		}
		b = b[n:]
	}
	return keys
}

// sequenceLength is where the sequence at the beginning of b ends: behind its first byte from @ to ~.
func sequenceLength(b []byte) int {
	for i := 2; i < len(b); i++ {
		if b[i] >= '@' && b[i] <= '~' {
			return i + 1
		}
	}
	return len(b)
}
