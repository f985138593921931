package slurmbed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/bed"
)

// The tables of accounting, as sacctmgr reads them. They are part of what names the kept data folder: a change of them
// makes a new one.
const (
	qos = `add cluster bed
add qos scavenger priority=0
modify qos normal set priority=100
add qos high priority=1000 preempt=scavenger
add qos low priority=1
add qos long priority=5 maxwall=7-0
add qos tiny priority=50 MaxJobsPerUser=1
add qos narrow priority=60 MaxTRESPerUser=cpu=2
load file=%s
quit
`
	associations = `Cluster - 'bed':Fairshare=1:QOS='normal'
Parent - 'root'
User - 'root':DefaultAccount='root':AdminLevel='Administrator':Fairshare=1:QOS='high,long,low,narrow,normal,scavenger,tiny'
Account - 'science':Description='science':Organization='uni':Fairshare=60
Account - 'industry':Description='industry':Organization='corp':Fairshare=40
Parent - 'science'
Account - 'physics':Description='physics':Organization='uni':Fairshare=30
Account - 'biology':Description='biology':Organization='uni':Fairshare=30:GrpTRES=cpu=24
Parent - 'physics'
User - 'alice':DefaultAccount='physics':Fairshare=10:QOS='high,low,narrow,normal,tiny':DefaultQOS='normal'
User - 'bob':DefaultAccount='physics':Fairshare=20:QOS='low,normal,scavenger':DefaultQOS='normal'
Parent - 'biology'
User - 'carol':DefaultAccount='biology':Fairshare=10:QOS='low,normal':DefaultQOS='normal'
User - 'alice':DefaultAccount='physics':Fairshare=5:QOS='normal':DefaultQOS='normal'
Parent - 'industry'
User - 'dave':DefaultAccount='industry':Fairshare=10:QOS='high,normal':DefaultQOS='normal':MaxJobs=2
User - 'erin':DefaultAccount='industry':Fairshare=10:QOS='high,normal':DefaultQOS='normal'
`
)

// startAccounting starts munged, MariaDB and slurmdbd, on data that an earlier start has kept where there is any.
func (c *Cluster) startAccounting(ctx context.Context) error {
	kept, err := c.kept()
	if err != nil {
		return err
	}
	data := c.path("mysql")
	seed := kept == "" || !isFolder(kept)
	if seed {
		c.options.Progress("making accounting's tables: only the first time")
		out, err := c.Run(ctx, "mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+data, "--skip-test-db",
			"--auth-root-authentication-method=normal", "--innodb-log-file-size=16M")
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	} else if err := os.CopyFS(data, os.DirFS(kept)); err != nil {
		return fmt.Errorf("accounting's data: %w", err)
	}
	c.options.Progress("munged, mariadbd, slurmdbd")
	if err := c.StartDaemon(ctx, "munged"); err != nil {
		return err
	}
	if err := c.StartDaemon(ctx, "mariadbd"); err != nil {
		return err
	}
	if seed {
		if _, err := c.Run(ctx, "mariadb", "--no-defaults", "-u", "root", "-S", c.path("run", "mysql.sock"), "-e",
			"create database slurm_acct_db; create user slurm@'127.0.0.1' identified by 'slurm'; grant all on slurm_acct_db.* to slurm@'127.0.0.1'"); err != nil {
			return err
		}
	}
	if err := c.StartDaemon(ctx, "slurmdbd"); err != nil {
		return err
	}
	if seed {
		if err := c.addAccounts(ctx); err != nil {
			return err
		}
		return c.keep(ctx, kept)
	}
	return nil
}

// kept names the folder that data like this cluster's are kept in: of these versions and these tables. Empty: nowhere.
func (c *Cluster) kept() (string, error) {
	cache := c.options.Cache
	if cache == "" {
		own, err := os.UserCacheDir()
		if err != nil {
			return "", nil // no home: made anew each time
		}
		cache = filepath.Join(own, "clusterload", "slurmbed")
	}
	hash := sha256.New()
	for _, program := range []string{"mariadbd", "slurmctld"} {
		path, err := bed.Look(program)
		if err != nil {
			return "", err
		}
		version, err := exec.Command(path, "-V").Output()
		if err != nil {
			return "", fmt.Errorf("%s -V: %w", program, err)
		}
		hash.Write(version)
	}
	hash.Write([]byte(qos + associations))
	return filepath.Join(cache, fmt.Sprintf("accounting-%x", hash.Sum(nil)[:6])), nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// addAccounts adds accounts, users and QOS before slurmctld's first look at them.
func (c *Cluster) addAccounts(ctx context.Context) error {
	file := c.path("conf", "associations")
	if err := os.WriteFile(file, []byte(associations), 0o644); err != nil {
		return err
	}
	cmd := c.Command(ctx, "root", "sacctmgr", "-i", "-Q")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(qos, file))
	out, failed := cmd.CombinedOutput() // returns 1 for a remark, too: what counts is what it made
	users, err := c.Run(ctx, "sacctmgr", "-n", "-P", "show", "assoc", "format=user,account")
	if err != nil {
		return err
	}
	for _, want := range []string{"alice|physics", "alice|biology", "erin|industry"} {
		if !strings.Contains(users, want) {
			return fmt.Errorf("sacctmgr: made no %s: %w: %s", want, failed, out)
		}
	}
	return nil
}

// keep ends slurmdbd and MariaDB cleanly, copies the data to where the next start finds them and starts both again.
func (c *Cluster) keep(ctx context.Context, kept string) error {
	if kept == "" {
		return nil
	}
	for _, name := range []string{"slurmdbd", "mariadbd"} {
		p, err := c.daemon(name)
		if err != nil {
			return err
		}
		if err := p.Stop(30 * time.Second); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(kept), "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	if err := os.CopyFS(filepath.Join(unfinished, "data"), os.DirFS(c.path("mysql"))); err != nil {
		return fmt.Errorf("keep accounting's data: %w", err)
	}
	// Another program may have kept its own meanwhile: as good.
	if err := os.Rename(filepath.Join(unfinished, "data"), kept); err != nil && !errors.Is(err, fs.ErrExist) && !isFolder(kept) {
		return fmt.Errorf("keep accounting's data: %w", err)
	}
	if err := c.StartDaemon(ctx, "mariadbd"); err != nil {
		return err
	}
	return c.StartDaemon(ctx, "slurmdbd")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
