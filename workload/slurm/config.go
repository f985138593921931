package slurm

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/clusterload/clusterload/internal/setting"
)

// Config is the table [aggregator.slurm].
type Config struct {
	// Commands is the folder that squeue, scontrol, sinfo and sdiag are in; empty: where PATH finds them.
	Commands string `toml:"commands"`

	// SlurmConf is the slurm.conf that the commands use; empty: their own default, or SLURM_CONF of the agent.
	SlurmConf string `toml:"slurm_conf"`

	// CommandDeadline is the longest that one command may take before it is killed; 0: what the tick leaves.
	CommandDeadline setting.Duration `toml:"command_deadline"`

	// Metrics is "all", or "jobs_num" for nothing but {partition}.jobs_num and what is said of the command.
	Metrics string `toml:"metrics"`

	// JobsNum adds {partition}.jobs_num to all the others.
	JobsNum bool `toml:"jobs_num"`

	// Top is how many users and how many accounts have series of their own, those that use the most CPUs; the others
	// are summed in "_other".
	Top int `toml:"top"`

	// Nodes adds series of each node.
	Nodes bool `toml:"nodes"`
}

// The values of Config.Metrics.
const (
	metricsAll     = "all"
	metricsJobsNum = "jobs_num"
)

func defaults() Config { return Config{Metrics: metricsAll, Top: 50} }

const maxTop = 10_000

// check says what would be right where a setting is not. It looks at no file: docs are made where there is no Slurm.
func (c *Config) check() error {
	if c.Metrics != metricsAll && c.Metrics != metricsJobsNum {
		return fmt.Errorf("metrics = %q: want %q or %q", c.Metrics, metricsAll, metricsJobsNum)
	}
	if c.Top < 0 || c.Top > maxTop {
		return fmt.Errorf("top = %d: want 0 to %d", c.Top, maxTop)
	}
	if d := time.Duration(c.CommandDeadline); d != 0 && d < 100*time.Millisecond {
		return fmt.Errorf("command_deadline = %q: want at least 100ms", d)
	}
	if c.SlurmConf != "" && !filepath.IsAbs(c.SlurmConf) {
		return fmt.Errorf("slurm_conf = %q: want an absolute path", c.SlurmConf)
	}
	if c.Commands != "" && !filepath.IsAbs(c.Commands) {
		return fmt.Errorf("commands = %q: want the absolute path of a folder", c.Commands)
	}
	return nil
}
