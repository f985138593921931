package slurm

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCountTasks(t *testing.T) {
	for in, want := range map[string]int64{
		"N/A": 1, "": 1, "(null)": 1, "7": 1, "0": 1,
		"1-100": 100, "0-19%5": 20, "1-100:2,7%5": 51, "1-1000:3": 334, "5-5": 1, "1-10:20": 1,
		"8,12,16,20,24,28,32,36,40,100-700%2": 610,
		"3-97:5,200":                          20,
		"0-4000000":                           4_000_001,
		"1,2,3":                               3,
	} {
		got, err := countTasks([]byte(in))
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"x", "1-", "-1", "5-1", "1-10:0", "1-10:", "1:2", "1,,2", "1,", "1-10%", "1-10%x", "1..5", "1-64,...",
		"99999999999999999999", "0-4294967295,0-4294967295", "4294967296", "0-9999999999"} {
		_, err := countTasks([]byte(in))
		assert.ErrorIs(t, err, errTasks, in)
	}
}

// expand counts tasks by listing them.
func expand(s string) int64 {
	if s == "N/A" || s == "" || s == "(null)" {
		return 1
	}
	s, _, _ = strings.Cut(s, "%")
	n := int64(0)
	for _, part := range strings.Split(s, ",") {
		span, step, _ := strings.Cut(part, ":")
		from, to, isRange := strings.Cut(span, "-")
		if !isRange {
			to = from
		}
		first, _ := strconv.Atoi(from)
		last, _ := strconv.Atoi(to)
		by, _ := strconv.Atoi(step)
		for i := first; i <= last; i += max(1, by) {
			n++
		}
	}
	return n
}

func FuzzTasks(f *testing.F) {
	for _, s := range []string{"N/A", "1-100:2,7%5", "8,12,100-700%2", "0-19", "1-10:0", "1-64,..."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := countTasks([]byte(s))
		if err != nil {
			return
		}
		assert.Positive(t, n)
		assert.LessOrEqual(t, n, int64(maxTasks))
		if n < 10_000 {
			assert.Equal(t, expand(s), n, s)
		}
	})
}
