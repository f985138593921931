package main_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/slurmbed"
)

const endToEnd = `cluster   = "site.e2e"
frequency = {every}
folder    = "{folder}"

[aggregator.slurm]
command_deadline = "5s"

[database.graphite]
address = "127.0.0.1"
port    = {line}
`

// look counts jobs, nodes and partitions.
func (r *rig) look() snapshot {
	r.t.Helper()
	counts := snapshot{}
	countJobs(r.t, r.run("scontrol", "-a", "show", "job"), counts)
	countNodes(r.t, r.run("scontrol", "-a", "-d", "show", "node"), counts)
	countPartitions(r.t, r.run("sinfo", "-h", "-a", "-o", "%R|%a|%C"), counts)
	maps.DeleteFunc(counts, func(_ string, n float64) bool { return n == 0 })
	return counts
}

// The series that nothing here counts: the agent's own, and what a machine's real load decides.
var uncounted = regexp.MustCompile(`^agent\.|^(partition\.[^.]+\.)?(cpus\.load|mem\.free_bytes)$`)

// compareOnce compares a tick, as graphite-web has it, with what Slurm says, series by series, and returns how many were
// not zero. A series that is not there counts as zero. Where Slurm's answer changed meanwhile nothing is compared.
func (r *rig) compareOnce() (int, error) {
	r.t.Helper()
	var statistics []snapshot // what sdiag said before and after
	tick, want, err := r.settledTick(func() snapshot {
		statistics = append(statistics, readScheduler(r.t, r.run("sdiag")))
		return r.look()
	})
	if err != nil {
		return 0, err
	}
	if statistics[0][statisticsSince] != statistics[1][statisticsSince] {
		return 0, errUnsettled
	}
	got := r.all(tick)
	wrong := checkScheduler(got, statistics[0], statistics[1])
	maps.DeleteFunc(got, func(path string, _ float64) bool { return uncounted.MatchString(path) })
	for path := range got {
		if got[path] != want[path] {
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", path, got[path], want[path]))
		}
	}
	for path := range want {
		if _, there := got[path]; !there {
			wrong = append(wrong, fmt.Sprintf("%s is not there, want %v", path, want[path]))
		}
	}
	slices.Sort(wrong)
	if len(wrong) > 0 {
		r.t.Fatalf("tick %d: %d of %d series are wrong:\n%s\n%s", tick, len(wrong), len(got), strings.Join(wrong, "\n"),
			r.run("squeue", "-a", "-t", "all", "-o", "%i %P %T %u %C %R"))
	}
	return len(want), nil
}

// compare compares as many ticks as wanted at moments at which the cluster keeps still.
func (r *rig) compare(ticks int) {
	r.t.Helper()
	unsettled := 0
	for compared := 0; compared < ticks; {
		n, err := r.compareOnce()
		if err != nil {
			unsettled++
			require.Less(r.t, unsettled, 200, "no moment at which the cluster kept still")
			continue
		}
		require.Greater(r.t, n, 50, "series that are not zero")
		compared++
		r.t.Logf("%d series are right, after %d looks at a cluster that changed meanwhile", n, unsettled)
	}
}

// Jobs in every state, pending for every reason, in all kinds of partitions; nodes in most states.
func TestEndToEndMix(t *testing.T) {
	r := newRig(t, slurmbed.Options{Profile: slurmbed.Full})
	r.startAgent("clusterload.toml", "site.e2e", endToEnd)
	mix, err := r.cluster.Mix(t.Context())
	require.NoError(t, err)
	r.compare(2)

	counts := r.look()
	for _, path := range []string{"jobs.running", "jobs.pending", "jobs.suspended", "jobs.completing", "jobs.configuring", "jobs.requeued",
		"jobs.stopped", "jobs.recent.completed", "jobs.recent.failed", "jobs.recent.cancelled", "jobs.recent.node_fail",
		"jobs.recent.preempted", "jobs.recent.deadline", "jobs.gpus.running", "jobs.gpus.pending", "partition.hiddenp.jobs.running",
		"nodes.mixed", "nodes.allocated", "nodes.idle", "nodes.down", "nodes.draining", "nodes.flag.powering_up", "gpus.alloc"} {
		assert.NotZero(t, counts[path], "the mix has some of %s", path)
	}

	require.NoError(t, mix.Slow(t.Context()))
	r.compare(1)
	counts = r.look()
	assert.NotZero(t, counts["jobs.recent.timeout"])
	assert.NotZero(t, counts["nodes.flag.not_responding"])
}

// Jobs start, end and are cancelled all the time; only new ones are not submitted while a tick is compared, or the cluster
// would hardly ever keep still.
func TestEndToEndStream(t *testing.T) {
	r := newRig(t, slurmbed.Options{Profile: slurmbed.Plain})
	r.startAgent("clusterload.toml", "site.e2e", endToEnd)
	stream := func(d time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		r.cluster.Stream(ctx, nil)
	}
	cancel := func() {
		jobs, err := r.cluster.Jobs(t.Context())
		require.NoError(t, err)
		i := slices.IndexFunc(jobs, func(j slurmbed.Job) bool { return j.State == "RUNNING" })
		require.GreaterOrEqual(t, i, 0, "a running job")
		require.NoError(t, r.cluster.Cancel(t.Context(), jobs[i].Base))
	}
	stream(15 * time.Second) // the queue fills
	before := r.look()
	for range 5 {
		stream(3 * time.Second)
		cancel()
		r.compare(1)
	}
	after := r.look()
	assert.NotZero(t, after["jobs.pending"])
	assert.NotZero(t, after["jobs.running"])
	assert.NotZero(t, after["jobs.recent.cancelled"])
	assert.Greater(t, after["jobs.recent.completed"], before["jobs.recent.completed"], "jobs ended meanwhile")
}

// A slurmctld that is gone, or hangs, gives no values at all, neither zeros nor old ones, and comes back by itself.
func TestEndToEndFaults(t *testing.T) {
	r := newRig(t, slurmbed.Options{Profile: slurmbed.Plain, MessageTimeout: 2 * time.Second})
	r.startAgent("clusterload.toml", "site.e2e", endToEnd)
	_, err := r.cluster.Submit(t.Context(), "alice", "-n3", "--wrap", "exec sleep 20000")
	require.NoError(t, err)
	r.compareWell(t)

	for _, fault := range []struct {
		name        string
		begin, cure func() error
	}{
		{"down", func() error { return r.cluster.Kill("slurmctld") }, func() error { return r.cluster.StartDaemon(t.Context(), "slurmctld") }},
		{"hung", func() error { return r.cluster.Pause("slurmctld") }, func() error { return r.cluster.Resume("slurmctld") }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			require.NoError(t, fault.begin())
			begun := time.Now().Add(time.Second) // a call that was under way has its answer
			tick, ok := r.tickAfter(begun, "agent.command.*.ok", 4)
			assert.Equal(t, snapshot{"agent.command.queue.ok": 0, "agent.command.nodes.ok": 0, "agent.command.partitions.ok": 0,
				"agent.command.scheduler.ok": 0}, ok)
			r.tickAfter(time.Unix(tick+r.every, 0), "agent.rss_bytes", 1)
			for at := begun.Unix() + 1; at <= tick; at++ {
				stale := r.all(at)
				maps.DeleteFunc(stale, func(path string, _ float64) bool { return strings.HasPrefix(path, "agent.") })
				assert.Empty(t, stale, "at %d", at)
			}
			require.NoError(t, fault.cure())
			r.compareWell(t)
		})
	}
}

// compareWell waits until the agent reads Slurm again and compares.
func (r *rig) compareWell(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for well := false; !well; {
		require.NoError(t, ctx.Err(), "the agent does not get well")
		_, ok := r.tickAfter(time.Now(), "agent.command.*.ok", 4)
		well = ok["agent.command.queue.ok"]+ok["agent.command.nodes.ok"]+ok["agent.command.partitions.ok"]+ok["agent.command.scheduler.ok"] == 4
	}
	for {
		n, err := r.compareOnce()
		if err == nil {
			assert.Greater(t, n, 30)
			return
		}
		require.NoError(t, ctx.Err(), err)
	}
}
