package slurmbed

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Submit submits a batch job as one of the users and returns its id, that of the whole of an array or het job. Args are
// sbatch's, a script (--wrap) among them; the output is thrown away.
func (c *Cluster) Submit(ctx context.Context, user string, args ...string) (int, error) {
	out, err := c.RunAs(ctx, user, "sbatch", append([]string{"--parsable", "-D", c.path("jobs"), "-o", "/dev/null"}, args...)...)
	if err != nil {
		return 0, fmt.Errorf("submit: %w", err)
	}
	number, _, _ := strings.Cut(strings.TrimSpace(out), ";") // the cluster's name follows, in a federation
	id, err := strconv.Atoi(number)
	if err != nil {
		return 0, fmt.Errorf("submit: sbatch printed %q: want a job id", out)
	}
	return id, nil
}

// Cancel cancels jobs as root. One that has ended meanwhile is no error.
func (c *Cluster) Cancel(ctx context.Context, ids ...int) error {
	args := []string{"-Q"}
	for _, id := range ids {
		args = append(args, strconv.Itoa(id))
	}
	_, err := c.Run(ctx, "scancel", args...)
	return err
}

// A Job is a line of squeue: a job, a task of an array, all waiting tasks of an array, or a part of a het job.
type Job struct {
	ID                             string // "17", "17_4", "17_[5-9]", "17+1"
	Base                           int    // 17
	State, Partition, User, Reason string
}

// Jobs lists the jobs that slurmctld knows, ended ones too, as squeue shows them.
func (c *Cluster) Jobs(ctx context.Context) ([]Job, error) {
	out, err := c.Run(ctx, "squeue", "-h", "-a", "-t", "all", "-o", "%i|%T|%P|%u|%r")
	if err != nil {
		return nil, err
	}
	var jobs []Job
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "|", 5)
		if len(f) < 5 {
			return nil, fmt.Errorf("squeue: %q: want five fields", line)
		}
		number := f[0]
		if end := strings.IndexAny(number, "_+"); end >= 0 {
			number = number[:end]
		}
		base, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("squeue: %q: want a job id first", line)
		}
		jobs = append(jobs, Job{ID: f[0], Base: base, State: f[1], Partition: f[2], User: f[3], Reason: f[4]})
	}
	return jobs, nil
}
