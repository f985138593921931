package slurmbed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/slurmbed"
)

// start starts a cluster for the length of a test.
func start(t *testing.T, o slurmbed.Options) *slurmbed.Cluster {
	t.Helper()
	bed.NeedRoot(t)
	bed.Need(t, slurmbed.Programs...)
	c, err := slurmbed.Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		folder := c.Folder()
		assert.NoError(t, c.Stop())
		assert.Empty(t, processesOf(t, folder), "processes left behind")
	})
	return c
}

// processesOf lists the processes with the folder in their arguments or environment, as "pid command line".
func processesOf(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var found []string
	for _, path := range paths {
		args, _ := os.ReadFile(path + "/cmdline")
		env, _ := os.ReadFile(path + "/environ")
		if bytes.Contains(args, []byte(folder)) || bytes.Contains(env, []byte(folder)) {
			found = append(found, filepath.Base(path)+" "+string(bytes.ReplaceAll(args, []byte{0}, []byte(" "))))
		}
	}
	return found
}

func TestMix(t *testing.T) {
	c := start(t, slurmbed.Options{})
	m, err := c.Mix(t.Context())
	require.NoError(t, err)
	jobs, err := c.Jobs(t.Context())
	require.NoError(t, err)

	states, reasons, partitions, users := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, j := range jobs {
		states[j.State]++
		partitions[j.Partition]++
		users[j.User]++
		if j.State == "PENDING" {
			reasons[j.Reason]++
		}
	}
	for _, s := range []string{"PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "STOPPED", "SPECIAL_EXIT",
		"COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "PREEMPTED", "DEADLINE"} {
		assert.NotZero(t, states[s], "jobs %s of %v", s, states)
	}
	for _, r := range []string{"Resources", "Priority", "Dependency", "DependencyNeverSatisfied", "JobHeldUser", "JobHeldAdmin",
		"BeginTime", "Licenses", "AssocGrpCpuLimit", "AssocMaxJobsLimit", "QOSMaxJobsPerUserLimit", "QOSMaxCpuPerUserLimit",
		"PartitionDown", "PartitionInactive", "PartitionTimeLimit", "PartitionNodeLimit", "JobArrayTaskLimit", "Reservation",
		"ReqNodeNotAvail, UnavailableNodes:c6", "job requeued in held state"} {
		assert.NotZero(t, reasons[r], "jobs pending for %s of %v", r, reasons)
	}
	for _, p := range []string{"batch", "gpu", "bigmem", "debug", "all", "cloud", "hiddenp", "batch,gpu"} {
		assert.NotZero(t, partitions[p], "jobs in %s of %v", p, partitions)
	}
	for _, u := range append([]string{"root"}, slurmbed.Users...) {
		assert.NotZero(t, users[u], "jobs of %s of %v", u, users)
	}
	assert.Len(t, slices.DeleteFunc(jobs, func(j slurmbed.Job) bool { return j.Base != m.IDs["array_ended"] }), 6, "tasks of an array that has ended")

	nodes, err := c.Run(t.Context(), "sinfo", "-h", "-a", "-N", "-o", "%N %T")
	require.NoError(t, err)
	for _, n := range []string{"c1 mixed", "c2 completing", "c3 allocated@", "c4 mixed", "c5 draining", "c6 down", "g1 mixed", "k1 mixed#", "k2 idle~", "x1 mixed"} {
		assert.Contains(t, nodes, n+"\n")
	}
	gpus, err := c.Run(t.Context(), "scontrol", "show", "node", "g1", "-d", "-o")
	require.NoError(t, err)
	assert.Contains(t, gpus, "GresUsed=gpu:a100:2(IDX:0-1)")
}

// The same place, again: a cluster knows nothing of the one before.
func TestStopLeavesNothing(t *testing.T) {
	c := start(t, slurmbed.Options{Profile: slurmbed.Plain})
	id, err := c.Submit(t.Context(), "alice", "-n2", "--wrap", "srun -n2 sleep 7654 & setsid sleep 7655 & wait")
	require.NoError(t, err)
	require.NoError(t, bed.WaitFor(t.Context(), "a step", func() (bool, error) {
		n := 0
		for _, p := range processesOf(t, c.Folder()) {
			if strings.Contains(p, "sleep 765") {
				n++
			}
		}
		return n == 3, nil
	}))
	require.NoError(t, c.Stop())
	assert.Empty(t, processesOf(t, c.Folder()))
	assert.NoDirExists(t, c.Folder())
	assert.Equal(t, 1, id)
	assert.NoError(t, c.Stop(), "a second time")
}

func TestCommandsOfUsers(t *testing.T) {
	c := start(t, slurmbed.Options{Profile: slurmbed.Plain})
	for _, u := range slurmbed.Users {
		out, err := c.RunAs(t.Context(), u, "id", "-un")
		require.NoError(t, err)
		assert.Equal(t, u+"\n", out)
	}
	t.Setenv("SQUEUE_FORMAT", "%j")
	t.Setenv("SLURM_TIME_FORMAT", "relative")
	env := strings.Join(c.Env(), "\n")
	assert.Contains(t, env, "SLURM_CONF="+c.Conf())
	assert.NotContains(t, env, "SQUEUE_FORMAT")
	assert.NotContains(t, env, "SLURM_TIME_FORMAT")

	_, err := c.RunAs(t.Context(), "mallory", "squeue")
	assert.ErrorContains(t, err, `unknown user "mallory" (known: root, alice, bob, carol, dave, erin)`)
	_, err = c.Submit(t.Context(), "carol", "-A", "physics", "-n1", "--wrap", "true")
	assert.ErrorContains(t, err, "Invalid account")
}

func TestFaults(t *testing.T) {
	c := start(t, slurmbed.Options{Profile: slurmbed.Plain, MessageTimeout: 2 * time.Second})
	_, err := c.Submit(t.Context(), "bob", "-n1", "--wrap", "exec sleep 5432")
	require.NoError(t, err)
	running := func() bool {
		jobs, err := c.Jobs(t.Context())
		require.NoError(t, err)
		require.Len(t, jobs, 1)
		return jobs[0].State == "RUNNING"
	}
	require.NoError(t, bed.WaitFor(t.Context(), "a job", func() (bool, error) { return running(), nil }))

	require.NoError(t, c.Pause("slurmctld"))
	_, err = c.Jobs(t.Context())
	assert.ErrorContains(t, err, "Socket timed out")
	require.NoError(t, c.Resume("slurmctld"))
	assert.True(t, running())

	require.NoError(t, c.Kill("slurmctld"))
	_, err = c.Jobs(t.Context())
	assert.ErrorContains(t, err, "Unable to contact slurm controller")
	require.NoError(t, c.StartDaemon(t.Context(), "slurmctld"))
	require.NoError(t, bed.WaitFor(t.Context(), "slurmctld's answer", func() (bool, error) {
		jobs, err := c.Jobs(t.Context())
		return err == nil && len(jobs) == 1 && jobs[0].State == "RUNNING", nil
	}))
	assert.ErrorContains(t, c.StartDaemon(t.Context(), "slurmctld"), "runs already")
	assert.ErrorContains(t, c.Pause("slurmctl"), `no daemon "slurmctl" was started (started: mariadbd, munged, slurmctld, slurmd-c1,`)
	assert.ErrorContains(t, c.StartDaemon(t.Context(), "slurmd-c9"), `unknown daemon "slurmd-c9"`)

	require.NoError(t, c.Kill("slurmd-c1"))
	require.NoError(t, c.StartDaemon(t.Context(), "slurmd-c1"))
	assert.True(t, running(), "a job outlives its slurmd")
}

func TestStream(t *testing.T) {
	c := start(t, slurmbed.Options{Profile: slurmbed.Plain, MinJobAge: 5 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	seen, events, done := map[string]bool{}, make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(done)
		c.Stream(ctx, func(e string) { events <- e })
	}()
	require.NoError(t, bed.WaitFor(t.Context(), "jobs in several states", func() (bool, error) {
		jobs, err := c.Jobs(t.Context())
		for _, j := range jobs {
			seen[j.State] = true
			seen[j.Partition] = true
		}
		return seen["RUNNING"] && seen["PENDING"] && seen["COMPLETED"] && seen["gpu"] && seen["batch"], err
	}), "%v", seen)
	cancel()
	<-done
	close(events)
	n := 0
	for e := range events {
		assert.Regexp(t, `submits job \d+: |cancels job \d+|jobs wait`, e)
		n++
	}
	assert.Greater(t, n, 5)
}

// Every test program of the repository may start a cluster at the same time as the others.
func TestTwoAtOnce(t *testing.T) {
	one := start(t, slurmbed.Options{Profile: slurmbed.Plain})
	other := start(t, slurmbed.Options{Profile: slurmbed.Plain})
	for i, c := range []*slurmbed.Cluster{one, other} {
		for range i + 1 {
			_, err := c.Submit(t.Context(), "alice", "-n1", "--hold", "--wrap", "true")
			require.NoError(t, err)
		}
		jobs, err := c.Jobs(t.Context())
		require.NoError(t, err)
		assert.Len(t, jobs, i+1, fmt.Sprint("cluster ", i))
	}
}

func TestFolderThatUsersCannotPass(t *testing.T) {
	bed.NeedRoot(t)
	bed.Need(t, slurmbed.Programs...)
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(folder+"/secret", 0o700))
	_, err := slurmbed.Start(t.Context(), slurmbed.Options{Folder: folder + "/secret/bed"})
	assert.ErrorContains(t, err, "jobs of other users cannot pass")
	assert.ErrorContains(t, err, "want one that all may pass")
	assert.Empty(t, processesOf(t, folder))
}

func TestStartIsCancelled(t *testing.T) {
	bed.NeedRoot(t)
	bed.Need(t, slurmbed.Programs...)
	folder, err := os.MkdirTemp("", "slurmbed-test-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = slurmbed.Start(ctx, slurmbed.Options{Folder: folder, Progress: func(step string) {
		if strings.HasPrefix(step, "slurmctld") {
			assert.Len(t, processesOf(t, folder), 3, "munged, mariadbd, slurmdbd")
			cancel(errors.New("enough"))
		}
	}})
	assert.ErrorContains(t, err, "enough")
	assert.Empty(t, processesOf(t, folder))
	assert.DirExists(t, folder, "not Start's own")
}
