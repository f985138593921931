package store

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// noon is the clock of the tests.
const noon = 1_760_011_200

func testConfig(t testing.TB) Config {
	return Config{Path: t.TempDir(), Logger: slog.New(slog.DiscardHandler), now: func() time.Time { return time.Unix(noon, 0) },
		free: func(string) (int64, error) { return 1 << 40, nil }}
}

func open(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(t testing.TB, s *Store, points ...any) {
	t.Helper()
	b := s.NewBatch()
	for i := 0; i < len(points); i += 3 {
		require.NoError(t, b.Add(points[i].(string), int64(points[i+1].(int)), points[i+2].(float64)))
	}
	require.NoError(t, b.Commit())
}

// fetch spells what was fetched: path start step [values].
func fetch(t testing.TB, s *Store, query string, from, until int64) []string {
	t.Helper()
	var list []string
	require.NoError(t, s.Fetch(context.Background(), query, from, until, "", func(path string, start, step int64, values []float64) bool {
		list = append(list, fmt.Sprintf("%s %d %d %v", path, start-noon, step, values))
		return true
	}))
	return list
}

func TestFetch(t *testing.T) {
	s := open(t, testConfig(t))
	for i := range 6 {
		put(t, s, "hpc1.a", noon-60+10*i, float64(i), "hpc1.b.c", noon-600+100*i, 10.5*float64(i))
	}
	assert.Equal(t, []string{"hpc1.a -50 10 [1 2 3 4 5 NaN]"}, fetch(t, s, "hpc1.a", noon-60, noon))
	assert.Equal(t, []string{"hpc1.a -50 10 [1 2 3]"}, fetch(t, s, "hpc1.*", noon-55, noon-30))
	assert.Equal(t, []string{"hpc1.b.c -500 100 [10.5 21 31.5 42 52.5]"}, fetch(t, s, "hpc1.*.c", noon-600, noon-100))
	assert.Empty(t, fetch(t, s, "hpc1.a", noon-7000, noon-6000))
	assert.Empty(t, fetch(t, s, "hpc1", noon-60, noon))
	put(t, s, "hpc1.a", noon-10, 77.0, "hpc1.a", noon-10, 78.0, "hpc1.a", noon-20, 79.0)
	assert.Equal(t, []string{"hpc1.a -30 10 [3 79 78 NaN]"}, fetch(t, s, "hpc1.a", noon-31, noon), "the last value counts")
	assert.True(t, math.IsNaN(math.NaN()))
}

func TestFind(t *testing.T) {
	s := open(t, testConfig(t))
	put(t, s, "hpc1.a", noon, 1.0, "hpc1.a.x", noon, 2.0, "hpc1.b.x", noon, 3.0, "hpc2.b", noon, 4.0, "hpc1.b.y.z", noon, 5.0)
	tests := []struct {
		query string
		want  []string
	}{
		{"*", []string{"hpc1 branch", "hpc2 branch"}},
		{"hpc1.*", []string{"hpc1.a leaf branch", "hpc1.b branch"}},
		{"*.b", []string{"hpc1.b branch", "hpc2.b leaf"}},
		{"hpc1.?.[xy]", []string{"hpc1.a.x leaf", "hpc1.b.x leaf", "hpc1.b.y branch"}},
		{"hpc1.{a.x,b.y.*}", []string{"hpc1.a.x leaf", "hpc1.b.y.z leaf"}},
		{"hpc1.{a,b}.[!x]", []string{"hpc1.b.y branch"}},
		{"hpc3.*", nil},
		{"", nil},
	}
	for _, test := range tests {
		var got []string
		require.NoError(t, s.Find(t.Context(), test.query, 0, 0, func(path string, leaf, branch bool) bool {
			if leaf {
				path += " leaf"
			}
			if branch {
				path += " branch"
			}
			got = append(got, path[:])
			return true
		}))
		assert.Equal(t, test.want, got, test.query)
	}
}
