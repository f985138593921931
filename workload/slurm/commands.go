package slurm

import (
	"path/filepath"

	"github.com/clusterload/clusterload/internal/command"
)

// A call is a Slurm command that is run each tick.
type call struct {
	name    string // the label of agent.command.{command}
	program string
	args    []string
	rpcs    []string // what it asks of slurmctld
	onlyAll bool     // left out where jobs_num is all that is wanted
	reader  func(*Config, *tokens) reader
}

// calls are all the commands that are ever run: one of each, each tick, side by side. `scontrol show nodes -o` says
// of the nodes what `sinfo -N` does, for a fraction of the CPU; sinfo itself is asked for what scontrol's lines of nodes
// do not have, the partitions' availability.
var calls = []call{
	{name: "queue", program: "squeue", args: queueArgs, rpcs: []string{"REQUEST_JOB_INFO", "REQUEST_PARTITION_INFO"}, reader: newJobs},
	{name: "nodes", program: "scontrol", args: nodesArgs, rpcs: []string{"REQUEST_NODE_INFO", "REQUEST_PARTITION_INFO"}, onlyAll: true, reader: newNodes},
	{name: "partitions", program: "sinfo", args: partitionsArgs, rpcs: []string{"REQUEST_NODE_INFO", "REQUEST_PARTITION_INFO"}, onlyAll: true, reader: newPartitions},
	{name: "scheduler", program: "sdiag", rpcs: []string{"REQUEST_STATS_INFO"}, onlyAll: true, reader: newScheduler},
}

// environment is what every call adds to the few variables that it has of the agent's: times as Unix seconds, and lists
// of array tasks in full.
var environment = []string{"SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0"}

// wanted returns the calls that a configuration asks for.
func (c *Config) wanted() []call {
	var wanted []call
	for _, k := range calls {
		if c.Metrics == metricsAll || !k.onlyAll {
			wanted = append(wanted, k)
		}
	}
	return wanted
}

// command returns how a call is run.
func (c *Config) command(k call) command.Command {
	env := environment
	if c.SlurmConf != "" {
		env = append(env[:len(env):len(env)], "SLURM_CONF="+c.SlurmConf)
	}
	path := k.program
	if c.Commands != "" {
		path = filepath.Join(c.Commands, k.program)
	}
	return command.Command{Path: path, Args: k.args, Env: command.Environment(env...)}
}
