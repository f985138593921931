package slurmbed

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterload/clusterload/internal/bed"
)

// A Mix is jobs in every state and for most pending reasons, by name, and nodes in most states.
type Mix struct {
	// IDs are the jobs' ids, by the names of this package's table: "completed", "held_by_user", …
	IDs map[string]int

	cluster *Cluster
}

// A mixed is one job of the mix.
type mixed struct {
	name, user string
	args       string   // {name} stands for the id of another job
	script     string   // empty: sleep for hours
	want       []string // beginnings of "STATE Reason": each of the job's lines has one of them once all is set up
}

const sleep = "exec sleep 20000"

// The table's parts are submitted one after the other: a part's jobs have left the pending state before the next begins.
var (
	mixFirst = []mixed{
		{"completed", "alice", "-n1 -w c1", "srun -n1 true; exit 0", []string{"COMPLETED"}},
		{"failed", "bob", "-n1 -w c1", "exit 3", []string{"FAILED NonZeroExitCode"}},
		{"segfault", "bob", "-n1 -w c1", "kill -SEGV $$", []string{"FAILED"}},
		{"array_ended", "alice", "-n1 --array=1-6", "exit $((SLURM_ARRAY_TASK_ID % 3))", []string{"COMPLETED", "FAILED"}},
		{"timeout", "carol", "-A biology -t 1 -n1 -w c2", "", []string{"RUNNING", "TIMEOUT"}},
		{"cancelled", "erin", "-n1 -w c2", "", []string{"CANCELLED"}},
		{"node_fail", "bob", "-n1 -w c6 --no-requeue", "", []string{"NODE_FAIL"}},
		{"requeued", "bob", "-n1 -w c6 --requeue", "", []string{"PENDING"}},
		{"on_drained", "alice", "-n2 -w c5", "", []string{"RUNNING"}},
		{"steps", "alice", "-n4 -t 10:00:00 --mem=8G -w c1", "srun -n2 --exact sleep 20000 & srun -n2 --exact sleep 20000 & wait", []string{"RUNNING"}},
		{"two_nodes", "bob", "-N2 --ntasks-per-node=4 -w c1,c2", "srun sleep 20000", []string{"RUNNING"}},
		{"exclusive", "erin", "-A industry -N1 --exclusive -w c3", "", []string{"RUNNING"}},
		{"preempted", "bob", "--qos=scavenger -p bigmem -n40 --mem=500G", "", []string{"PREEMPTED"}},
		{"dave_one", "dave", "-n1 -w c2", "", []string{"RUNNING"}},
		{"suspended", "bob", "-n1 -w c2", "", []string{"SUSPENDED"}},
		{"stopped", "alice", "-n1 -w c2", "", []string{"STOPPED"}},
		{"completing", "bob", "-n1 -w c2", "", []string{"COMPLETING"}},
		{"requeue_hold", "alice", "-n1 -w c2", "", []string{"PENDING job requeued in held state"}},
		{"special_exit", "alice", "-n1 -w c2", "", []string{"SPECIAL_EXIT"}},
		{"gpus_typed", "alice", "-p gpu -n8 --gres=gpu:a100:2 -w g1", "srun -n1 --gres=gpu:a100:1 sleep 20000", []string{"RUNNING"}},
		{"gpus_of_job", "bob", "-p gpu -n4 --gpus=3 -w g2", "", []string{"RUNNING"}},
		{"gpus_v100", "erin", "-p gpu -n2 --gres=gpu:v100:1", "", []string{"RUNNING"}},
	}
	mixSecond = []mixed{
		{"preemptor", "dave", "--qos=high -p bigmem -n32 --mem=600G -C bigmem", "", []string{"RUNNING"}},
		{"array_running", "alice", "-n1 --array=0-19%2 -w c1", "", []string{"RUNNING", "PENDING JobArrayTaskLimit"}},
		{"het_running", "alice", "-n2 -w c1 --mem=1G : -p gpu -n1 --gres=gpu:1", "", []string{"RUNNING"}},
		{"licensed", "erin", "-n1 -w c1 -L matlab:8,ansys:1", "", []string{"RUNNING"}},
		{"account_cpus", "carol", "-A biology -n11 -p all -w c4", "", []string{"RUNNING"}},
		{"to_hidden", "bob", "-p hiddenp -n1", "", []string{"RUNNING"}},
		{"qos_job", "alice", "--qos=tiny -n1 -w c1", "", []string{"RUNNING"}},
	}
	mixThird = []mixed{
		{"configuring", "alice", "-p cloud -n2", "", []string{"CONFIGURING"}},
		{"wants_all_gpus", "alice", "-p gpu -N2 --gres=gpu:a100:4", "", []string{"PENDING Resources", "PENDING Priority"}},
		{"array_held", "bob", "-n16 --hold --array=1,5,9-30:3", "", []string{"PENDING JobHeldUser"}},
		{"array_big", "bob", "--qos=low --nice=8000 -n16 --array=0-999:1", "", []string{"PENDING Resources", "PENDING Priority"}},
		{"het_pending", "erin", "-N3 -n30 --mem=1G : -p bigmem -n64 --mem=700G", "", []string{"PENDING"}},
		{"held_by_user", "alice", "-n1 --hold", "", []string{"PENDING JobHeldUser"}},
		{"held_by_admin", "bob", "-n1 --hold", "", []string{"PENDING JobHeldAdmin"}},
		{"dependent", "alice", "-n1 --dependency=afterok:{steps}", "", []string{"PENDING Dependency"}},
		{"dependent_never", "alice", "-n1 --dependency=afterok:{failed}", "", []string{"PENDING DependencyNeverSatisfied"}},
		{"later", "bob", "-n1 --begin=now+5hours", "", []string{"PENDING BeginTime"}},
		{"unlicensed", "erin", "--qos=high -n1 -L matlab:5", "", []string{"PENDING Licenses"}},
		{"account_limit", "carol", "-A biology -n14", "", []string{"PENDING AssocGrpCpuLimit"}},
		{"user_limit", "dave", "-n1", "", []string{"PENDING AssocMaxJobsLimit"}},
		{"qos_jobs_limit", "alice", "--qos=tiny -n1", "", []string{"PENDING QOSMaxJobsPerUserLimit"}},
		{"qos_cpus_limit", "alice", "--qos=narrow -n4", "", []string{"PENDING QOSMaxCpuPerUserLimit"}},
		{"partition_down", "alice", "-p downp -n1", "", []string{"PENDING PartitionDown"}},
		{"partition_inactive", "alice", "-p inactp -n1", "", []string{"PENDING PartitionInactive"}},
		{"partition_time", "alice", "-p debug -t 600 -n1", "", []string{"PENDING PartitionTimeLimit"}},
		{"partition_nodes", "alice", "-p one -N2", "", []string{"PENDING PartitionNodeLimit"}},
		{"over_time", "bob", "-t 3-0 -n1", "", []string{"PENDING PartitionTimeLimit"}},
		{"two_partitions", "alice", "-p batch,gpu --qos=high -n16 -N1 -w c1", "", []string{"PENDING"}},
		{"three_nodes", "bob", "--nice=5000 --qos=low -n48 -N3", "", []string{"PENDING Resources", "PENDING Priority"}},
		{"cancelled_pending", "erin", "-n1 --hold", "", []string{"CANCELLED"}},
		{"deadline", "erin", "-p bigmem -n64 -t 1 --deadline=now+64seconds", "", []string{"DEADLINE"}},
		{"to_private", "alice", "-p private --qos=high -n1 -w c3", "", []string{"PENDING"}},
		{"to_draining", "alice", "-p drainp -n1", "", []string{"PENDING"}},
	}
	mixLast = []mixed{
		{"reserved_pending", "root", "--reservation=maintenance -p gpu -n2", "", []string{"PENDING Reservation"}},
		{"in_reservation", "alice", "--reservation=class -n2", "", []string{"RUNNING"}},
		{"wants_down", "alice", "-n1 -w c6", "", []string{"PENDING ReqNodeNotAvail"}},
	}
)

// hostile are names and comments that confuse a careless parser.
var hostile = map[string][]string{
	"on_drained":   {"-J", "we|ird \"na,me\" =ü\ttab", "--comment=pipe|and newline\nsecond line"},
	"held_by_user": {"-J", "JobId=1 JobState=RUNNING Partition=gpu"},
	"steps":        {"-J", "unit\x1fseparator", "--comment=hello world"},
	"licensed":     {"-J", "%s$(reboot);'`"},
	"later":        {"-J", "line\nbreak 17|RUNNING|batch"},
}

// Mix submits a few dozen jobs and brings them, and nodes, into every state that does not take minutes. It returns once all
// are where they should be, about eight seconds later, and wants a cluster of the profile Full that runs no jobs.
func (c *Cluster) Mix(ctx context.Context) (*Mix, error) {
	m := &Mix{IDs: map[string]int{}, cluster: c}
	for _, part := range []struct {
		jobs []mixed
		then func(context.Context) error
	}{
		{nil, m.openPartitions}, {mixFirst, m.settled}, {mixSecond, m.settled}, {nil, m.breakNodes}, {mixThird, m.disturb}, {mixLast, m.asWanted},
	} {
		for _, j := range part.jobs {
			if err := m.submit(ctx, j); err != nil {
				return nil, fmt.Errorf("slurmbed: mix: %s: %w", j.name, err)
			}
		}
		if err := part.then(ctx); err != nil {
			return nil, fmt.Errorf("slurmbed: mix: %w", err)
		}
	}
	return m, nil
}

func (m *Mix) submit(ctx context.Context, j mixed) error {
	args := strings.Fields(j.args)
	for i := range args {
		for name, id := range m.IDs {
			args[i] = strings.ReplaceAll(args[i], "{"+name+"}", strconv.Itoa(id))
		}
	}
	named := []string{"-J", j.name}
	if h := hostile[j.name]; h != nil {
		named = h
	}
	script := j.script
	if script == "" {
		script = sleep
	}
	id, err := m.cluster.Submit(ctx, j.user, append(append(named, args...), "--wrap", script)...)
	m.IDs[j.name] = id
	return err
}

// settled waits until none of the jobs so far waits for its start, but for tasks that their array itself holds back.
func (m *Mix) settled(ctx context.Context) error {
	return m.waitFor(ctx, "jobs to start", func(_ mixed, line string) bool {
		return line == "PENDING JobArrayTaskLimit" || !strings.HasPrefix(line, "PENDING") && !strings.HasPrefix(line, "CONFIGURING")
	})
}

// asWanted waits until every job is as the table wants it.
func (m *Mix) asWanted(ctx context.Context) error {
	return m.waitFor(ctx, "the mix", func(j mixed, line string) bool {
		return slices.ContainsFunc(j.want, func(w string) bool { return strings.HasPrefix(line, w) })
	})
}

// waitFor waits until every line of each job that has been submitted is right. The error names those that are not.
func (m *Mix) waitFor(ctx context.Context, what string, right func(j mixed, line string) bool) error {
	var wrong []string
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := bed.WaitFor(limited, what, func() (bool, error) {
		jobs, err := m.cluster.Jobs(ctx)
		if err != nil {
			return false, err
		}
		lines := map[int][]string{}
		for _, j := range jobs {
			lines[j.Base] = append(lines[j.Base], j.State+" "+j.Reason)
		}
		wrong = wrong[:0]
		for _, j := range slices.Concat(mixFirst, mixSecond, mixThird, mixLast) {
			id, submitted := m.IDs[j.name]
			if !submitted {
				continue
			}
			if len(lines[id]) == 0 || slices.ContainsFunc(lines[id], func(l string) bool { return !right(j, l) }) {
				wrong = append(wrong, fmt.Sprintf("%s (%d) is %q, want %q", j.name, id, lines[id], j.want))
			}
		}
		return len(wrong) == 0, nil
	})
	if err != nil && len(wrong) > 0 {
		return fmt.Errorf("%w; %s", err, strings.Join(wrong, "; "))
	}
	return err
}

// disturb does to jobs and nodes what users and administrators do.
func (m *Mix) disturb(ctx context.Context) error {
	c := m.cluster
	id := func(name string) string { return strconv.Itoa(m.IDs[name]) }
	if err := os.WriteFile(c.path("hold", id("completing")), nil, 0o644); err != nil {
		return err
	}
	return m.run(ctx,
		"scontrol hold "+id("held_by_admin"),
		"scontrol suspend "+id("suspended"),
		"scancel --batch -s STOP "+id("stopped"),
		"scancel "+id("cancelled")+" "+id("cancelled_pending")+" "+id("completing"),
		"scontrol requeuehold "+id("requeue_hold"),
		"scontrol requeuehold State=SpecialExit "+id("special_exit"),
		"scontrol update partitionname=drainp state=drain",
		"scontrol update partitionname=inactp state=inactive",
		"scontrol reboot c3",
		"scontrol create reservation reservationname=maintenance starttime=now+1day duration=4:00:00 users=root nodes=g2 flags=maint,ignore_jobs",
		"scontrol create reservation reservationname=class users=alice,bob starttime=now duration=10:00:00 nodes=c4 flags=ignore_jobs",
		"scontrol create reservation reservationname=software accounts=physics starttime=now+2hours duration=1:00:00 licenses=matlab:2 flags=license_only",
	)
}

// openPartitions has the partitions that take no jobs take some: disturb closes them again.
func (m *Mix) openPartitions(ctx context.Context) error {
	return m.run(ctx, "scontrol update partitionname=drainp state=up", "scontrol update partitionname=inactp state=up")
}

// breakNodes drains a node and takes another down, both with jobs on them.
func (m *Mix) breakNodes(ctx context.Context) error {
	if _, err := m.cluster.Run(ctx, "scontrol", "update", "nodename=c5", "state=drain", `reason=disk errors: "sda" | ticket #42 State=IDLE`); err != nil {
		return err
	}
	return m.run(ctx, "scontrol update nodename=c6 state=down reason=PSU")
}

// run runs commands as root. None has spaces within a word.
func (m *Mix) run(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		words := strings.Fields(command)
		if _, err := m.cluster.Run(ctx, words[0], words[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// Slow brings about what takes a minute or two: the job "timeout" reaches its time limit, and v1 stops answering until it
// counts as down, which fails the jobs that it runs. StartDaemon, after Kill, brings its slurmd back, or Resume.
func (m *Mix) Slow(ctx context.Context) error {
	if err := m.cluster.Pause("slurmd-v1"); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	err := bed.WaitFor(limited, "a timeout and a node that does not answer", func() (bool, error) {
		node, err := m.cluster.Run(ctx, "sinfo", "-h", "-n", "v1", "-p", "gpu", "-o", "%T")
		if err != nil || strings.TrimSpace(node) != "down*" {
			return false, err
		}
		jobs, err := m.cluster.Jobs(ctx)
		return slices.ContainsFunc(jobs, func(j Job) bool { return j.Base == m.IDs["timeout"] && j.State == "TIMEOUT" }), err
	})
	if err != nil {
		return fmt.Errorf("slurmbed: slow mix: %w", err)
	}
	return nil
}
