package main_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/graphitebed"
	"github.com/clusterload/clusterload/internal/slurmbed"
)

// A rig is the whole way of a point on real servers: Slurm, the agent, carbon and graphite-web.
type rig struct {
	t        *testing.T
	cluster  *slurmbed.Cluster
	graphite *graphitebed.Graphite
	agent    *bed.Process
	prefix   string // the cluster's name in the configuration
	every    int64  // seconds from tick to tick
}

// patience is how long anything may take to happen. It bounds the wait of a test that fails.
const patience = 3 * time.Minute

// newRig starts Slurm and Graphite for the length of a test; startAgent does the rest.
func newRig(t *testing.T, o slurmbed.Options) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers take a while")
	}
	bed.NeedRoot(t)
	bed.Need(t, append(slurmbed.Programs, graphitebed.Programs...)...)
	path := program(t)
	require.NotEmpty(t, path)
	r := &rig{t: t, every: 2}
	var err error
	r.cluster, err = slurmbed.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.cluster.Stop()) })
	r.graphite = graphitebed.StartTest(t, graphitebed.Options{})
	return r
}

// startAgent runs the agent with a configuration, in which {folder}, {line}, {pickle} and {every} are replaced.
func (r *rig) startAgent(name, prefix, text string) {
	r.t.Helper()
	r.prefix = prefix
	port := func(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
	folder := r.t.TempDir()
	text = strings.NewReplacer("{folder}", folder, "{line}", port(r.graphite.Line), "{pickle}", port(r.graphite.Pickle),
		"{every}", fmt.Sprint(r.every)).Replace(text)
	file := filepath.Join(folder, name)
	require.NoError(r.t, os.WriteFile(file, []byte(text), 0o600))
	r.agent = bed.StartTest(r.t, bed.Options{Name: "clusterload", Path: program(r.t), Args: []string{"run", "--config", file},
		Env: r.cluster.Env(), Dir: folder, Log: filepath.Join(folder, "agent.log")})
}

// A snapshot is the values of one time, by path below the cluster.
type snapshot map[string]float64

// stored returns what graphite-web says of a target for one tick, by path below the cluster.
func (r *rig) stored(ctx context.Context, tick int64, target string) (snapshot, error) {
	series, err := r.graphite.Render(ctx, target, time.Unix(tick-1, 0), time.Unix(tick, 0))
	if err != nil {
		return nil, err
	}
	found := snapshot{}
	for _, s := range series {
		if v := s.At(tick); !math.IsNaN(v) {
			found[strings.TrimPrefix(s.Target, r.prefix+".")] = v
		}
	}
	return found, nil
}

// all returns every value that graphite-web has for a tick.
func (r *rig) all(tick int64) snapshot {
	r.t.Helper()
	targets := make([]string, 8)
	for i := range targets {
		targets[i] = r.prefix + strings.Repeat(".*", i+1)
	}
	all := snapshot{}
	for _, target := range targets {
		found, err := r.stored(r.t.Context(), tick, target)
		require.NoError(r.t, err)
		maps.Copy(all, found)
	}
	return all
}

// tickAfter waits for the first tick at or after a time for which the target's series have count values stored, and
// returns its time and these. A tick of the agent whose commands fail is one, too.
func (r *rig) tickAfter(at time.Time, target string, count int) (int64, snapshot) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	first := at.Unix()
	if at.Nanosecond() > 0 {
		first++
	}
	first += (r.every - first%r.every) % r.every
	var tick int64
	var values snapshot
	err := r.agent.WaitFor(ctx, fmt.Sprintf("%d values of %s at %d or later", count, target, first), func() (bool, error) {
		for tick = first; tick <= time.Now().Unix(); tick += r.every {
			var err error
			if values, err = r.stored(ctx, tick, r.prefix+"."+target); err != nil {
				return false, err
			}
			if len(values) >= count {
				return true, nil
			}
		}
		return false, nil
	})
	require.NoError(r.t, err)
	return tick, values
}

// errUnsettled says that the cluster changed while it was looked at.
var errUnsettled = errors.New("the cluster changed meanwhile")

// settledTick looks at the cluster before and after a tick, and returns the tick and what both looks saw. Where they
// differ, it is errUnsettled and nothing is known.
func (r *rig) settledTick(look func() snapshot) (int64, snapshot, error) {
	r.t.Helper()
	return r.settledTickOf(look, 4)
}

// settledTickOf is settledTick with an agent that calls so many commands.
func (r *rig) settledTickOf(look func() snapshot, commands int) (int64, snapshot, error) {
	r.t.Helper()
	// Shortly before a tick, so that as little as possible changes until it is over. Whenever it is, what is seen is right.
	now := time.Now().UnixNano()
	step := r.every * int64(time.Second)
	time.Sleep(time.Duration((2*step - now%step - step/8) % step))
	before := look()
	tick, _ := r.tickAfter(time.Now(), "agent.command.*.ok", commands)
	after := look()
	if !maps.Equal(before, after) {
		return 0, nil, errUnsettled
	}
	r.tickAfter(time.Unix(tick+r.every, 0), "agent.command.*.ok", commands) // by now every block of the tick has arrived
	return tick, before, nil
}

// run returns the output of one of Slurm's commands, as root.
func (r *rig) run(name string, args ...string) string {
	r.t.Helper()
	cmd := r.cluster.Command(r.t.Context(), "root", name, args...)
	cmd.Env = append(cmd.Env, "SLURM_BITSTR_LEN=0")
	out, err := cmd.Output()
	require.NoError(r.t, err, "%s %q", name, args)
	return string(out)
}
