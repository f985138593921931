package slurm

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPartitions(t *testing.T) {
	tok := quiet()
	r := newPartitions(&Config{}, tok)
	got := feed(t, r, lines("batch\x1fup", "a|b c\x1fdown", "old\x1fdrain", "cut\x1finact", "wide\x1fup   ", "", "new\x1fglowing"))
	assert.Equal(t, map[string]float64{"partition.batch.up": 1, "partition.a|b c.up": 0, "partition.old.up": 0, "partition.cut.up": 0, "partition.wide.up": 1}, got)
	assert.EqualValues(t, 1, tok.total)
}

func TestPartitionsDamaged(t *testing.T) {
	r := newPartitions(&Config{}, quiet())
	r.begin(tickTime)
	for _, l := range []string{"batch", "\x1fup", strings.Repeat("p", maxName+1) + "\x1fup", "slurm_load_partitions: Unable to contact slurm controller"} {
		require.Error(t, r.line([]byte(l)), "%q", l)
	}
	require.ErrorContains(t, r.line([]byte("batch up")), `sinfo "batch up": want "name<unit separator>availability"`)
	assert.Empty(t, finish(t, r))
}

func TestPartitionsVanish(t *testing.T) {
	r := newPartitions(&Config{}, quiet())
	feed(t, r, lines("p\x1fup", "q\x1fup"))
	for range 3 { // calls that fail
		r.begin(tickTime)
		require.NoError(t, r.line([]byte("half\x1fup")))
	}
	for range lingerTicks {
		assert.Equal(t, map[string]float64{"partition.p.up": 1, "partition.q.up": 0}, feed(t, r, lines("p\x1fup")))
	}
	assert.Equal(t, map[string]float64{"partition.p.up": 1}, feed(t, r, lines("p\x1fup")))
}

func TestPartitionsBounded(t *testing.T) {
	r := newPartitions(&Config{}, quiet()).(*partitions)
	r.begin(tickTime)
	for i := range 2 * maxPartitions {
		err := r.line(fmt.Appendf(nil, "p%d\x1fup", i))
		require.Equal(t, i >= maxPartitions, err != nil, "%d", i)
	}
	assert.Len(t, finish(t, r), maxPartitions)
}

func FuzzPartitions(f *testing.F) {
	for _, version := range versions {
		f.Add(bytes.Join(capture(f, version, "sinfo_up.out"), []byte("\n")))
	}
	f.Add([]byte("a\x1fup\x1fup\n\x1f\nb\x1f"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newPartitions(&Config{}, quiet())
		var first map[string]float64
		for range 2 {
			r.begin(tickTime)
			for l := range bytes.SplitSeq(text, []byte("\n")) {
				_ = r.line(l)
			}
			got := finish(t, r)
			for name, v := range got {
				require.True(t, v == 0 || v == 1, name)
				require.LessOrEqual(t, len(name), maxName+len("partition..up"))
			}
			if first == nil {
				first = got
			}
			require.Equal(t, first, got)
		}
	})
}
