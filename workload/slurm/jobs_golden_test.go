package slurm

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func allJobs() *Config { return &Config{Metrics: metricsAll, JobsNum: true, Top: 50} }

// TestJobsAsScontrol compares the fold with what `scontrol show job` said of the same jobs at the same moment.
func TestJobsAsScontrol(t *testing.T) {
	got := feed(t, newJobs(allJobs(), quiet()), capture(t, "22.05", "queue_squeue.out"))
	var all []oracleJob
	for _, l := range capture(t, "22.05", "queue_scontrol_jobs.out") {
		if strings.HasPrefix(string(l), "JobId=") { // a comment has a newline
			all = append(all, scontrolJob(t, string(l)))
		}
	}
	require.Len(t, all, len(capture(t, "22.05", "queue_squeue.out")))
	sameCounts(t, oracle(t, all), nonZero(got))
}

func scontrolJob(t *testing.T, line string) oracleJob {
	key := func(name string) string {
		m := regexp.MustCompile(` ` + name + `=(\S*)`).FindStringSubmatch(line)
		if m == nil {
			return ""
		}
		return m[1]
	}
	j := oracleJob{partitions: key("Partition"), account: key("Account"), qos: key("QOS"), state: key("JobState"), tasks: 1}
	j.user, _, _ = strings.Cut(key("UserId"), "(")
	nodes, _, _ := strings.Cut(key("NumNodes"), "-")
	j.nodes, j.cpus = number(t, nodes), number(t, key("NumCPUs"))
	if strings.HasPrefix(line, "JobId=55 ") {
		j.nodes = 16 // of 10 named ones with 1,024 tasks: squeue counts the nodes that so many tasks fill
	}
	if tasks := key("ArrayTaskId"); tasks != "" {
		j.tasks = float64(expand(tasks))
	}
	for _, entry := range strings.Split(key("TRES"), ",") {
		name, value, _ := strings.Cut(entry, "=")
		switch name {
		case "mem":
			unit := map[byte]float64{'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}[value[len(value)-1]]
			require.NotZero(t, unit, value)
			j.memory = number(t, value[:len(value)-1]) * unit
		case "gres/gpu":
			j.gpus = number(t, value)
		}
	}
	j.reason = map[string]string{"ReqNodeNotAvail,_UnavailableNodes:c6": "req_node_not_avail", "JobHeldUser": "job_held_user",
		"JobHeldAdmin": "job_held_admin", "Priority": "priority", "Resources": "resources", "Dependency": "dependency",
		"DependencyNeverSatisfied": "dependency_never_satisfied", "BeginTime": "begin_time", "Licenses": "licenses",
		"PartitionDown": "partition_down", "PartitionTimeLimit": "partition_time_limit", "Reservation": "reservation",
		"AssocMaxJobsLimit": "assoc_max_jobs_limit", "job_requeued_in_held_state": "job_requeued_in_held_state"}[key("Reason")]
	if j.state == "PENDING" {
		require.NotEmpty(t, j.reason, line)
	}
	return j
}

// TestJobsNum compares {partition}.jobs_num with the lines that squeue shows.
func TestJobsNum(t *testing.T) {
	captures := []struct{ version, jobs, shown string }{{"22.05", "queue_squeue.out", "queue_shown.out"}}
	for _, version := range versions {
		captures = append(captures, struct{ version, jobs, shown string }{version, "squeue.out", "squeue_partitions.out"})
	}
	for _, c := range captures {
		want := map[string]float64{}
		for _, l := range capture(t, c.version, c.shown) {
			for _, p := range strings.Split(string(l), ",") {
				want[p+".jobs_num"]++
			}
		}
		got := feed(t, newJobs(&Config{Metrics: metricsJobsNum}, quiet()), capture(t, c.version, c.jobs))
		assert.Equal(t, want, got, "%s %s", c.version, c.jobs)

		both := feed(t, newJobs(allJobs(), quiet()), capture(t, c.version, c.jobs))
		for path, v := range want {
			assert.Equal(t, v, both[path], path)
		}
	}
}

// TestJobsCapturedStates compares states and reasons with those of another call, for each version.
func TestJobsCapturedStates(t *testing.T) {
	for _, version := range versions {
		want := map[string]float64{}
		rest := regexp.MustCompile(`_\[(.*)\]$`)
		for _, l := range capture(t, version, "squeue_states.out") {
			f := strings.SplitN(string(l), "|", 4)
			tasks := 1.0
			if m := rest.FindStringSubmatch(f[0]); m != nil {
				tasks = float64(expand(m[1]))
			}
			state := oracleStates[f[1]]
			require.NotEmpty(t, state, f[1])
			want["jobs."+state] += tasks
			for _, p := range strings.Split(f[2], ",") {
				want["partition."+p+".jobs."+state] += tasks
			}
		}
		tok := quiet()
		got := feed(t, newJobs(allJobs(), tok), capture(t, version, "squeue.out"))
		for path, v := range want {
			assert.Equal(t, v, got[path], "%s %s", version, path)
		}
		some := 0
		for path, v := range got {
			if v != 0 && regexp.MustCompile(`^(partition\.[^.]+\.)?jobs\.(recent\.)?[a-z_]+$`).MatchString(path) && !strings.HasSuffix(path, ".total") {
				some++
				assert.Equal(t, want[path], v, "%s %s", version, path)
			}
		}
		assert.Len(t, want, some)
		assert.Zero(t, tok.count(), version)
	}
}
