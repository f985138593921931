package slurm

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReasons(t *testing.T) {
	tests := []struct {
		in, name string
		class    reasonClass
	}{
		{"Resources", "resources", classResources},
		{"(Resources)", "resources", classResources},
		{"(Priority)", "priority", classPriority},
		{"Resources,BeginTime", "resources", classResources},
		{"BeginTime,Resources", "begin_time", classOther},
		{"ReqNodeNotAvail, UnavailableNodes:n1", "req_node_not_avail", classNodeUnavail},
		{"ReqNodeNotAvail, UnavailableNodes:n[1-5],x", "req_node_not_avail", classNodeUnavail},
		{"ReqNodeNotAvail,_UnavailableNodes:c6", "req_node_not_avail", classNodeUnavail},
		{"ReqNodeNotAvail, May be reserved for other job", "req_node_not_avail", classNodeUnavail},
		{"Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions", "nodes_down_or_reserved", classNodeUnavail},
		{"(Nodes required for job are DOWN, DRAINED, REBOOTING or reserved)", "nodes_down_or_reserved", classNodeUnavail},
		{"Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved", "nodes_down_or_reserved", classNodeUnavail},
		{"RaisedSignal:9(Killed)", "raised_signal", classOther},
		{"JobHeldUser", "job_held_user", classHeld},
		{"job requeued in held state", "job_requeued_in_held_state", classHeld},
		{"job_requeued_in_held_state", "job_requeued_in_held_state", classHeld},
		{"DependencyNeverSatisfied", "dependency_never_satisfied", classDependency},
		{"JobArrayTaskLimit", "job_array_task_limit", classArrayLimit},
		{"QOSMaxJobsPerUserLimit", "qos_max_jobs_per_user_limit", classLimit},
		{"AssocGrpNewResourceOf2031", "assoc_grp_new_resource_of2031", classLimit},
		{"PartitionDown", "partition_down", classNodeUnavail},
		{"None", "none", classOther},
		{"", "none", classOther},
	}
	tok := quiet()
	table := newReasonTable(tok)
	for range 2 {
		for _, test := range tests {
			got := table.find([]byte(test.in))
			assert.Equal(t, test.name, got.name, test.in)
			assert.Equal(t, classNames[test.class], classNames[got.class], test.in)
			assert.False(t, got.strange, test.in)
		}
	}
	assert.Zero(t, tok.count())
}

// TestReasonsOfSlurm finds each name that any version of Slurm has.
func TestReasonsOfSlurm(t *testing.T) {
	file, err := os.Open(filepath.Join("testdata", "reasons.txt"))
	require.NoError(t, err)
	defer file.Close()
	tok := quiet()
	table := newReasonTable(tok)
	n := 0
	for s := bufio.NewScanner(file); s.Scan(); n++ {
		r := table.find(s.Bytes())
		assert.False(t, r.strange, s.Text())
		assert.NotEqual(t, "other", r.name, s.Text())
		limit := strings.HasPrefix(s.Text(), "QOS") || strings.HasPrefix(s.Text(), "Assoc") || strings.HasPrefix(s.Text(), "Max")
		if limit {
			assert.Equal(t, classLimit, r.class, s.Text())
		}
	}
	assert.Greater(t, n, 200)
	assert.Zero(t, tok.count())
}

// TestReasonsUnknown names what nobody knows, up to a number, and makes room again when it is gone.
func TestReasonsUnknown(t *testing.T) {
	tok := quiet()
	table := newReasonTable(tok)
	call := func(reasons ...string) (names []string) {
		table.begin()
		for _, s := range reasons {
			r := table.find([]byte(s))
			r.seen = true
			names = append(names, r.name)
		}
		table.end()
		return names
	}
	assert.Equal(t, []string{"brand_new_reason", "brand_new_reason", "other"}, call("BrandNewReason", "Brand new reason: x", "%%%"))
	assert.Equal(t, uint64(3), tok.count())

	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("garbage%c%c number", 'a'+i%26, 'a'+i/26))
	}
	names := map[string]bool{}
	for _, name := range call(many...) {
		names[name] = true
	}
	assert.Len(t, names, maxStrange, "with the one known before, and other: %v", names)
	assert.Equal(t, []string{"other"}, call("LateComer"))
	assert.Equal(t, uint64(1004), tok.count())
	for range lingerTicks + 1 {
		call("Priority")
	}
	assert.Equal(t, []string{"late_comer"}, call("LateComer"), "the garbage has gone")
	assert.Equal(t, "resources", call("Resources")[0])

	long := table.find([]byte(strings.Repeat("word ", 100_000)))
	assert.LessOrEqual(t, len(long.name), maxReason)
}

func FuzzReasons(f *testing.F) {
	for _, version := range versions {
		for _, row := range fields(f, version, "squeue.out") {
			f.Add(row[fieldReason])
		}
	}
	f.Add("Nodes required for job are DOWN, DRAINED")
	f.Fuzz(func(t *testing.T, s string) {
		table := newReasonTable(quiet())
		table.begin()
		r := table.find([]byte(s))
		assert.NotEmpty(t, r.name)
		assert.LessOrEqual(t, len(r.name), maxReason)
		assert.Less(t, int(r.class), classCount)
		assert.Same(t, r, table.find([]byte(s)))
		assert.Same(t, r, table.named[r.name], "its name is a name of its own")
	})
}
