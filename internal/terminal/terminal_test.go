package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	tests := []struct {
		in          string
		width       int
		cut5        string
		left, right string // in seven columns
	}{
		{"", 0, "", "       ", "       "},
		{"gpu", 3, "gpu", "gpu    ", "    gpu"},
		{"batch", 5, "batch", "batch  ", "  batch"},
		{"partition", 9, "part~", "partit~", "partit~"},
		{"größe", 5, "größe", "größe  ", "  größe"},
		{"日本語", 6, "日本~", "日本語 ", " 日本語"},
		{"日本語語", 8, "日本~", "日本語~", "日本語~"},
		{"e\u0301cole", 5, "e\u0301cole", "e\u0301cole  ", "  e\u0301cole"},
	}
	for _, test := range tests {
		assert.Equal(t, test.width, Width(test.in), test.in)
		assert.Equal(t, test.cut5, Cut(test.in, 5), test.in)
		assert.Equal(t, test.left, Left(test.in, 7), test.in)
		assert.Equal(t, test.right, Right(test.in, 7), test.in)
	}
	assert.Equal(t, "", Cut("gpu", 0))
	assert.Equal(t, "~", Cut("gpu", 1))
	assert.Equal(t, "?[31mred?[2J ?name?", Plain("\x1b[31mred\x1b[2J \u202ename\x7f"))
	assert.Equal(t, "größe 日本", Plain("größe 日本"))
}

func FuzzCut(f *testing.F) {
	f.Add("partition", 5)
	f.Add("日本語", 3)
	f.Add("\xff\x1b[2J\u202e", 2)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = max(0, n%100)
		s = Plain(s)
		assert.NotContains(t, s, "\x1b")
		assert.LessOrEqual(t, Width(Cut(s, n)), n)
		assert.Equal(t, n, Width(Left(s, n)))
		assert.Equal(t, n, Width(Right(s, n)))
	})
}

func TestKeys(t *testing.T) {
	tests := map[string][]Key{
		"":                         nil,
		"qä日":                      {'q', 'ä', '日'},
		"\x1b":                     {Escape},
		"\x1b[A\x1b[B\x1b[C\x1b[D": {Up, Down, RightArrow, LeftArrow},
		"\x1bOAx\x1bOF":            {Up, 'x', End},
		"\x1b[5~\x1b[6~\x1b[1~":    {PageUp, PageDown, Home},
		"\x1b[1;5Aj":               {'j'},
		"\x1b[":                    nil,
		"\x03\x0c\t\r\x00":         {CtrlC, CtrlL, Tab, Enter},
		"\xffq":                    {'q'},
	}
	for in, want := range tests {
		assert.Equal(t, want, Keys([]byte(in)), "%q", in)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("\x1b[Aq\x1bOB\x1b[1;5~\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		assert.LessOrEqual(t, len(Keys(b)), len(b))
	})
}

func TestPaint(t *testing.T) {
	assert.Equal(t, "\x1b[31mdown\x1b[0m", Painter(true).Paint(Red, "down"))
	assert.Equal(t, "up", Painter(true).Paint(Default, "up"))
	assert.Equal(t, "", Painter(true).Paint(Red, ""))
	assert.Equal(t, "down", Painter(false).Paint(Red, "down"))
}

func TestBar(t *testing.T) {
	part := func(size float64, r rune) Part { return Part{size, r} }
	tests := []struct {
		n     int
		parts []Part
		want  string
	}{
		{10, []Part{part(3, 'a'), part(7, 'b')}, "aaabbbbbbb"},
		{10, []Part{part(1, 'a'), part(1, 'b'), part(1, 'c')}, "aaabbbbccc"},
		{10, []Part{part(1, 'a'), part(999, 'b')}, "abbbbbbbbb"}, // a little is not nothing
		{10, []Part{part(999, 'a'), part(1, 'b'), part(2, 'c')}, "aaaaaaaabc"},
		{10, []Part{part(0, 'a'), part(4, 'b')}, "bbbbbbbbbb"},
		{10, []Part{part(0, 'a'), part(0, 'b')}, ""},
		{1, []Part{part(2, 'a'), part(3, 'b')}, "b"},
		{0, []Part{part(2, 'a')}, ""},
		{4, []Part{part(-5, 'a'), part(3, 'b')}, "bbbb"},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, Bar(test.n, test.parts...), "%v", test.parts)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9951: "10 kB", 999_400: "999 kB", 999_600: "1.0 MB", 1 << 30: "1.1 GB", 1 << 62: "4612 PB"} {
		assert.Equal(t, want, Bytes(n), n)
	}
}

// Only what differs is sent.
func TestScreen(t *testing.T) {
	var sent bytes.Buffer
	s := NewScreen(&sent)
	assert.Contains(t, sent.String(), "\x1b[?1049h")
	draw := func(rows int, lines ...string) string {
		sent.Reset()
		require.NoError(t, s.Draw(lines, rows))
		return sent.String()
	}
	assert.Equal(t, "\x1b[1;1H\x1b[0m\x1b[2Kone\x1b[2;1H\x1b[0m\x1b[2Ktwo", draw(5, "one", "two"))
	assert.Empty(t, draw(5, "one", "two"))
	assert.Equal(t, "\x1b[2;1H\x1b[0m\x1b[2Kthree", draw(5, "one", "three"))
	assert.Equal(t, "\x1b[2;1H\x1b[0m\x1b[2K", draw(5, "one"), "what has gone is wiped")
	assert.Equal(t, "\x1b[2;1H\x1b[0m\x1b[2Kb", draw(2, "one", "b", "c"), "what is below the terminal is not drawn")
	s.Clear()
	assert.Contains(t, draw(2, "one", "b"), "one")
	sent.Reset()
	s.Close()
	assert.Contains(t, sent.String(), "\x1b[?1049l")
	assert.Contains(t, sent.String(), "\x1b[?25h")
}

func TestProgressLine(t *testing.T) {
	p := &Progress{what: "asking\x1b host", unit: Bytes}
	assert.Equal(t, "asking? host  ███"+strings.Repeat("░", 21)+"  0s", p.line(0, 80))
	p.Set(2500, 0)
	assert.Equal(t, "asking? host  "+strings.Repeat("░", 12)+"███"+strings.Repeat("░", 9)+"  2.5 kB  1s", p.line(1250*time.Millisecond, 80))
	p.Set(2500, 10_000)
	assert.Equal(t, "asking? host  "+strings.Repeat("█", 6)+strings.Repeat("░", 18)+"  2.5 kB/10 kB  7s", p.line(7*time.Second, 80))
	for columns := 2; columns < 90; columns++ {
		assert.Less(t, Width(p.line(7*time.Second, columns)), columns)
	}
}
