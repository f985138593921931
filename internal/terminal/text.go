package terminal

import (
	"strings"
	"unicode"
)

// Plain makes s safe to print: foreign text may hold codes that would move the cursor or colour the terminal. Such a
// character becomes a question mark.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}

// Width is how many columns a plain text takes.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// wide are the characters that take two columns: scripts of East Asia, and pictures.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0x33ff, 1}, {0x3400, 0x4dbf, 1}, {0x4e00, 0x9fff, 1},
		{0xa000, 0xa4cf, 1}, {0xac00, 0xd7a3, 1}, {0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1}},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x1f900, 0x1f9ff, 1}, {0x20000, 0x3fffd, 1}},
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// Cut shortens a plain text to at most n columns. One that was cut ends in "~".
func Cut(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	used := 0
	for i, r := range s {
		w := runeWidth(r)
		if used+w > n-1 {
			return s[:i] + "~"
		}
		used += w
	}
	return s
}

// Left returns a plain text in exactly n columns, with spaces behind it.
func Left(s string, n int) string {
	s = Cut(s, n)
	return s + spaces(n-Width(s))
}

// Right returns a plain text in exactly n columns, with spaces before it.
func Right(s string, n int) string {
	s = Cut(s, n)
	return spaces(n-Width(s)) + s
}

func spaces(n int) string { return strings.Repeat(" ", max(0, n)) }
