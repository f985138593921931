package wire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Names that would share a path are told apart, whichever comes first and in whichever batch, and stay so.
func TestNamesAlike(t *testing.T) {
	g := NewGraphite(GraphiteOptions{})
	both := paths(g, users, "a.b", "a_b")
	require.Len(t, both, 2)
	assert.Regexp(t, `^hpc1\.user\.a_b_[0-9a-f]{4}\.jobs$`, both[0])
	assert.Regexp(t, `^hpc1\.user\.a_b_[0-9a-f]{4}\.jobs$`, both[1])
	assert.NotEqual(t, both[0], both[1])

	t.Run("the other order", func(t *testing.T) {
		assert.Equal(t, []string{both[1], both[0]}, paths(NewGraphite(GraphiteOptions{}), users, "a_b", "a.b"))
	})
	t.Run("alone afterwards", func(t *testing.T) {
		assert.Equal(t, both[:1], paths(g, users, "a.b"))
		assert.Equal(t, both[1:], paths(g, users, "a_b"))
	})
	t.Run("in another template of the placeholder", func(t *testing.T) {
		g := NewGraphite(GraphiteOptions{Counters: Raw})
		got := lines(g, metric(users, 1, "a.b"), metric(rpcs, 2, "a_b"))
		require.Len(t, got, 2)
		assert.Equal(t, both[0]+" 1 1753000000", got[0])
		assert.Regexp(t, `^hpc1\.rpc\.user\.a_b_[0-9a-f]{4}\.count 2 `, got[1])
	})
	t.Run("but not in another placeholder", func(t *testing.T) {
		got := lines(NewGraphite(GraphiteOptions{}), metric(users, 1, "a.b"), metric(jobs, 2, "a_b", "A.B"))
		assert.Equal(t, []string{"hpc1.user.a_b.jobs 1 1753000000", "hpc1.partition.a_b.jobs.a_b 2 1753000000"}, got)
	})
	t.Run("a third one, later", func(t *testing.T) {
		third := paths(g, users, "A_B")
		require.Len(t, third, 1)
		assert.Regexp(t, `^hpc1\.user\.a_b_[0-9a-f]{4}\.jobs$`, third[0])
		assert.NotContains(t, both, third[0])
		assert.Equal(t, both[:1], paths(g, users, "a.b"))
	})
	t.Run("in batches apart", func(t *testing.T) {
		g := NewGraphite(GraphiteOptions{})
		assert.Equal(t, []string{"hpc1.user.a_b.jobs"}, paths(g, users, "a.b"))
		assert.Equal(t, both[1:], paths(g, users, "a_b"))
		assert.Equal(t, both[:1], paths(g, users, "a.b"))
	})
	t.Run("one that looks like a suffixed one", func(t *testing.T) {
		suffixed := strings.Split(both[0], ".")[2]
		got := paths(g, users, suffixed)
		require.Len(t, got, 1)
		assert.Regexp(t, `^hpc1\.user\.a_b_[0-9a-f]{4}_[0-9a-f]{4}\.jobs$`, got[0])
	})
	t.Run("long ones", func(t *testing.T) {
		x := strings.Repeat("x", 200)
		got := paths(NewGraphite(GraphiteOptions{}), users, x+"1", x+"2", x)
		require.Len(t, got, 3)
		seen := map[string]bool{}
		for _, p := range got {
			element := strings.Split(p, ".")[2]
			assert.Len(t, element, 200)
			seen[element] = true
		}
		assert.Len(t, seen, 3)
	})
	t.Run("tags", func(t *testing.T) {
		got := paths(NewGraphite(GraphiteOptions{Tagged: true}), users, "a b", "a;b", "A;b")
		require.Len(t, got, 3)
		assert.NotEqual(t, got[0], got[1])
		assert.Equal(t, "user.jobs;cluster=hpc1;user=A_b", got[2])
	})
}

// Enough names of one spelling that four digits cannot tell them all apart.
func TestManyNamesAlike(t *testing.T) {
	var labels []string
	for i := range 9 * 9 * 9 * 9 {
		var b strings.Builder
		for n := i; b.Len() < 8; n /= 9 {
			b.WriteByte(' ' + byte(n%9)) // replaced, all of them
		}
		labels = append(labels, "u"+b.String())
	}
	seen := map[string]string{}
	for i, p := range paths(NewGraphite(GraphiteOptions{}), users, labels...) {
		before, twice := seen[p]
		require.False(t, twice, "%q and %q are both %s", before, labels[i], p)
		seen[p] = labels[i]
	}
	assert.Equal(t, len(labels), len(seen))
}

// What is remembered is bounded, but for names that are alike; and a batch is spelled well all the same.
func TestNamesForgotten(t *testing.T) {
	g := NewGraphite(GraphiteOptions{})
	alike := paths(g, users, "a.b", "a_b")
	n := g.names[nameKey{"user", pathElement}]
	for batch := range 4 {
		var labels []string
		for i := range maxKnown / 2 {
			labels = append(labels, fmt.Sprintf("U.%d.%d", batch, i))
		}
		got := paths(g, users, labels...)
		require.Equal(t, len(labels), len(got))
		require.Equal(t, fmt.Sprintf("hpc1.user.u_%d_7.jobs", batch), got[7])
		assert.Less(t, len(n.known), 3*maxKnown)
	}
	assert.Equal(t, alike[:1], paths(g, users, "a.b"))
	assert.Equal(t, alike[1:], paths(g, users, "a_b"))
}
