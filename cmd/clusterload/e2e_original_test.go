package main_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/slurmbed"
)

// The configuration file of the Python agent that this one replaces, as it is, and what that one did with it: pickles, and
// of each partition the number of lines that squeue shows.
func TestEndToEndOriginal(t *testing.T) {
	r := newRig(t, slurmbed.Options{Profile: slurmbed.Full})
	t.Setenv("XDG_STATE_HOME", t.TempDir()) // the file names no folder
	r.startAgent("config.json", "original", `{
    "cluster": "original",
    "frequency": {every},
    "folder": "{folder}",
    "database": {"type": "graphite", "address": "127.0.0.1", "port": {pickle}},
    "workload_manager": {"type": "slurm"}
}
`)
	_, err := r.cluster.Mix(t.Context())
	require.NoError(t, err)
	partitions := strings.Fields(r.run("sinfo", "-h", "-a", "-o", "%R"))
	require.Contains(t, partitions, "hiddenp")
	look := func() snapshot {
		lines := snapshot{}
		for _, p := range partitions {
			if n := strings.Count(r.run("squeue", "-h", "-a", "-p", p, "-o", "%i"), "\n"); n > 0 {
				lines[p+".jobs_num"] = float64(n)
			}
		}
		return lines
	}
	for range 50 {
		want, got, err := r.originalTick(look)
		if err != nil {
			continue
		}
		assert.Equal(t, want, got)
		assert.Greater(t, len(want), 8)
		return
	}
	assert.Fail(t, "no moment at which the cluster kept still")
}

// originalTick returns what squeue shows and what is stored, of one tick, without the zeros.
func (r *rig) originalTick(look func() snapshot) (want, got snapshot, err error) {
	tick, want, err := r.settledTickOf(look, 1)
	if err != nil {
		return nil, nil, err
	}
	got = r.all(tick)
	maps.DeleteFunc(got, func(path string, n float64) bool { return strings.HasPrefix(path, "agent.") || n == 0 })
	return want, got, nil
}
