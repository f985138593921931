// Package slurmbed brings up a real Slurm on one machine within seconds: munged, MariaDB, slurmdbd, slurmctld and a slurmd
// for each of some nodes with make-believe sizes and GPUs, with accounts, users, QOS and licenses, and with jobs in every
// state. All of it lives in one folder, listens on loopback on free ports, and is ended by process id: what of it runs is
// gone when Stop returns, and within moments of the end of the program that started it, however that came.
//
// It runs as root on Debian 12 (Slurm 22.05). Jobs belong to alice, bob, carol, dave and erin: accounting knows users of the
// operating system only, so those who are missing are made with useradd, without a home or a password, and stay.
package slurmbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/clusterload/clusterload/internal/bed"
)

// Programs are what a cluster needs to be installed: munge, mariadb-server, slurmdbd, slurmctld, slurmd, slurm-client.
var Programs = []string{"munged", "mariadbd", "mariadb-install-db", "mariadb", "slurmdbd", "slurmctld", "slurmd",
	"sacctmgr", "scontrol", "sinfo", "squeue", "sbatch", "srun", "scancel"}

// ClusterName is what Slurm and its accounting call the cluster.
const ClusterName = "bed"

// Options says what cluster to start. The zero value is one that has room for the mix of jobs.
type Options struct {
	// Folder takes all of the cluster's files and is made where it is missing. Users of jobs must be able to reach it, so
	// t.TempDir will not do. Empty: one in the system's folder for temporary files, removed at the end.
	Folder string
	// Cache keeps MariaDB's data folder, with Slurm's tables and accounts in it, from one start to the next: it takes five
	// seconds to make. Empty: a folder below os.UserCacheDir.
	Cache string
	// Profile is the nodes and partitions; empty: Full.
	Profile Profile
	// MessageTimeout is how long Slurm's commands wait for a daemon that does not answer. 0: 10 s.
	MessageTimeout time.Duration
	// MinJobAge is how long a job that has ended stays in squeue. 0: an hour.
	MinJobAge time.Duration
	// Progress, where set, is told each step of the start.
	Progress func(step string)
}

// A Cluster is a running Slurm. Its methods are safe for concurrent use.
type Cluster struct {
	options Options
	folder  string
	remove  bool // the folder goes at the end
	host    string
	ports   ports
	group   *bed.Group
	users   map[string]*syscall.Credential
	streams atomic.Uint64 // begun so far

	mu      sync.Mutex
	daemons map[string]*bed.Process
}

type ports struct {
	Slurmctld, Slurmdbd, MariaDB int
	Slurmd                       map[string]int // by node
}

// Start brings up a cluster and returns once all of its nodes are idle. Where it returns an error nothing is left running.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("slurmbed: needs root: jobs run as several users")
	}
	for _, p := range Programs {
		if _, err := bed.Look(p); err != nil {
			return nil, fmt.Errorf("slurmbed: %w", err)
		}
	}
	if o.Profile.Nodes == nil {
		o.Profile = Full
	}
	o.MessageTimeout = max(o.MessageTimeout, 0)
	if o.MessageTimeout == 0 {
		o.MessageTimeout = 10 * time.Second
	}
	if o.MinJobAge == 0 {
		o.MinJobAge = time.Hour
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	c := &Cluster{options: o, daemons: map[string]*bed.Process{}}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("slurmbed: %w", err), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) (err error) {
	if c.group, err = bed.NewGroup(); err != nil {
		return err
	}
	if err = c.makeFolder(); err != nil {
		return err
	}
	if c.users, err = makeUsers(ctx); err != nil {
		return err
	}
	if err = c.takePorts(); err != nil {
		return err
	}
	if err = c.configure(); err != nil {
		return err
	}
	if err = c.startAccounting(ctx); err != nil {
		return err
	}
	return c.startScheduling(ctx)
}

// makeFolder makes the cluster's folders, which users of jobs can reach.
func (c *Cluster) makeFolder() error {
	c.folder = c.options.Folder
	if c.folder == "" {
		temporary, err := os.MkdirTemp("", "slurmbed-")
		if err != nil {
			return err
		}
		c.folder, c.remove = temporary, true
		if err := c.group.RemoveAtEnd(c.folder); err != nil {
			return err
		}
	}
	folder, err := filepath.Abs(c.folder)
	if err != nil {
		return err
	}
	c.folder = folder
	for _, sub := range []string{"", "conf", "log", "state", "spool", "run", "dev", "hold", "jobs"} {
		path := c.path(sub)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o755); err != nil { // whatever the umask says
			return err
		}
	}
	if err := os.Chmod(c.path("jobs"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	for above := c.folder; above != "/"; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err != nil {
			return err
		}
		if info.Mode()&0o001 == 0 {
			return fmt.Errorf("folder %q: jobs of other users cannot pass %q (mode %v): want one that all may pass", c.folder, above, info.Mode().Perm())
		}
	}
	return nil
}

func (c *Cluster) takePorts() error {
	taken, err := bed.Ports(3)
	if err != nil {
		return err
	}
	c.ports = ports{Slurmctld: taken[0], Slurmdbd: taken[1], MariaDB: taken[2], Slurmd: map[string]int{}}
	for _, n := range c.options.Profile.slurmds() {
		if c.ports.Slurmd[n], err = bed.Port(); err != nil {
			return err
		}
	}
	c.host, err = os.Hostname()
	c.host, _, _ = strings.Cut(c.host, ".")
	return err
}

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.folder}, elements...)...)
}

// Folder is where the cluster's files are: conf/slurm.conf, log/slurmctld.log, …
func (c *Cluster) Folder() string { return c.folder }

// Conf is the path of slurm.conf, what SLURM_CONF is to be set to.
func (c *Cluster) Conf() string { return c.path("conf", "slurm.conf") }

// slurmVariables are what changes the behaviour of Slurm's commands.
var slurmVariables = []string{"SLURM", "SQUEUE_", "SINFO_", "SACCT_", "SBATCH_", "SRUN_", "SALLOC_", "SCONTROL_", "SCANCEL_", "SDIAG_", "SPRIO_", "SSHARE_"}

// Env is an environment in which Slurm's commands speak to this cluster: this program's own, without what would change
// their output.
func (c *Cluster) Env() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PATH=") || strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG") ||
			slices.ContainsFunc(slurmVariables, func(p string) bool { return strings.HasPrefix(kv, p) })
	})
	return append(env, "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "SLURM_CONF="+c.Conf())
}

// Command is a command of Slurm as a user of the cluster, or as root, would run it: to be started, with its Stdout and so on
// set, by the caller.
func (c *Cluster) Command(ctx context.Context, user, name string, args ...string) *exec.Cmd {
	if path, err := bed.Look(name); err == nil {
		name = path
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = c.Env()
	cmd.Dir = c.path("jobs")
	cmd.WaitDelay = time.Second
	if credential, ok := c.users[user]; ok {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		cmd.Env = append(cmd.Env, "USER="+user, "LOGNAME="+user, "HOME=/")
	} else if user != "root" {
		cmd.Err = fmt.Errorf("slurmbed: unknown user %q (known: root, %s)", user, strings.Join(Users, ", "))
	}
	return cmd
}

// Run runs a command of Slurm as root and returns its standard output. The error has what it printed on standard error.
func (c *Cluster) Run(ctx context.Context, name string, args ...string) (string, error) {
	return c.RunAs(ctx, "root", name, args...)
}

// RunAs is Run as one of the cluster's users.
func (c *Cluster) RunAs(ctx context.Context, user, name string, args ...string) (string, error) {
	out, err := c.Command(ctx, user, name, args...).Output()
	if err != nil {
		var printed string
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			printed = ": " + strings.TrimSpace(string(exit.Stderr))
		}
		return string(out), fmt.Errorf("%s %q: %w%s", name, args, err, printed)
	}
	return string(out), nil
}

// Stop ends all of the cluster: daemons, the steps of its jobs and what these started. Nothing is ended gently, since
// nothing is kept; a folder that Start made is removed.
func (c *Cluster) Stop() error {
	var err error
	if c.group != nil {
		err = c.group.Close()
	}
	if c.remove {
		err = errors.Join(err, os.RemoveAll(c.folder))
	}
	return err
}

// Users own the cluster's jobs: users of the operating system and of accounting.
var Users = []string{"alice", "bob", "carol", "dave", "erin"}

// makeUsers makes those users that the operating system lacks.
func makeUsers(ctx context.Context) (map[string]*syscall.Credential, error) {
	credentials := map[string]*syscall.Credential{}
	for _, name := range Users {
		u, err := user.Lookup(name)
		if _, unknown := errors.AsType[user.UnknownUserError](err); unknown {
			useradd, err := bed.Look("useradd")
			if err != nil {
				return nil, err
			}
			// Another program's cluster may be making the same users.
			out, failed := exec.CommandContext(ctx, useradd, "--no-create-home", "--no-user-group", "--home-dir", "/", "--shell", "/bin/sh", name).CombinedOutput()
			if u, err = user.Lookup(name); err != nil {
				return nil, fmt.Errorf("useradd %s: %w: %s", name, errors.Join(failed, err), strings.TrimSpace(string(out)))
			}
		} else if err != nil {
			return nil, err
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		credentials[name] = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return credentials, nil
}
