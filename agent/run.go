package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/internal/daemon"
	"github.com/clusterload/clusterload/internal/terminal"
)

// stopPatience is how long the databases may finish what they send when the agent is told to end.
const stopPatience = 5 * time.Second

// garbagePercent is how much garbage may gather, as a share of what is in use, before it is collected. The agent makes
// little, and shall be small where a cluster has very many users and partitions.
const garbagePercent = 50

// run runs the agent until it is told to end.
func (p *program) run() error {
	detached := daemon.Detached()
	if detached {
		if err := daemon.Settle(); err != nil {
			return failed(err)
		}
	}
	err := p.runAgent(detached)
	if err != nil {
		daemon.Fail(err)
	}
	return err
}

func (p *program) runAgent(detached bool) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	c, err := p.load()
	if err != nil {
		return err
	}
	if p.pidFile != "" {
		pid, err := daemon.Lock(p.pidFile)
		if err != nil {
			return failed(err)
		}
		defer pid.Close()
	}
	log := logger(c)
	for _, w := range c.Warnings {
		log.Warn(w, "file", c.Path)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	a := New(p.aggregators, p.databases, log)
	if err := a.Start(c); err != nil {
		return failed(err)
	}
	_ = daemon.Notify("READY=1", "STATUS=cluster "+c.Cluster)
	stopDog := a.feedWatchdog(daemon.WatchdogInterval())
	defer stopDog()
	p.obey(a, signals, detached, log)
	return nil
}

// obey does what signals ask for until one of them ends the agent.
func (p *program) obey(a *Agent, signals <-chan os.Signal, detached bool, log *slog.Logger) {
	for s := range signals {
		switch s {
		case syscall.SIGHUP:
			p.reload(a, log)
		case syscall.SIGUSR1:
			if !detached {
				continue
			}
			if err := daemon.Reopen(logPath(a.configuration())); err != nil {
				log.Error("log not reopened", "error", err)
			} else {
				log.Info("log reopened")
			}
		default:
			log.Info("stopping", "signal", s.String())
			_ = daemon.Notify("STOPPING=1")
			ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
			go func() { // a second one ends at once
				for s := range signals {
					if s == syscall.SIGTERM || s == syscall.SIGINT {
						cancel()
					}
				}
			}()
			a.Stop(ctx)
			cancel()
			log.Info("stopped")
			return
		}
	}
}

// reload reads the configuration again. A broken one changes nothing.
func (p *program) reload(a *Agent, log *slog.Logger) {
	_ = daemon.Notify("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic()))
	c, err := p.load()
	if err == nil {
		err = a.Reload(c)
	}
	if err != nil {
		log.Error("not reloaded: the agent runs on as it was", "error", err)
	}
	_ = daemon.Notify("READY=1")
}

// logPath is the log file of a detached agent.
func logPath(c *config.Config) string {
	if c.Log != "" {
		return c.Log
	}
	return filepath.Join(c.Folder, "clusterload.log")
}

// start runs the agent in the background.
func (p *program) start() error {
	c, err := p.load()
	if err != nil {
		return err
	}
	if _, err := (factories{p.aggregators, p.databases, quiet()}).plan(c, nil, nil); err != nil {
		return err
	}
	path := p.pid()
	if pid, err := daemon.Running(path); err != nil {
		return failed(err)
	} else if pid != 0 {
		return failed(&daemon.RunningError{Path: path, Pid: pid})
	}
	args, err := p.arguments(path)
	if err != nil {
		return failed(err)
	}
	if err := os.MkdirAll(c.Folder, 0o700); err != nil {
		return failed(fmt.Errorf("folder: %w", err))
	}
	pid, err := daemon.Detach(args, logPath(c), time.Minute)
	if err != nil {
		return failed(err)
	}
	_, err = fmt.Fprintln(p.out, pid)
	return err
}

// arguments are those of the detached agent, which works in another folder: paths are made absolute.
func (p *program) arguments(pidFile string) ([]string, error) {
	pidFile, err := filepath.Abs(pidFile)
	if err != nil {
		return nil, err
	}
	args := []string{"run", "--pid-file", pidFile}
	if p.path != "" {
		path, err := filepath.Abs(p.path)
		if err != nil {
			return nil, err
		}
		args = append(args, "--config", path)
	}
	if p.debug {
		args = append(args, "--debug")
	}
	return args, nil
}

func (p *program) pid() string {
	if p.pidFile != "" {
		return p.pidFile
	}
	return daemon.DefaultPidFile()
}

// terminatePatience is how long the agent may take to end before it is killed. Its own patience is shorter.
const terminatePatience = 20 * time.Second

func (p *program) stop() error {
	progress := terminal.NewProgress(os.Stderr, "stopping")
	pid, err := daemon.Terminate(p.pid(), terminatePatience)
	progress.Close()
	if err != nil {
		return failed(err)
	}
	if pid == 0 {
		fmt.Fprintln(os.Stderr, "clusterload: not running")
	}
	return nil
}

// restart stops the agent only once its successor's configuration is known to be good.
func (p *program) restart() error {
	if p.path == "" && !p.debug {
		if err := p.recall(); err != nil {
			return failed(err)
		}
	}
	c, err := p.load()
	if err != nil {
		return err
	}
	if _, err := (factories{p.aggregators, p.databases, quiet()}).plan(c, nil, nil); err != nil {
		return err
	}
	if _, err := daemon.Terminate(p.pid(), terminatePatience); err != nil {
		fmt.Fprintln(os.Stderr, "clusterload:", err)
	}
	return p.start()
}

// recall takes --config and --debug over from the running agent, where one runs.
func (p *program) recall() error {
	pid, err := daemon.Running(p.pid())
	if pid == 0 || err != nil {
		return err
	}
	args, err := daemon.Arguments(pid)
	if err != nil {
		return err
	}
	for i, arg := range args {
		if arg == "--config" && i+1 < len(args) {
			p.path = args[i+1]
		}
		p.debug = p.debug || arg == "--debug"
	}
	return nil
}
