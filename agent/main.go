package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/internal/daemon"
)

// Exit codes of the program.
const (
	exitOK     = 0
	exitFailed = 1 // what was asked for did not work
	exitUsage  = 2 // the command line or the configuration is wrong
)

// DefaultConfig is the file that is read where --config is not given.
const DefaultConfig = "/etc/clusterload/clusterload.toml"

// version is set when the program is linked.
var version = ""

// Main is the program: it parses the command line, runs what it asks for, and returns the exit code.
func Main(a *aggregator.Registry, d *database.Registry) int {
	p := &program{aggregators: a, databases: d, out: os.Stdout}
	cmd := p.command()
	err := cmd.Execute()
	if err == nil {
		return exitOK
	}
	if s := (*said)(nil); errors.As(err, &s) {
		return s.code
	}
	fmt.Fprintf(os.Stderr, "clusterload: %v\n", err)
	if f := (*failure)(nil); errors.As(err, &f) {
		return exitFailed
	}
	return exitUsage
}

// A failure is an error of what was asked for, not of how it was asked.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

func failed(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

// program is the command line.
type program struct {
	aggregators *aggregator.Registry
	databases   *database.Registry
	out         io.Writer

	path    string // of the configuration
	debug   bool
	pidFile string
}

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "clusterload",
		Short:         "Push the load of a Slurm cluster to Graphite and other databases",
		Long:          "clusterload asks its aggregators every few seconds what the load of a cluster is, and pushes the metrics,\nprefixed with the cluster's name, to every database of its configuration. Without a command it runs.",
		Example:       "  clusterload check --config clusterload.toml\n  clusterload --config clusterload.toml --debug",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(*cobra.Command, []string) error { return p.run() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&p.path, "config", "", "configuration `file`: TOML, or the Python agent's JSON (default "+DefaultConfig+")")
	flags.BoolVar(&p.debug, "debug", false, "push as the cluster \""+config.DebugCluster+"\" and log more")
	flags.StringVar(&p.pidFile, "pid-file", "", "locked `file` that holds the process id (default of start, stop and restart: "+daemon.DefaultPidFile()+")")
	add := func(use, short, example string, run func() error) {
		root.AddCommand(&cobra.Command{Use: use, Short: short, Example: example, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return run() }})
	}
	add("run", "Run in the foreground", "  clusterload run --config clusterload.toml", p.run)
	add("start", "Run in the background; print the process id once it is up", "  clusterload start --config clusterload.toml", p.start)
	add("stop", "End the agent in the background, its queues kept", "  clusterload stop", p.stop)
	add("restart", "Stop and start again, with the running agent's arguments where none are given", "  clusterload restart --debug", p.restart)
	add("check", "Check the configuration, run each aggregator once and try each database", "  clusterload check --config clusterload.toml", p.check)
	add("once", "Run each aggregator once and print what it adds as Graphite lines", "  clusterload once --config clusterload.toml --debug", p.once)
	add("metrics", "Print every metric that the aggregators can add, as a Markdown table", "  clusterload metrics > metrics.md", p.metrics)
	root.AddCommand(p.statusCommand(), p.topCommand(), p.queryCommand())
	add("version", "Print the version", "", func() error { _, err := fmt.Fprintln(p.out, "clusterload", Version()); return err })
	return root
}

// Version returns the program's version: the one it was linked with, or the module's, or its commit.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

var errNoConfig = errors.New("no configuration")

// load reads the configuration and applies the command line to it.
func (p *program) load() (*config.Config, error) {
	c, err := p.read()
	if err != nil {
		return nil, err
	}
	if p.debug {
		c.Cluster = config.DebugCluster
		c.LogLevel = "debug"
		c.Folder = filepath.Join(c.Folder, config.DebugCluster) // beside the folder of an agent that pushes for real
	}
	return c, nil
}

// read reads the file of --config, or the one at its usual place, or does without: then it is Slurm, where there is
// one, into the embedded Graphite, under the host's name.
func (p *program) read() (*config.Config, error) {
	if p.path != "" {
		return config.Load(p.path)
	}
	if _, err := os.Stat(DefaultConfig); err == nil {
		return config.Load(DefaultConfig)
	}
	if _, err := exec.LookPath("squeue"); err != nil {
		return nil, fmt.Errorf("%w and no Slurm: want --config FILE, or a file at %s, or squeue in PATH", errNoConfig, DefaultConfig)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	host, _, _ = strings.Cut(host, ".")
	return config.Default(host)
}

// logger writes to standard error at the level that c asks for.
func logger(c *config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // checked by config
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// quiet is for commands whose output says everything.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
