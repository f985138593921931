package slurmbed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/bed"
)

// patience is how long a daemon or a job may take to get where it should be before that counts as a failure.
const patience = 60 * time.Second

// options says how a daemon is started and how one sees that it serves. Names are munged, mariadbd, slurmdbd, slurmctld
// and slurmd-NODE.
func (c *Cluster) daemonOptions(name string) (o bed.Options, serves func() (bool, error), err error) {
	run := func(file string) string { return c.path("run", file) }
	o = bed.Options{Name: name, Path: name, Env: c.Env(), Log: c.path("log", name+".out")}
	switch node, isSlurmd := strings.CutPrefix(name, "slurmd-"); {
	case isSlurmd && slices.Contains(c.options.Profile.slurmds(), node):
		o.Path, o.Args = "slurmd", []string{"-D", "-N", node}
		serves = bed.Dials("tcp", loopback(c.ports.Slurmd[node]))
	case name == "munged":
		o.Args = []string{"--foreground", "--key-file=" + c.path("conf", "munge.key"), "--socket=" + run("munge.sock"),
			"--pid-file=" + run("munged.pid"), "--seed-file=" + run("munged.seed"), "--log-file=" + c.path("log", "munged.log"), "--num-threads=4"}
		serves = bed.Dials("unix", run("munge.sock"))
	case name == "mariadbd":
		o.Args = []string{"--no-defaults", "--user=root", "--datadir=" + c.path("mysql"), "--socket=" + run("mysql.sock"),
			"--pid-file=" + run("mysql.pid"), fmt.Sprintf("--port=%d", c.ports.MariaDB), "--bind-address=127.0.0.1", "--skip-name-resolve",
			"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
			"--innodb-lock-wait-timeout=900", "--innodb-flush-method=nosync", "--skip-log-bin", "--max-allowed-packet=64M"}
		serves = bed.Dials("tcp", loopback(c.ports.MariaDB))
	case name == "slurmdbd":
		o.Args = []string{"-D"}
		serves = bed.Dials("tcp", loopback(c.ports.Slurmdbd))
	case name == "slurmctld":
		o.Args = []string{"-D"}
		serves = bed.Dials("tcp", loopback(c.ports.Slurmctld))
	default:
		return o, nil, fmt.Errorf("slurmbed: unknown daemon %q (known: munged, mariadbd, slurmdbd, slurmctld, slurmd-%s)",
			name, strings.Join(c.options.Profile.slurmds(), ", slurmd-"))
	}
	return o, serves, nil
}

// StartDaemon starts a daemon that has not been started or has ended, and returns once it accepts connections.
func (c *Cluster) StartDaemon(ctx context.Context, name string) error {
	o, serves, err := c.daemonOptions(name)
	if err != nil {
		return err
	}
	if p, err := c.daemon(name); err == nil && p.Running() {
		return fmt.Errorf("slurmbed: %s runs already, pid %d", name, p.Pid())
	}
	p, err := c.group.Start(o)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.daemons[name] = p
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return p.WaitFor(ctx, name+" to listen", serves)
}

// daemon returns the process last started under the name.
func (c *Cluster) daemon(name string) (*bed.Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.daemons[name]
	if !ok {
		return nil, fmt.Errorf("slurmbed: no daemon %q was started (started: %s)", name, strings.Join(slices.Sorted(maps.Keys(c.daemons)), ", "))
	}
	return p, nil
}

// Daemons lists the names of all daemons that were started, slurmd-NODE for each node's.
func (c *Cluster) Daemons() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.daemons))
}

// Pause stops a daemon where it stands (SIGSTOP): it takes connections and never answers.
func (c *Cluster) Pause(name string) error {
	p, err := c.daemon(name)
	if err != nil {
		return err
	}
	return p.Pause()
}

// Resume lets a paused daemon go on.
func (c *Cluster) Resume(name string) error {
	p, err := c.daemon(name)
	if err != nil {
		return err
	}
	return p.Resume()
}

// Kill ends a daemon at once (SIGKILL) and waits until it is gone. Jobs outlive the end of their slurmd.
func (c *Cluster) Kill(name string) error {
	p, err := c.daemon(name)
	if err != nil {
		return err
	}
	return p.Kill()
}

// startScheduling starts slurmctld and every slurmd, and returns once all nodes are idle and jobs may be submitted.
func (c *Cluster) startScheduling(ctx context.Context) error {
	nodes := c.options.Profile.slurmds()
	c.options.Progress(fmt.Sprintf("slurmctld and %d slurmd", len(nodes)))
	started := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { started <- c.StartDaemon(ctx, "slurmd-"+n) }()
	}
	failed := c.StartDaemon(ctx, "slurmctld")
	for range nodes {
		if err := <-started; failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return failed
	}
	c.options.Progress("nodes come up")
	slurmctld, err := c.daemon("slurmctld")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = slurmctld.WaitFor(ctx, "all nodes to be idle", func() (bool, error) {
		out, err := c.Run(ctx, "sinfo", "-h", "-a", "-N", "-o", "%N %T")
		if err != nil {
			return false, nil // it is not there yet
		}
		idle := map[string]bool{} // a node has a line for each of its partitions
		for line := range strings.Lines(out) {
			if name, state, _ := strings.Cut(strings.TrimSpace(line), " "); state == "idle" {
				idle[name] = true
			}
		}
		return len(idle) == len(nodes), nil
	})
	if err != nil {
		return err
	}
	return slurmctld.WaitFor(ctx, "the cluster to register with accounting", func() (bool, error) {
		out, err := c.Run(ctx, "sacctmgr", "-n", "-P", "show", "cluster", "format=cluster,controlhost")
		return strings.Contains(out, ClusterName+"|127"), err
	})
}
