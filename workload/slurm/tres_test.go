package slurm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseTRES(t *testing.T) {
	const none = unknown
	tests := []struct {
		in   string
		want tres
	}{
		{"cpu=25,mem=62.50G,node=3,billing=7,gres/gpu=4,gres/gpu:a100=4", tres{cpus: 25, nodes: 3, gpus: 4, memory: 62<<30 + 1<<29}},
		{"cpu=3,mem=7000M,node=1,billing=20,gres/gpu=2,gres/gpu:a100=1,gres/gpu:v100=1", tres{3, 1, 2, 7000 << 20}},
		{"cpu=2,gres/gpu:a100=3,gres/gpu:v100=5", tres{2, none, 8, none}},
		{"gres/gpu=6", tres{none, none, 6, none}},
		{"cpu=1,mem=100M,node=1,billing=1,license/matlab=2,gres/shard=9,fs/disk=4", tres{1, 1, 0, 100 << 20}},
		{"cpu=2K,mem=64000,node=1K", tres{2048, 1024, 0, 64000 << 20}},
		{"mem=1.5T", tres{none, none, 0, 3 << 39}},
		{"mem=7K,cpu=11", tres{11, none, 0, 7 << 10}},
		{"cpu=0,mem=0,node=0", tres{0, 0, 0, 0}},
		{"", tres{none, none, 0, none}},
		{"N/A", tres{none, none, 0, none}},
		{"(null)", tres{none, none, 0, none}},
	}
	for _, test := range tests {
		got, err := parseTRES([]byte(test.in))
		require.NoError(t, err, test.in)
		assert.Equal(t, test.want, got, test.in)
	}

	got, err := parseTRES([]byte("cpu=x,mem=5G,node=2"))
	assert.EqualError(t, err, `tres "cpu=x": want a number below 2^62, as in "64000M" or "62.50G"`)
	assert.Equal(t, tres{none, 2, 0, 5 << 30}, got, "the others stand")
	got, err = parseTRES([]byte("cpu=4,gres/gpu=99999999999999999999,mem=3G"))
	assert.Error(t, err)
	assert.Equal(t, tres{4, none, 0, 3 << 30}, got)
	for _, in := range []string{"mem=9999999999999999999G", "cpu=99999999999999999999", "mem=1.G", "mem=.5G", "mem=5GB", "mem=-1", "cpu=", "cpu"} {
		_, err := parseTRES([]byte(in))
		assert.Error(t, err, in)
	}
}

func FuzzJobTRES(f *testing.F) {
	for _, version := range versions {
		for _, row := range fields(f, version, "squeue.out") {
			f.Add(row[fieldTRES])
		}
	}
	f.Add("cpu=2K,mem=1.5T,gres/gpu:a=1K")
	f.Fuzz(func(t *testing.T, s string) {
		got, _ := parseTRES([]byte(s))
		for _, n := range []int64{got.cpus, got.nodes, got.memory} {
			assert.True(t, n == unknown || n >= 0 && n < maxQuantity, "%d", n)
		}
		assert.GreaterOrEqual(t, got.gpus, int64(0))
		again, _ := parseTRES([]byte(s))
		assert.Equal(t, got, again)
	})
}
