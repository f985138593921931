package command

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readAll reads r with lines of at most so many bytes, and returns what came of it.
func readAll(l *lines, r io.Reader, most int) (got []string, res Result, err error) {
	err = l.read(r, most, &res, func(b []byte) { got = append(got, string(b)) })
	return got, res, err
}

func TestLongLines(t *testing.T) {
	x := strings.Repeat("x", MaxLine)
	tests := []struct {
		name, in string
		most     int
		want     []string
		spoilt   int64
	}{
		{"of 1 MiB", "a\n" + x + "\nb\n", 0, []string{"a", x, "b"}, 0},
		{"a byte more", "a\n" + x + "y\nb\n", 0, []string{"a", "b"}, 1},
		{"much more", "a\n" + x + x + x + "\nb\n" + x + x + "\n", 0, []string{"a", "b"}, 2},
		{"without an end", "a\n" + x + x, 0, []string{"a"}, 1},
		{"a low limit", "1234567\n12345678\n\n1\n123456789", 7, []string{"1234567", "", "1"}, 2},
		{"just the buffer", strings.Repeat("z", bufferSize) + "\nq\n", bufferSize, []string{strings.Repeat("z", bufferSize), "q"}, 0},
	}
	for _, test := range tests {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(test.in), "halves": iotest.HalfReader(strings.NewReader(test.in)),
			"error with data": iotest.DataErrReader(strings.NewReader(test.in))} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				l := &lines{}
				got, res, err := readAll(l, r, test.most)
				require.NoError(t, err)
				require.Equal(t, len(test.want), len(got))
				for i := range got {
					assert.True(t, test.want[i] == got[i], "line %d has %d bytes, want %d", i, len(got[i]), len(test.want[i]))
				}
				assert.Equal(t, test.spoilt, res.Spoilt)
				assert.Equal(t, int64(len(test.want)), res.Rows)
				assert.Equal(t, int64(len(test.in)), res.Bytes)
				assert.LessOrEqual(t, len(l.buf), MaxLine+bufferSize)
			})
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	got, res, err := readAll(&lines{}, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), 0)
	assert.ErrorIs(t, err, broken)
	assert.Equal(t, []string{"a"}, got)
	assert.Equal(t, int64(1), res.Spoilt)
}

// TestNoAllocations shows that lines cost no memory: neither many nor long ones.
func TestNoAllocations(t *testing.T) {
	in := bytes.Repeat([]byte("a line of some length\n"), 50_000)
	l, r := &lines{}, bytes.NewReader(nil)
	n := 0
	count := func([]byte) { n++ }
	var res Result
	allocs := testing.AllocsPerRun(5, func() {
		r.Reset(in)
		require.NoError(t, l.read(r, 0, &res, count))
	})
	assert.Zero(t, allocs)
	assert.Equal(t, 6*50_000, n)
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), uint16(3), uint64(1))
	f.Add([]byte(strings.Repeat("long ", 100)+"\nshort\n"), uint16(50), uint64(2))
	f.Fuzz(func(t *testing.T, in []byte, most uint16, seed uint64) {
		if most == 0 {
			most = 1
		}
		var want []string
		spoilt := 0
		rest := string(in)
		for {
			line, after, found := strings.Cut(rest, "\n")
			switch {
			case !found && line != "", len(line) > int(most):
				spoilt++
			case found:
				want = append(want, line)
			}
			if !found {
				break
			}
			rest = after
		}
		l := &lines{buf: make([]byte, bufferSize)}
		got, res, err := readAll(l, &bites{in, rand.New(rand.NewPCG(seed, 7))}, int(most))
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.Equal(t, int64(spoilt), res.Spoilt)
		assert.Equal(t, int64(len(in)), res.Bytes)
	})
}

// bites is a reader that returns a random part of what is left.
type bites struct {
	rest   []byte
	random *rand.Rand
}

func (b *bites) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1+b.random.IntN(len(p))], b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func BenchmarkLines(b *testing.B) {
	in := bytes.Repeat([]byte(strings.Repeat("x", 139)+"\n"), 10_000)
	l, r, n := &lines{}, bytes.NewReader(nil), 0
	var res Result
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(in)
		_ = l.read(r, 0, &res, func([]byte) { n++ })
	}
}
