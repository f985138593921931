// Package graphitebed runs a real Graphite, carbon-cache and graphite-web of Debian, for tests and for the demo: on
// loopback, on free ports, in a folder of its own.
//
// On Debian 12: apt-get install graphite-carbon graphite-web
package graphitebed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/clusterload/clusterload/internal/bed"
)

// Programs are what Start needs.
var Programs = []string{"carbon-cache", "graphite-manage"}

// Options says what to start. The zero value is a whole Graphite in a temporary folder.
type Options struct {
	Folder    string     // where everything is kept, made if missing; empty: a temporary one, removed by Stop
	Retention string     // of every series, as in storage-schemas.conf; empty: "1s:1h"
	Group     *bed.Group // what the processes are started in; nil: one of its own
	NoWeb     bool       // carbon alone; Render and Find are not to be called
	Tags      bool       // carbon tells graphite-web of tagged series, so that seriesByTag finds them
}

// A Graphite is a running carbon-cache and graphite-web. Its methods are not safe for concurrent use, but Render and Find.
type Graphite struct {
	Line, Pickle, UDP string // host:port of carbon's receivers
	URL               string // of graphite-web, "http://127.0.0.1:8080"
	Folder            string

	options Options
	group   *bed.Group
	carbon  *bed.Process
	web     *bed.Process
	ports   []int
	remove  bool
}

// The ports, in order.
const (
	linePort = iota
	picklePort
	udpPort
	queryPort
	webPort
	ports
)

// Start starts carbon and graphite-web and returns once both answer.
func Start(ctx context.Context, o Options) (*Graphite, error) {
	g := &Graphite{options: o, group: o.Group, Folder: o.Folder}
	if g.options.Retention == "" {
		g.options.Retention = "1s:1h"
	}
	if err := g.start(ctx); err != nil {
		return nil, fmt.Errorf("graphite: %w", errors.Join(err, g.Stop()))
	}
	return g, nil
}

func (g *Graphite) start(ctx context.Context) error {
	var err error
	if g.group == nil {
		if g.group, err = bed.NewGroup(); err != nil {
			return err
		}
	}
	if g.ports, err = bed.Ports(ports); err != nil {
		return err
	}
	if err := g.layOut(); err != nil {
		return err
	}
	address := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(g.ports[port])) }
	g.Line, g.Pickle, g.UDP, g.URL = address(linePort), address(picklePort), address(udpPort), "http://"+address(webPort)
	if err := g.startCarbon(); err != nil {
		return err
	}
	if !g.options.NoWeb {
		if err := g.startWeb(ctx); err != nil {
			return err
		}
	}
	return g.awaitCarbon(ctx)
}

// layOut makes the folders and writes the configuration files.
func (g *Graphite) layOut() error {
	if g.Folder == "" {
		folder, err := os.MkdirTemp("", "graphite-")
		if err != nil {
			return err
		}
		g.Folder, g.remove = folder, true
		if err := g.group.RemoveAtEnd(folder); err != nil {
			return err
		}
	}
	for _, name := range []string{"whisper", "log", "conf"} {
		if err := os.MkdirAll(filepath.Join(g.Folder, name), 0o755); err != nil {
			return err
		}
	}
	for name, text := range g.files() {
		if err := os.WriteFile(filepath.Join(g.Folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (g *Graphite) startCarbon() error {
	var err error
	g.carbon, err = g.group.Start(bed.Options{
		Path: "carbon-cache",
		Args: []string{"--nodaemon", "--config", filepath.Join(g.Folder, "conf", "carbon.conf"),
			"--pidfile", filepath.Join(g.Folder, "carbon.pid"), "start"},
		Log: filepath.Join(g.Folder, "log", "carbon.out"),
	})
	return err
}

func (g *Graphite) awaitCarbon(ctx context.Context) error {
	for _, address := range []string{g.Line, g.Pickle} {
		if err := g.carbon.WaitFor(ctx, "carbon-cache to listen on "+address, bed.Dials("tcp", address)); err != nil {
			return err
		}
	}
	return nil
}

// startWeb makes graphite-web's database and starts it in Django's own server: enough for one machine, and it comes with
// what Debian installs.
func (g *Graphite) startWeb(ctx context.Context) error {
	env := append(os.Environ(), "PYTHONPATH="+filepath.Join(g.Folder, "conf"), "GRAPHITE_SETTINGS_MODULE=graphitebed_settings",
		"DJANGO_SETTINGS_MODULE=graphite.settings", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", "PYTHONWARNINGS=ignore")
	out := filepath.Join(g.Folder, "log", "web.out")
	if _, err := os.Stat(filepath.Join(g.Folder, "graphite.db")); err != nil {
		migrate, err := g.group.Start(bed.Options{Name: "graphite-manage migrate", Path: "graphite-manage",
			Args: []string{"migrate", "--run-syncdb", "--verbosity", "0"}, Env: env, Log: out})
		if err != nil {
			return err
		}
		select {
		case <-migrate.Exited():
		case <-ctx.Done():
			return fmt.Errorf("graphite-manage migrate: %w", context.Cause(ctx))
		}
		if err := migrate.Err(); err != nil {
			return fmt.Errorf("graphite-manage migrate: %w; its output ends:\n%s", err, migrate.Tail(2000))
		}
	}
	var err error
	g.web, err = g.group.Start(bed.Options{Name: "graphite-web", Path: "graphite-manage",
		Args: []string{"runserver", "--noreload", "--insecure", g.URL[len("http://"):]}, Env: env, Log: out})
	if err != nil {
		return err
	}
	return g.web.WaitFor(ctx, "graphite-web to answer", func() (bool, error) {
		_, err := g.Find(ctx, "*")
		return err == nil, nil
	})
}

// Carbon is the process of carbon-cache, to pause or to signal.
func (g *Graphite) Carbon() *bed.Process { return g.carbon }

// Kill ends carbon as a power cut would. What it had not written, up to a second of points, is lost.
func (g *Graphite) Kill() error { return g.carbon.Kill() }

// Restart ends carbon in order, where it runs, and starts it again on the same ports and folder. Carbon 1.1.7 does not write
// what it took in its last second: what is to survive must be on disk before, and is once Render shows it.
func (g *Graphite) Restart(ctx context.Context) error {
	if err := g.endCarbon(); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(g.Folder, "carbon.pid")) // a killed one leaves it behind
	if err := g.startCarbon(); err != nil {
		return err
	}
	return g.awaitCarbon(ctx)
}

// endCarbon ends carbon in order. Twisted now and then does not see a signal before it wakes up for something else, which
// may be a minute later; another signal wakes it.
func (g *Graphite) endCarbon() error {
	for range 10 {
		if !g.carbon.Running() {
			break
		}
		if err := g.carbon.Signal(syscall.SIGTERM); err != nil && g.carbon.Running() {
			return err
		}
		select {
		case <-g.carbon.Exited():
		case <-time.After(2 * time.Second):
		}
	}
	return g.carbon.Stop(20 * time.Second)
}

// Stop ends both programs, and removes the folder where it is a temporary one.
func (g *Graphite) Stop() error {
	var errs []error
	for _, p := range []*bed.Process{g.web, g.carbon} {
		if p != nil {
			errs = append(errs, p.Stop(5*time.Second))
		}
	}
	if g.options.Group == nil && g.group != nil {
		errs = append(errs, g.group.Close())
	}
	if g.remove {
		errs = append(errs, os.RemoveAll(g.Folder))
	}
	return errors.Join(errs...)
}
