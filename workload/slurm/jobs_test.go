package slurm

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// queue spells lines, given the fields that matter: "tasks|partitions|state|user|account|qos|nodes|cpus|tres|reason".
func queue(rows ...string) [][]byte {
	var all [][]byte
	for i, row := range rows {
		f := strings.Split(row, "|")
		all = append(all, []byte(jobLine(fmt.Sprintf("%d|%s|N/A|%s|%s|11|12|13|1:00|0:0|%s", i+1, f[0], strings.Join(f[1:6], "|"), strings.Join(f[6:9], "|"), f[9]))))
	}
	return all
}

func TestJobsFold(t *testing.T) {
	got := feed(t, newJobs(allJobs(), quiet()), queue(
		"N/A|p1|RUNNING|ann|math|high|2|3|mem=5M,gres/gpu=7|None",
		"N/A|p1|COMPLETING|ann|math|high|11|13|mem=17M,gres/gpu=19|None",
		"N/A|p1|CONFIGURING|ann|math|high|23|29|mem=31M,gres/gpu=37|None",
		"N/A|p1|STOPPED|ann|math|high|41|43|mem=47M,gres/gpu=53|None",
		"N/A|p1|SUSPENDED|ann|math|high|100|100|mem=100M,gres/gpu=100|None",
		"N/A|p1|REQUEUE_HOLD|ann|math|high|100|100|mem=100M,gres/gpu=100|None",
		"1-3|p1,p2|PENDING|bob|bio|low|4|6|mem=8M,gres/gpu=9|Priority",
		"0-9%2|p2|PENDING|bob|bio|low|1|2|mem=3M|JobHeldUser",
		"N/A|p2|FAILED|bob|bio|low|100|100|mem=100M|NonZeroExitCode",
		"N/A|p2|FAILED|bob|bio|low|100|100|mem=100M|NonZeroExitCode",
		"N/A|p2|RESIZING|bob|bio|low|59|61|mem=67M|None",
		"N/A|p2|REVOKED|bob|bio|low|100|100|mem=100M|None",
	))
	want := map[string]float64{
		"jobs.running": 2, "jobs.completing": 1, "jobs.configuring": 1, "jobs.stopped": 1, "jobs.suspended": 1, "jobs.requeued": 1,
		"jobs.pending": 13, "jobs.other": 1, "jobs.total": 21, "jobs.recent.failed": 2,
		"jobs.nodes.running": 2 + 11 + 23 + 41 + 59, "jobs.cpus.running": 3 + 13 + 29 + 43 + 61,
		"jobs.mem_bytes.running": (5 + 17 + 31 + 47 + 67) << 20, "jobs.gpus.running": 7 + 19 + 37 + 53,
		"jobs.nodes.pending": 3*4 + 10*1, "jobs.cpus.pending": 3*6 + 10*2, "jobs.mem_bytes.pending": (3*8 + 10*3) << 20, "jobs.gpus.pending": 27,
		"jobs.pending.reason.priority.jobs": 3, "jobs.pending.reason.priority.cpus": 18, "jobs.pending.reason.priority.gpus": 27,
		"jobs.pending.reason.job_held_user.jobs": 10, "jobs.pending.reason.job_held_user.cpus": 20,
		"jobs.pending.class.priority": 3, "jobs.pending.class.held": 10,
		"partition.p1.jobs.pending": 3, "partition.p2.jobs.pending": 13, "partition.p1.jobs.total": 9, "partition.p2.jobs.total": 15,
		"partition.p2.jobs.pending.class.held": 10, "partition.p1.jobs.pending.class.priority": 3,
		"user.ann.jobs.running": 1, "user.bob.jobs.running": 1, "user.bob.jobs.total": 15, "account.bio.jobs.gpus.pending": 27,
		"qos.high.jobs.cpus.running": 88, "qos.low.jobs.recent.failed": 2, "p1.jobs_num": 7, "p2.jobs_num": 3,
	}
	for path, v := range want {
		assert.Equal(t, v, got[path], path)
	}
	for _, path := range []string{"jobs.deadline", "jobs.recent.boot_fail", "jobs.pending.class.array_limit", "partition.p1.jobs.recent.oom"} {
		if path != "jobs.deadline" {
			assert.Contains(t, got, path, "of the cluster and of partitions each state is said")
		}
	}
	for _, path := range []string{"user.ann.jobs.other", "user.bob.jobs.pending.reason.job_held_user.gpus", "user._other.jobs.total", "p1.jobs_num.x"} {
		assert.NotContains(t, got, path)
	}
	assert.Equal(t, 0.0, got["user.ann.jobs.pending"], "said although it is 0")
}

// TestJobStates puts each word of Slurm where it belongs, and counts what nobody knows.
func TestJobStates(t *testing.T) {
	words := map[string]string{"RESIZING": "running", "SIGNALING": "running", "RESV_DEL_HOLD": "pending", "STAGE_OUT": "completing",
		"POWER_UP_NODE": "configuring", "REQUEUED": "requeued", "REQUEUE_FED": "requeued", "EXPEDITING": "requeued"}
	maps.Copy(words, oracleStates)
	for word, want := range words {
		tok := quiet()
		got := feed(t, newJobs(allJobs(), tok), queue("N/A|p|"+word+"|u|a|q|1|1|N/A|None"))
		assert.Equal(t, 1.0, got["jobs."+want], word)
		assert.Zero(t, tok.count(), word)
		if strings.HasPrefix(want, "recent.") {
			assert.Zero(t, got["jobs.total"], word)
			assert.Zero(t, got["p.jobs_num"], word)
		} else {
			assert.Equal(t, 1.0, got["jobs.total"], word)
		}
	}
	tok := quiet()
	got := feed(t, newJobs(allJobs(), tok), queue("N/A|p|HIBERNATING|u|a|q|1|1|N/A|None", "1-4|p|HIBERNATING|u|a|q|1|1|N/A|None", "N/A|p||u|a|q|1|1|N/A|None"))
	assert.Equal(t, 6.0, got["jobs.other"])
	assert.Equal(t, 6.0, got["jobs.total"])
	assert.Equal(t, 3.0, got["p.jobs_num"])
	assert.Equal(t, uint64(3), tok.count())
}

// TestJobsVanish says 0 for some ticks of what has gone, then nothing; and never of what was not there.
func TestJobsVanish(t *testing.T) {
	r := newJobs(allJobs(), quiet())
	first := feed(t, r, queue("N/A|p1|PENDING|ann|math|high|1|2|gres/gpu=3|Licenses", "N/A|p2|SUSPENDED|bob|bio|low|1|2|N/A|None"))
	rest := queue("N/A|p2|RUNNING|bob|bio|low|1|2|N/A|None")
	gone := []string{"user.ann.jobs.pending", "account.math.jobs.total", "qos.high.jobs.pending.class.resources", "partition.p1.jobs.total", "p1.jobs_num",
		"jobs.pending.reason.licenses.gpus", "user.ann.jobs.pending.reason.licenses.jobs", "user.bob.jobs.suspended"}
	for _, path := range gone {
		require.NotZero(t, first[path], path)
	}
	for tick := range lingerTicks {
		got := feed(t, r, rest)
		for _, path := range gone {
			require.Contains(t, got, path, "tick %d", tick)
			assert.Zero(t, got[path], path)
		}
		r.begin(tickTime) // a call that fails half-way: nothing of it counts, no tick passes
		for _, l := range queue("1-1000|p1|PENDING|ann|math|high|1|2|N/A|Licenses", "N/A|p9|RUNNING|eve|x|y|1|2|N/A|None") {
			require.NoError(t, r.line(l))
		}
	}
	got := feed(t, r, rest)
	for _, path := range gone {
		assert.NotContains(t, got, path)
	}
	assert.NotContains(t, got, "user.eve.jobs.total")
	assert.Equal(t, 1.0, got["user.bob.jobs.running"])
	assert.Equal(t, 0.0, got["jobs.pending"], "of the cluster each state is always said")

	back := feed(t, r, queue("N/A|p1|PENDING|ann|math|high|1|2|gres/gpu=3|Licenses"))
	for _, path := range gone[:7] {
		assert.Equal(t, first[path], back[path], path)
	}
}

// TestJobsTop gives the largest users series of their own, and adds the others up exactly.
func TestJobsTop(t *testing.T) {
	c := allJobs()
	c.Top = 2
	r := newJobs(c, quiet())
	row := func(user string, cpus int) string {
		return fmt.Sprintf("N/A|p|PENDING|%s|acc-%s|q|1|%d|gres/gpu=1|Priority", user, user, cpus)
	}
	totals := func(got map[string]float64) map[string]float64 {
		users := map[string]float64{}
		for path, v := range got {
			if name, ok := strings.CutPrefix(path, "user."); ok && strings.HasSuffix(name, ".jobs.cpus.pending") {
				users[strings.TrimSuffix(name, ".jobs.cpus.pending")] = v
			}
		}
		return users
	}
	got := feed(t, r, queue(row("ann", 100), row("bob", 90), row("eve", 80), row("dan", 7)))
	assert.Equal(t, map[string]float64{"ann": 100, "bob": 90, "_other": 87}, totals(got))
	assert.Equal(t, 2.0, got["user._other.jobs.total"])
	assert.Equal(t, 2.0, got["account._other.jobs.pending.reason.priority.jobs"])
	assert.Equal(t, 87.0, got["account._other.jobs.pending.reason.priority.cpus"])

	got = feed(t, r, queue(row("ann", 100), row("bob", 90), row("eve", 105), row("dan", 7)))
	assert.Equal(t, map[string]float64{"ann": 100, "bob": 90, "_other": 112}, totals(got), "a little more takes no place")

	got = feed(t, r, queue(row("ann", 100), row("bob", 90), row("eve", 300), row("dan", 7)))
	assert.Equal(t, map[string]float64{"ann": 100, "eve": 300, "_other": 97}, totals(got), "who lost the place is not said to be 0: bob has jobs")

	got = feed(t, r, queue(row("ann", 100), row("dan", 7)))
	assert.Equal(t, map[string]float64{"ann": 100, "dan": 7, "eve": 0, "_other": 0}, totals(got), "eve has none")

	got = feed(t, newJobs(&Config{Metrics: metricsAll}, quiet()), queue(row("ann", 100), row("bob", 90)))
	assert.Equal(t, map[string]float64{"_other": 190}, totals(got), "top = 0")
}

// TestJobsAsCounted compares the fold with the oracle on queues made up at random, tick after tick.
func TestJobsAsCounted(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	c := allJobs()
	c.Top = maxTop
	r := newJobs(c, quiet())
	states := slices.Sorted(maps.Keys(oracleStates))
	reasons := map[string]string{"Priority": "priority", "(Resources)": "resources", "QOSGrpGRES": "qos_grp_gres",
		"ReqNodeNotAvail, UnavailableNodes:n[1-9]": "req_node_not_avail", "Resources,BeginTime": "resources"}
	words := slices.Sorted(maps.Keys(reasons))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	for tick := range 30 {
		var rows []string
		var all []oracleJob
		for range random.IntN(300) {
			word := pick(words)
			j := oracleJob{partitions: pick([]string{"a", "b", "a,b", "c,a,b"}), user: pick([]string{"u1", "u2", "u 3", "ü\xff"}), account: pick([]string{"x", "y"}),
				qos: pick([]string{"q", "_none"}), state: pick(states), reason: reasons[word], tasks: float64(1 + random.IntN(5)), nodes: float64(random.IntN(9)),
				cpus: float64(random.IntN(99)), memory: float64(random.IntN(999)) * (1 << 20), gpus: float64(random.IntN(5))}
			all = append(all, j)
			rows = append(rows, fmt.Sprintf("%d-%d%%3|%s|%s|%s|%s|%s|%g|%g|mem=%gM,gres/gpu:t=%g|%s", 10, 9+int(j.tasks), j.partitions, j.state, j.user, j.account,
				strings.Replace(j.qos, "_none", "N/A", 1), j.nodes, j.cpus, j.memory/(1<<20), j.gpus, word))
		}
		got := feed(t, r, queue(rows...))
		sameCounts(t, oracle(t, all), nonZero(got), tick)
	}
}

// TestJobsManyNames keeps sums exact and memory bounded where every line has names of its own.
func TestJobsManyNames(t *testing.T) {
	const n = 3*maxCells + 17
	r := newJobs(allJobs(), quiet())
	r.begin(tickTime)
	for i := range n {
		require.NoError(t, r.line(queue(fmt.Sprintf("1-2|part%d|RUNNING|user%d|acc%d|qos%d|1|3|N/A|None", i, i, i, i))[0]))
	}
	j := r.(*jobs)
	got := finish(t, r)
	assert.Equal(t, 2.0*n, got["jobs.running"])
	assert.LessOrEqual(t, len(j.cells), maxCells)
	for kind, s := range map[string]*jobGroups{"partition": j.partitions, "user": j.users, "account": j.accounts, "qos": j.qos} {
		assert.LessOrEqual(t, len(s.named), s.most, kind)
		sum := 0.0
		for path, v := range got {
			if strings.HasPrefix(path, kind+".") && strings.HasSuffix(path, ".jobs.cpus.running") {
				sum += v
			}
		}
		assert.Equal(t, 6.0*n, sum, kind)
	}
	for range lingerTicks + 1 {
		r.begin(tickTime)
		var b aggregator.Batch
		r.end(&b)
	}
	assert.Empty(t, j.users.named)
	assert.Empty(t, j.partitions.named)
}

// TestJobsLongNames are no labels: what has them counts among the others.
func TestJobsLongNames(t *testing.T) {
	r := newJobs(allJobs(), quiet())
	long := strings.Repeat("x", maxKeyBytes/2)
	r.begin(tickTime)
	for i := range 7 {
		require.NoError(t, r.line(queue(fmt.Sprintf("N/A|p|RUNNING|%s%d|a|q|1|1|N/A|None", long, i))[0]))
	}
	got := finish(t, r)
	assert.Equal(t, 7.0, got["user._other.jobs.running"])
	assert.Equal(t, 7.0, got["jobs.running"])
	assert.LessOrEqual(t, r.(*jobs).keyBytes, 2*maxKeyBytes)
}

// TestJobsDamaged counts what can be read of each line.
func TestJobsDamaged(t *testing.T) {
	r := newJobs(allJobs(), quiet())
	r.begin(tickTime)
	for _, bad := range []string{"1-|p|RUNNING|u|a|q|1|2|N/A|None", "N/A|p|RUNNING|u|a|q|many|3|mem=x|None"} {
		assert.Error(t, r.line(queue(bad)[0]))
	}
	assert.ErrorIs(t, r.line([]byte("no job")), errJob)
	assert.NoError(t, r.line(nil))
	got := finish(t, r)
	assert.Equal(t, 2.0, got["jobs.running"])
	assert.Equal(t, 5.0, got["jobs.cpus.running"])
	assert.Equal(t, 1.0, got["jobs.nodes.running"])
}

func TestJobsEmpty(t *testing.T) {
	got := feed(t, newJobs(allJobs(), quiet()), nil)
	assert.Equal(t, 0.0, got["jobs.total"])
	for path, v := range got {
		assert.Zero(t, v, path)
		assert.True(t, strings.HasPrefix(path, "jobs."), path)
	}
	assert.Empty(t, feed(t, newJobs(&Config{Metrics: metricsJobsNum}, quiet()), nil))
}

// TestJobsAllocate shows that a line costs no memory once its names are known.
func TestJobsAllocate(t *testing.T) {
	lines := capture(t, "26.05", "squeue.out")
	r := newJobs(allJobs(), quiet())
	feed(t, r, lines)
	r.begin(tickTime)
	assert.Zero(t, testing.AllocsPerRun(10, func() {
		for _, l := range lines {
			require.NoError(t, r.line(l))
		}
	}))
}

func TestJobsDescribe(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range newJobs(allJobs(), quiet()).describe() {
		assert.False(t, seen[d.Template], "%s twice", d.Template)
		seen[d.Template] = true
		assert.NotContains(t, d.Help, "%s")
		assert.NotContains(t, d.Help, ".")
		assert.NotEmpty(t, d.Source)
		assert.Equal(t, aggregator.Gauge, d.Kind)
	}
	for _, template := range []string{"jobs.{state}", "jobs.total", "jobs.recent.{state}", "jobs.nodes.{state}", "jobs.cpus.{state}", "jobs.mem_bytes.{state}",
		"jobs.gpus.{state}", "jobs.pending.class.{class}", "jobs.pending.reason.{reason}.jobs", "jobs.pending.reason.{reason}.cpus", "jobs.pending.reason.{reason}.gpus"} {
		for _, prefix := range []string{"", "partition.{partition}.", "account.{account}.", "user.{user}.", "qos.{qos}."} {
			assert.True(t, seen[prefix+template], prefix+template)
		}
	}
	assert.True(t, seen["{partition}.jobs_num"])
	assert.Len(t, seen, 5*11+1)
	assert.Len(t, newJobs(&Config{Metrics: metricsJobsNum}, quiet()).describe(), 1)
}

func FuzzJobs(f *testing.F) {
	for _, version := range versions {
		f.Add(slices.Concat(capture(f, version, "squeue.out")[:9]...))
	}
	f.Add([]byte(jobLine("8|1-9:2|N/A|p,p,q|PENDING|u|a|q|4-8|2K|mem=1T|Unknown|-5|3|UNLIMITED|0|Odd") + "\nx\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newJobs(allJobs(), quiet())
		jobsOf := func() float64 {
			n := 0.0
			r.begin(time.Unix(1, 0))
			for l := range strings.SplitSeq(string(text), "\n") {
				if isJob, _ := r.(*jobs).parser.parse([]byte(l), new(Job)); isJob {
					n++
				}
			}
			return n
		}
		want := jobsOf()
		for range 2 {
			r.begin(time.Unix(1, 0))
			for l := range strings.SplitSeq(string(text), "\n") {
				_ = r.line([]byte(l))
			}
			got := finish(t, r)
			sum, classes := 0.0, 0.0
			for _, name := range jobStateNames[:queueStateCount] {
				sum += got["jobs."+name]
			}
			for _, name := range classNames {
				classes += got["jobs.pending.class."+name]
			}
			assert.Equal(t, sum, got["jobs.total"])
			assert.Equal(t, classes, got["jobs.pending"])
			for _, name := range jobStateNames[queueStateCount:] {
				sum += got["jobs.recent."+name]
			}
			assert.GreaterOrEqual(t, sum, want)
		}
	})
}
