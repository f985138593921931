package main_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file counts jobs another way than the agent does: from the long form of `scontrol show job`, with regular
// expressions, every array's tasks one by one, with tables of its own. It is slow and short.

// stateNames are the states that the test bed's jobs can be in, as the metrics name them.
var stateNames = map[string]string{
	"RUNNING": "running", "PENDING": "pending", "SUSPENDED": "suspended", "COMPLETING": "completing",
	"CONFIGURING": "configuring", "STOPPED": "stopped", "SPECIAL_EXIT": "requeued",
	"COMPLETED": "recent.completed", "FAILED": "recent.failed", "CANCELLED": "recent.cancelled", "TIMEOUT": "recent.timeout",
	"NODE_FAIL": "recent.node_fail", "PREEMPTED": "recent.preempted", "DEADLINE": "recent.deadline",
}

// reasonNames are the reasons for which its jobs wait, their names and classes.
var reasonNames = map[string][2]string{
	"None":                            {"none", "other"},
	"Resources":                       {"resources", "resources"},
	"Priority":                        {"priority", "priority"},
	"Dependency":                      {"dependency", "dependency"},
	"DependencyNeverSatisfied":        {"dependency_never_satisfied", "dependency"},
	"JobHeldUser":                     {"job_held_user", "held"},
	"JobHeldAdmin":                    {"job_held_admin", "held"},
	"job_requeued_in_held_state":      {"job_requeued_in_held_state", "held"},
	"BeginTime":                       {"begin_time", "other"},
	"Licenses":                        {"licenses", "resources"},
	"AssocGrpCpuLimit":                {"assoc_grp_cpu_limit", "limit"},
	"AssocMaxJobsLimit":               {"assoc_max_jobs_limit", "limit"},
	"QOSMaxJobsPerUserLimit":          {"qos_max_jobs_per_user_limit", "limit"},
	"QOSMaxCpuPerUserLimit":           {"qos_max_cpu_per_user_limit", "limit"},
	"PartitionDown":                   {"partition_down", "node_unavail"},
	"PartitionInactive":               {"partition_inactive", "node_unavail"},
	"PartitionTimeLimit":              {"partition_time_limit", "limit"},
	"PartitionNodeLimit":              {"partition_node_limit", "limit"},
	"JobArrayTaskLimit":               {"job_array_task_limit", "array_limit"},
	"Reservation":                     {"reservation", "other"},
	"ReqNodeNotAvail":                 {"req_node_not_avail", "node_unavail"},
	"Nodes_required_for_job_are_DOWN": {"nodes_down_or_reserved", "node_unavail"},
}

// holding are the states whose jobs have their nodes.
var holding = map[string]bool{"running": true, "completing": true, "configuring": true, "stopped": true}

var (
	jobBegin     = regexp.MustCompile(`(?m)^JobId=\d+ `)
	jobTasks     = regexp.MustCompile(`^JobId=\d+ ArrayJobId=\d+ ArrayTaskId=(\S+) `)
	jobUser      = regexp.MustCompile(`\n   UserId=([^(]+)\(`)
	jobAccount   = regexp.MustCompile(`\n   Priority=\d+ Nice=-?\d+ Account=(\S+) QOS=(\S+)`)
	jobState     = regexp.MustCompile(`\n   JobState=(\S+) Reason=(\S+) Dependency=`)
	jobPartition = regexp.MustCompile(`\n   Partition=(\S+) AllocNode:`)
	jobSize      = regexp.MustCompile(`\n   NumNodes=(\d+)\S* NumCPUs=(\d+) `)
	jobTRES      = regexp.MustCompile(`\n   TRES=(\S*)`)
)

// countJobs adds up the jobs that slurmctld knows.
func countJobs(t testing.TB, text string, counts snapshot) {
	t.Helper()
	starts := jobBegin.FindAllStringIndex(text, -1)
	for i, s := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		countJob(t, text[s[0]:end], counts)
	}
}

func countJob(t testing.TB, job string, counts snapshot) {
	t.Helper()
	first := func(e *regexp.Regexp) []string {
		m := e.FindStringSubmatch(job)
		require.NotNil(t, m, "%s of %s", e, job)
		return m[1:]
	}
	words := first(jobState)
	state, known := stateNames[words[0]]
	require.True(t, known, "state of %s", job)
	tasks := 1
	if m := jobTasks.FindStringSubmatch(job); m != nil { // one task, or those that never started
		tasks = countTasks(t, m[1])
	}
	account := first(jobAccount)
	prefixes := []string{"", "user." + first(jobUser)[0] + ".", "account." + account[0] + ".", "qos." + account[1] + "."}
	for _, p := range strings.Split(first(jobPartition)[0], ",") {
		prefixes = append(prefixes, "partition."+p+".")
	}
	size := first(jobSize)
	amounts := trackedAmounts(t, first(jobTRES)[0])
	amounts["nodes"], amounts["cpus"] = number(t, size[0]), number(t, size[1])
	for _, prefix := range prefixes {
		count := func(path string, n float64) { counts[prefix+"jobs."+path] += n * float64(tasks) }
		count(state, 1)
		if strings.HasPrefix(state, "recent.") {
			continue
		}
		count("total", 1)
		for resource, amount := range amounts {
			switch {
			case state == "pending":
				count(resource+".pending", amount)
			case holding[state]:
				count(resource+".running", amount)
			}
		}
		if state == "pending" {
			reason, _, _ := strings.Cut(words[1], ",")
			names, known := reasonNames[reason]
			require.True(t, known, "reason of %s", job)
			count("pending.reason."+names[0]+".jobs", 1)
			count("pending.reason."+names[0]+".cpus", amounts["cpus"])
			count("pending.reason."+names[0]+".gpus", amounts["gpus"])
			count("pending.class."+names[1], 1)
		}
	}
}

// countTasks counts the tasks of "2-19%2" or "1,5,9-30:3", one by one.
func countTasks(t testing.TB, list string) int {
	t.Helper()
	list, _, _ = strings.Cut(list, "%")
	tasks := map[int]bool{}
	for _, span := range strings.Split(list, ",") {
		span, step, stepped := strings.Cut(span, ":")
		from, to, ranged := strings.Cut(span, "-")
		if !ranged {
			to = from
		}
		if !stepped {
			step = "1"
		}
		for i := int(number(t, from)); i <= int(number(t, to)); i += int(number(t, step)) {
			tasks[i] = true
		}
	}
	return len(tasks)
}

// trackedAmounts reads the memory and the GPUs of "cpu=2,mem=62.50G,node=1,gres/gpu=1,gres/gpu:v100=1".
func trackedAmounts(t testing.TB, tres string) map[string]float64 {
	t.Helper()
	amounts := map[string]float64{"mem_bytes": 0, "gpus": 0}
	for _, one := range strings.Split(tres, ",") {
		switch name, value, _ := strings.Cut(one, "="); name {
		case "gres/gpu":
			amounts["gpus"] = number(t, value)
		case "mem":
			exponent := strings.IndexByte("KMGT", value[len(value)-1]) + 1
			require.Positive(t, exponent, "unit of %s", one)
			amounts["mem_bytes"] = number(t, value[:len(value)-1])
			for range exponent {
				amounts["mem_bytes"] *= 1024
			}
		}
	}
	return amounts
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return f
}

func TestCountTasks(t *testing.T) {
	for list, want := range map[string]int{"7": 1, "2-19%2": 18, "1,5,9-30:3": 10, "0-999": 1000, "3,3": 1} {
		assert.Equal(t, want, countTasks(t, list), list)
	}
}
