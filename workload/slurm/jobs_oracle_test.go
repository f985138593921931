package slurm

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An oracleJob is what another command, or the test that made it up, says of a job.
type oracleJob struct {
	partitions, user, account, qos, state, reason string
	tasks, nodes, cpus, memory, gpus              float64
}

// oracleStates say what each of Slurm's words counts as.
var oracleStates = map[string]string{"PENDING": "pending", "RUNNING": "running", "SUSPENDED": "suspended", "COMPLETING": "completing",
	"CONFIGURING": "configuring", "STOPPED": "stopped", "SPECIAL_EXIT": "requeued", "REQUEUE_HOLD": "requeued", "REVOKED": "other",
	"COMPLETED": "recent.completed", "FAILED": "recent.failed", "TIMEOUT": "recent.timeout", "CANCELLED": "recent.cancelled",
	"OUT_OF_MEMORY": "recent.oom", "NODE_FAIL": "recent.node_fail", "PREEMPTED": "recent.preempted", "DEADLINE": "recent.deadline",
	"BOOT_FAIL": "recent.boot_fail"}

// oracle counts jobs the slow way: one by one, into whatever paths they belong. Only what is not 0 is there.
func oracle(t testing.TB, all []oracleJob) map[string]float64 {
	t.Helper()
	want := map[string]float64{}
	for _, j := range all {
		state := oracleStates[j.state]
		require.NotEmpty(t, state, j.state)
		prefixes := []string{"", "account." + j.account + ".", "user." + j.user + ".", "qos." + j.qos + "."}
		for _, p := range strings.Split(j.partitions, ",") {
			prefixes = append(prefixes, "partition."+p+".")
		}
		for _, p := range prefixes {
			want[p+"jobs."+state] += j.tasks
			if strings.HasPrefix(state, "recent.") {
				continue
			}
			want[p+"jobs.total"] += j.tasks
			held := ""
			switch state {
			case "running", "configuring", "completing", "stopped":
				held = ".running"
			case "pending":
				held = ".pending"
				reason := p + "jobs.pending.reason." + j.reason
				want[reason+".jobs"] += j.tasks
				want[reason+".cpus"] += j.tasks * j.cpus
				want[reason+".gpus"] += j.tasks * j.gpus
			default:
				continue
			}
			want[p+"jobs.nodes"+held] += j.tasks * j.nodes
			want[p+"jobs.cpus"+held] += j.tasks * j.cpus
			want[p+"jobs.mem_bytes"+held] += j.tasks * j.memory
			want[p+"jobs.gpus"+held] += j.tasks * j.gpus
		}
	}
	for path, v := range want {
		if v == 0 {
			delete(want, path)
		}
	}
	return want
}

// nonZero returns what of a fold the oracle speaks of: all but the classes and the lines, and nothing that is 0.
func nonZero(got map[string]float64) map[string]float64 {
	some := map[string]float64{}
	for path, v := range got {
		if v != 0 && !strings.Contains(path, ".class.") && !strings.HasSuffix(path, ".jobs_num") {
			some[path] = v
		}
	}
	return some
}

// sameCounts tells of each path whose value is another one.
func sameCounts(t testing.TB, want, got map[string]float64, when ...any) {
	t.Helper()
	for path, v := range want {
		assert.Equal(t, v, got[path], append([]any{path}, when...)...)
	}
	for path, v := range got {
		if _, known := want[path]; !known {
			assert.Fail(t, "not counted by the oracle", append([]any{path, v}, when...)...)
		}
	}
}
