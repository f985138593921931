// Package bed runs real servers for tests and for the demo: on loopback, on free ports, each as a process of its own that
// is ended by its process id, and all of them gone soon after the program that started them is, even where that one was
// killed. Nothing here depends on package testing but the thin wrappers in testing.go.
//
// Every process is started by a keeper, a second copy of the running program that does nothing else. It adopts whatever
// its processes leave behind (a daemon's children that outlive it) and holds one end of a pipe: when the other end closes,
// because Close was called or because the program died, it kills all of its descendants and ends.
package bed

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// poll is the pause between two looks of WaitFor.
const poll = 25 * time.Millisecond

// systemFolders hold daemons and are often missing from an ordinary user's PATH.
var systemFolders = []string{"/usr/sbin", "/sbin", "/usr/local/sbin"}

// Look finds a program in PATH, /usr/sbin, /sbin and /usr/local/sbin and returns its absolute path. The error names the
// Debian package that brings the program, where that is known.
func Look(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return filepath.Abs(path)
	}
	if !strings.Contains(program, "/") {
		for _, folder := range systemFolders {
			if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("program %q: not found%s", program, hint(program))
}

// debian names the Debian package of each program that a test bed may ask for.
var debian = map[string]string{
	"munged": "munge", "mariadbd": "mariadb-server", "mariadb-install-db": "mariadb-server", "mariadb": "mariadb-client",
	"slurmctld": "slurmctld", "slurmd": "slurmd", "slurmdbd": "slurmdbd",
	"squeue": "slurm-client", "sinfo": "slurm-client", "scontrol": "slurm-client", "sacctmgr": "slurm-client",
	"sbatch": "slurm-client", "srun": "slurm-client", "scancel": "slurm-client", "sdiag": "slurm-client", "sacct": "slurm-client",
	"carbon-cache": "graphite-carbon", "graphite-manage": "graphite-web", "gunicorn3": "gunicorn", "gunicorn": "gunicorn",
	"useradd": "passwd", "python3": "python3", "openssl": "openssl", "chromium": "chromium",
}

func hint(program string) string {
	if p, ok := debian[filepath.Base(program)]; ok {
		return "; on Debian: apt-get install " + p
	}
	return ""
}

// WaitFor calls done every 25 ms until it returns true, an error, or ctx ends. What says in the error what was waited for:
// "carbon to listen". An error of done ends the wait at once; "not yet" is false and no error.
func WaitFor(ctx context.Context, what string, done func() (bool, error)) error {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for begun := time.Now(); ; {
		ok, err := done()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: not so after %s: %w", what, time.Since(begun).Round(time.Millisecond), context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// Dials returns a check for WaitFor: whether something accepts connections on the address ("tcp", "127.0.0.1:2003" or
// "unix", "/run/x.sock").
func Dials(network, address string) func() (bool, error) {
	return func() (bool, error) {
		c, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return false, nil
		}
		return true, c.Close()
	}
}

// Exists returns a check for WaitFor: whether a file is there.
func Exists(path string) func() (bool, error) {
	return func() (bool, error) {
		_, err := os.Stat(path)
		if os.IsNotExist(err) {
			return false, nil
		}
		return err == nil, err
	}
}
