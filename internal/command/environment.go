package command

import (
	"os"
	"strings"
)

// defaultPath is the PATH of a program whose agent has none.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// passed are the variables that a program gets from the agent's own environment. All others stay behind: a site's
// SQUEUE_FORMAT, SINFO_ALL, SLURM_CLUSTERS or SLURM_TIME_FORMAT changes what the commands print.
var passed = []string{"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LD_LIBRARY_PATH",
	"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT", "SLURM_SACK_SOCKET"}

// Environment returns a program's environment: the few variables of the agent's own that a command needs, LC_ALL=C, and
// what is added, "NAME=value" each, which wins.
func Environment(added ...string) []string {
	var env []string
	set := func(name, value string) {
		for i, v := range env {
			if strings.HasPrefix(v, name+"=") {
				env[i] = name + "=" + value
				return
			}
		}
		env = append(env, name+"="+value)
	}
	set("PATH", defaultPath)
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok && value != "" {
			set(name, value)
		}
	}
	set("LC_ALL", "C")
	for _, v := range added {
		name, value, _ := strings.Cut(v, "=")
		set(name, value)
	}
	return env
}
