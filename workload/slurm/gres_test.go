package slurm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gather runs eachGRES or eachTRES and returns what it added, in order, as "type=count".
func gather(each func([]byte, func([]byte, int64)) error, list string) ([]string, error) {
	var got []string
	err := each([]byte(list), func(kind []byte, n int64) { got = append(got, fmt.Sprintf("%s=%d", kind, n)) })
	return got, err
}

func TestEachGRES(t *testing.T) {
	tests := []struct {
		list string
		want []string
		err  string
	}{
		{list: ""},
		{list: "(null)"},
		{list: "N/A"},
		{list: "gpu", want: []string{"=1"}},
		{list: "gpu:2", want: []string{"=2"}},
		{list: "gpu:0", want: []string{"=0"}},
		{list: "gpu:a100", want: []string{"a100=1"}},
		{list: "gpu:a100:3", want: []string{"a100=3"}},
		{list: "gpu:a100:2(S:0-1)", want: []string{"a100=2"}},
		{list: "gpu:2(S:0,1)", want: []string{"=2"}},
		{list: "gpu:a:2(IDX:0,3),gpu:b:1(IDX:1)", want: []string{"a=2", "b=1"}},
		{list: "gpu:v100:0(IDX:N/A)", want: []string{"v100=0"}},
		{list: "gpu:a100:4,shard:a100:8,fpga:3", want: []string{"a100=4"}},
		{list: "shard:a100:5(3/8,2/8),gpu:a100:1(IDX:0)", want: []string{"a100=1"}},
		{list: "lustre:no_consume:4G,gpu:7", want: []string{"=7"}},
		{list: "gpu:no_consume:6", want: []string{"=6"}},
		{list: "gpu:a100:no_consume:5", want: []string{"a100=5"}},
		{list: "gpu:1g.5gb:9", want: []string{"1g.5gb=9"}},
		{list: "gpu:a100_3g.20gb:2(S:0),gpu:a100_1g.5gb", want: []string{"a100_3g.20gb=2", "a100_1g.5gb=1"}},
		{list: "gpu:2K", want: []string{"=2048"}},
		{list: "gres:gpu:a100:1", want: []string{"a100=1"}},
		{list: "gres/gpu:a100:8", want: []string{"a100=8"}},
		{list: "gpux:2,gpu-old:3,mygpu:4"},
		{list: "gpu:3(IDX:0-2", want: []string{"=3"}},
		{list: "gpu:1),gpu:2", want: []string{"1)=1", "=2"}},
		{list: ",,gpu:4,", want: []string{"=4"}},
		{list: "gpu:99999999999999999999,gpu:a100:2", want: []string{"a100=2"}, err: `gres "99999999999999999999": want a count`},
		{list: "gpu:a100:1048577", err: `gres "a100:1048577": want a count of at most 1048576`},
		{list: "gpu:1048576K", err: "want a count"},
		{list: "gpu:a100:", err: "want a count"},
	}
	for _, test := range tests {
		t.Run(test.list, func(t *testing.T) {
			got, err := gather(eachGRES, test.list)
			assert.Equal(t, test.want, got)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
}

func TestEachTRES(t *testing.T) {
	tests := []struct {
		list string
		want []string
		err  string
	}{
		{list: ""},
		{list: "cpu=16,mem=62.50G,billing=16"},
		{list: "cpu=25,gres/gpu=4,gres/gpu:a100=3", want: []string{"=4", "a100=3"}},
		{list: "gres/gpu:a100=2,gres/gpu:v100=1,gres/gpu=3", want: []string{"a100=2", "v100=1", "=3"}},
		{list: "gres/gpumem=80G,gres/gpuutil=5,gres/shard=8,gres/fpga=2"},
		{list: "gpu=4"},
		{list: "gres/gpu"},
		{list: "gres/gpu=x,gres/gpu:b=6", want: []string{"b=6"}, err: `tres "gres/gpu=x": want a count`},
		{list: "gres/gpu=99999999999999999999", err: "want a count"},
		{list: "gres/gpu=-1", err: "want a count"},
	}
	for _, test := range tests {
		t.Run(test.list, func(t *testing.T) {
			got, err := gather(eachTRES, test.list)
			assert.Equal(t, test.want, got)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
}

// TestEachGRESMade reads lists made of parts that are known.
func TestEachGRESMade(t *testing.T) {
	const seed = 20260714
	random := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		var entries, want []string
		for range random.IntN(6) {
			kind := []string{"", "a100", "v100", "1g.5gb", "h100_nvl"}[random.IntN(5)]
			n := random.IntN(300)
			entry := "gpu:"
			if kind != "" {
				entry += kind + ":"
			}
			entry += fmt.Sprint(n) + []string{"", "(S:0-1)", "(IDX:0,3-5)", "(0/2,1/2)"}[random.IntN(4)]
			if random.IntN(4) == 0 {
				entry, kind = "fpga:7(S:0,1)", "none"
			}
			entries = append(entries, entry)
			if kind != "none" {
				want = append(want, fmt.Sprintf("%s=%d", kind, n))
			}
		}
		list := strings.Join(entries, ",")
		got, err := gather(eachGRES, list)
		require.NoError(t, err, "%q", list)
		require.Equal(t, want, got, "%q, seed %d", list, seed)
	}
}

func FuzzGRES(f *testing.F) {
	for _, list := range []string{"gpu:a100:4(IDX:0,3),fpga:2,shard:a100:0(0/2,0/2)", "gpu:1g.5gb:7", "gres/gpu:no_consume:3", "gpu:5K,(null)", "gpu:a:("} {
		f.Add(list)
	}
	for _, version := range versions {
		for _, row := range fields(f, version, "sinfo_alloc.out") {
			f.Add(row[2])
		}
	}
	f.Fuzz(func(t *testing.T, list string) {
		entries := 0
		var again strings.Builder
		sum := int64(0)
		_ = eachGRES([]byte(list), func(kind []byte, n int64) {
			entries++
			sum += n
			require.GreaterOrEqual(t, n, int64(0))
			require.LessOrEqual(t, n, int64(maxCards))
			require.LessOrEqual(t, len(kind), len(list))
			require.NotContains(t, string(kind), "(")
			fmt.Fprintf(&again, "gpu:%s:%d(S:0,1),", kind, n)
		})
		require.LessOrEqual(t, entries, strings.Count(list, "gpu"))
		second := int64(0)
		err := eachGRES([]byte(again.String()), func(_ []byte, n int64) { second += n })
		require.NoError(t, err, "%q", again.String())
		require.Equal(t, sum, second, "%q then %q", list, again.String())
	})
}

func FuzzTRES(f *testing.F) {
	f.Add("cpu=25,mem=2500M,gres/gpu=4,gres/gpu:a100=4")
	f.Add("gres/gpu:=1,gres/gpu=")
	f.Fuzz(func(t *testing.T, list string) {
		var first, second []string
		var again []string
		_ = eachTRES([]byte(list), func(kind []byte, n int64) {
			require.LessOrEqual(t, n, int64(maxCards))
			first = append(first, fmt.Sprintf("%s=%d", kind, n))
			if len(kind) == 0 {
				again = append(again, fmt.Sprintf("gres/gpu=%d", n))
			} else {
				again = append(again, fmt.Sprintf("gres/gpu:%s=%d", kind, n))
			}
		})
		err := eachTRES([]byte(strings.Join(again, ",")), func(kind []byte, n int64) { second = append(second, fmt.Sprintf("%s=%d", kind, n)) })
		require.NoError(t, err)
		require.Equal(t, first, second)
	})
}
