package web

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"
)

// A history is what a Graphite would hold of some clusters: each series is a function of time, so that a day of thousands
// of series costs nothing until it is asked for. Everything is settled by the series' names: two runs show the same.
type history struct {
	step   int64 // seconds between points
	series map[string]func(t int64) float64
}

// A plan says what one cluster is like.
type plan struct {
	name       string
	partitions []partitionPlan
	accounts   int
	users      int
	more       bool // what later agents measure too: waits, the scheduler, hosts
	perNode    bool
	// silent tells at which times slurmctld gave no answer, gone at which times the agent itself was not there.
	silent, gone func(t int64) bool
}

type partitionPlan struct {
	name              string
	nodes, cpus, gpus int     // of a node
	memory            float64 // bytes of a node
	busy              float64 // ratio of the nodes that are in use on average
	prefix            string  // of its nodes' names
}

// big is a cluster of 2,000 nodes, as the demo of a large site would be.
func big(name string) plan {
	never := func(int64) bool { return false }
	const gib = 1 << 30
	return plan{name: name, accounts: 14, users: 40, more: true, perNode: true, silent: never, gone: never, partitions: []partitionPlan{
		{"batch", 1400, 128, 0, 512 * gib, 0.93, "cn"},
		{"long", 300, 128, 0, 512 * gib, 0.97, "ln"},
		{"gpu", 180, 64, 8, 1024 * gib, 0.88, "gpu"},
		{"bigmem", 60, 192, 0, 4096 * gib, 0.64, "bm"},
		{"debug", 40, 64, 0, 256 * gib, 0.21, "dbg"},
		{"interactive", 20, 64, 2, 256 * gib, 0.45, "viz"},
	}}
}

// small is a cluster that an agent of the first version measures: no waits, no scheduler, no nodes of their own.
func small(name string) plan {
	p := big(name)
	p.more, p.perNode, p.accounts, p.users = false, false, 3, 5
	p.partitions = []partitionPlan{
		{"main", 12, 48, 0, 192 << 30, 0.7, "n"},
		{"gpu", 3, 32, 4, 384 << 30, 0.9, "g"},
	}
	return p
}

func newHistory(plans ...plan) *history {
	h := &history{step: 10, series: map[string]func(int64) float64{}}
	for _, p := range plans {
		p.build(h)
	}
	return h
}

// paths returns the names of all series, sorted.
func (h *history) paths() []string { return slices.Sorted(maps.Keys(h.series)) }

// at is the value of a series at the last point at or before t; NaN where there is none.
func (h *history) at(path string, t int64) float64 {
	f := h.series[path]
	if f == nil {
		return math.NaN()
	}
	return f(t - t%h.step)
}

// seed makes a number of names.
func seed(names ...string) uint64 {
	h := fnv.New64a()
	for _, n := range names {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	return h.Sum64()
}

// mix scrambles a number, as splitmix64 does.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is a number from 0 to 1 for a seed and a place.
func unit(s uint64, i int64) float64 { return float64(mix(s^mix(uint64(i)))>>11) / (1 << 53) }

// wander goes smoothly up and down between 0 and 1, with a new direction about every period seconds.
func wander(s uint64, t, period int64) float64 {
	i := t / period
	x := float64(t%period) / float64(period)
	x = x * x * (3 - 2*x)
	return unit(s, i)*(1-x) + unit(s, i+1)*x
}

// drift is wander on three scales: hours, tens of minutes, a minute.
func drift(s uint64, t int64) float64 {
	return 0.6*wander(s, t, 9000) + 0.3*wander(s+1, t, 1500) + 0.1*wander(s+2, t, 90)
}

// day is 0 at night and 1 in the afternoon, UTC.
func day(t int64) float64 { return 0.5 - 0.5*math.Cos(2*math.Pi*(float64(t%86400)/86400-1.0/12)) }

// A nodeCount is how many nodes of a partition are in which state.
type nodeCount struct{ allocated, mixed, idle, draining, drained, down int }

func (c nodeCount) sum() int { return c.allocated + c.mixed + c.idle + c.drained + c.down }

// nodesAt says what a partition's nodes do; draining ones are among the mixed ones.
func (p partitionPlan) nodesAt(cluster string, t int64) nodeCount {
	s := seed(cluster, p.name)
	n := float64(p.nodes)
	var c nodeCount
	c.down = int(n*0.012*wander(s+10, t, 14400) + 0.4)
	c.drained = int(n*0.035*wander(s+11, t, 10800) + 0.3)
	rest := p.nodes - c.down - c.drained
	use := p.busy + 0.12*(drift(s+12, t)-0.5)*2 + 0.08*(day(t)-0.5)
	use = min(max(use, 0.02), 1)
	used := int(math.Round(float64(rest) * use))
	c.mixed = int(float64(used) * (0.08 + 0.2*wander(s+13, t, 5400)))
	c.allocated = used - c.mixed
	c.idle = rest - used
	c.draining = min(c.mixed, int(n*0.006*wander(s+14, t, 7200)+0.2))
	return c
}

// busyAt is the number of CPUs in use: whole nodes, and 55% of the mixed ones.
func (p partitionPlan) busyAt(cluster string, t int64, each int) float64 {
	c := p.nodesAt(cluster, t)
	return float64(c.allocated*each) + math.Floor(float64(c.mixed*each)*0.55)
}

var pendingReasons = []struct {
	name, class string
	share       float64
}{
	{"priority", "priority", 0.47}, {"resources", "resources", 0.17}, {"assoc_grp_cpu_limit", "limit", 0.11},
	{"dependency", "dependency", 0.09}, {"qos_max_jobs_per_user_limit", "limit", 0.06}, {"begin_time", "other", 0.04},
	{"job_held_user", "held", 0.03}, {"req_node_not_avail", "node_unavail", 0.02}, {"job_array_task_limit", "array_limit", 0.01},
}

func (p partitionPlan) runningAt(cluster string, t int64) float64 {
	s := seed(cluster, p.name, "running")
	return math.Round(p.busyAt(cluster, t, p.cpus) / (14 + 20*wander(s, t, 20000)))
}

func (p partitionPlan) pendingAt(cluster, reason string, t int64) float64 {
	s := seed(cluster, p.name, "pending")
	all := float64(p.nodes) * (0.4 + 2.6*p.busy*p.busy*drift(s, t)) * (0.6 + 0.6*day(t))
	for _, r := range pendingReasons {
		if r.name == reason {
			return math.Round(all * r.share * (0.5 + wander(s^seed(reason), t, 6000)))
		}
	}
	return 0
}

// add adds a series that has points while the agent runs.
func (p plan) add(h *history, path string, f func(int64) float64) {
	h.series[p.name+"."+path] = func(t int64) float64 {
		if p.gone(t) {
			return math.NaN()
		}
		return f(t)
	}
}

// slurm adds a series that has points while slurmctld answers too.
func (p plan) slurm(h *history, path string, f func(int64) float64) {
	p.add(h, path, func(t int64) float64 {
		if p.silent(t) {
			return math.NaN()
		}
		return f(t)
	})
}

func (p plan) build(h *history) {
	over := func(f func(q partitionPlan, t int64) float64) func(int64) float64 {
		return func(t int64) float64 {
			sum := 0.0
			for _, q := range p.partitions {
				sum += f(q, t)
			}
			return sum
		}
	}
	p.subtree(h, "", over)
	for _, q := range p.partitions {
		p.subtree(h, "partition."+q.name+".", func(f func(partitionPlan, int64) float64) func(int64) float64 {
			return func(t int64) float64 { return f(q, t) }
		})
		p.slurm(h, "partition."+q.name+".up", func(int64) float64 { return 1 })
	}
	p.shares(h, "account", accountNames[:min(p.accounts, len(accountNames))])
	users := make([]string, 0, p.users)
	for i := range p.users {
		users = append(users, userNames[i%len(userNames)]+[]string{"", "2", "3"}[i/len(userNames)])
	}
	p.shares(h, "user", append(users, "_other"))
	p.shares(h, "qos", []string{"normal", "high", "scavenger"})
	p.agent(h)
	if p.more {
		p.later(h)
		p.hosts(h)
	}
	if p.perNode {
		p.nodes(h)
	}
}

// subtree adds the metrics that the cluster and each partition have alike.
func (p plan) subtree(h *history, prefix string, over func(func(partitionPlan, int64) float64) func(int64) float64) {
	put := func(path string, f func(q partitionPlan, t int64) float64) { p.slurm(h, prefix+path, over(f)) }
	count := func(pick func(nodeCount) int) func(partitionPlan, int64) float64 {
		return func(q partitionPlan, t int64) float64 { return float64(pick(q.nodesAt(p.name, t))) }
	}
	put("nodes.allocated", count(func(c nodeCount) int { return c.allocated }))
	put("nodes.mixed", count(func(c nodeCount) int { return c.mixed }))
	put("nodes.idle", count(func(c nodeCount) int { return c.idle + c.drained }))
	put("nodes.down", count(func(c nodeCount) int { return c.down }))
	put("nodes.drained", count(func(c nodeCount) int { return c.drained }))
	put("nodes.draining", count(func(c nodeCount) int { return c.draining }))
	put("nodes.total", count(nodeCount.sum))
	put("nodes.available", count(func(c nodeCount) int { return c.allocated + c.mixed - c.draining + c.idle }))
	for _, state := range []string{"error", "future", "unknown"} {
		put("nodes."+state, func(partitionPlan, int64) float64 { return 0 })
	}
	p.resources(put)
	pending := func(q partitionPlan, t int64) float64 {
		sum := 0.0
		for _, r := range pendingReasons {
			sum += q.pendingAt(p.name, r.name, t)
		}
		return sum
	}
	put("jobs.running", func(q partitionPlan, t int64) float64 { return q.runningAt(p.name, t) })
	put("jobs.pending", pending)
	put("jobs.completing", func(q partitionPlan, t int64) float64 { return math.Floor(5 * wander(seed(q.name, "cg"), t, 300)) })
	put("jobs.suspended", func(partitionPlan, int64) float64 { return 0 })
	put("jobs.configuring", func(partitionPlan, int64) float64 { return 0 })
	put("jobs.total", func(q partitionPlan, t int64) float64 {
		return q.runningAt(p.name, t) + pending(q, t) + math.Floor(5*wander(seed(q.name, "cg"), t, 300))
	})
	put("jobs.cpus.running", func(q partitionPlan, t int64) float64 { return q.busyAt(p.name, t, q.cpus) })
	put("jobs.cpus.pending", func(q partitionPlan, t int64) float64 { return 36 * pending(q, t) })
	put("jobs.nodes.running", func(q partitionPlan, t int64) float64 {
		c := q.nodesAt(p.name, t)
		return float64(c.allocated + c.mixed)
	})
	put("jobs.gpus.running", func(q partitionPlan, t int64) float64 { return q.busyAt(p.name, t, q.gpus) })
	put("jobs.gpus.pending", func(q partitionPlan, t int64) float64 { return math.Round(float64(q.gpus) * 0.7 * pending(q, t)) })
	put("jobs.mem_bytes.running", func(q partitionPlan, t int64) float64 { return q.busyAt(p.name, t, 100) / 100 * q.memory * 0.61 })
	for i, state := range []string{"completed", "failed", "timeout", "cancelled", "oom"} {
		put("jobs.recent."+state, func(q partitionPlan, t int64) float64 {
			return math.Floor([]float64{90, 6, 3, 4, 1.6}[i] * float64(q.nodes) / 1400 * (0.4 + wander(seed(q.name, state), t, 900)))
		})
	}
	classes := map[string][]string{}
	for _, r := range pendingReasons {
		classes[r.class] = append(classes[r.class], r.name)
		put("jobs.pending.reason."+r.name+".jobs", func(q partitionPlan, t int64) float64 { return q.pendingAt(p.name, r.name, t) })
		put("jobs.pending.reason."+r.name+".cpus", func(q partitionPlan, t int64) float64 { return 36 * q.pendingAt(p.name, r.name, t) })
	}
	for class, reasons := range classes {
		put("jobs.pending.class."+class, func(q partitionPlan, t int64) float64 {
			sum := 0.0
			for _, r := range reasons {
				sum += q.pendingAt(p.name, r, t)
			}
			return sum
		})
	}
}

// resources adds the CPUs, the memory and the GPUs of the nodes.
func (p plan) resources(put func(string, func(partitionPlan, int64) float64)) {
	type pick func(q partitionPlan) int
	for _, r := range []struct {
		name, out string
		each      pick
	}{
		{"cpus", "other", func(q partitionPlan) int { return q.cpus }}, {"gpus", "unavail", func(q partitionPlan) int { return q.gpus }},
	} {
		total := func(q partitionPlan, _ int64) float64 { return float64(q.nodes * r.each(q)) }
		alloc := func(q partitionPlan, t int64) float64 { return q.busyAt(p.name, t, r.each(q)) }
		out := func(q partitionPlan, t int64) float64 {
			c := q.nodesAt(p.name, t)
			return float64((c.drained + c.down) * r.each(q))
		}
		put(r.name+".total", total)
		put(r.name+".alloc", alloc)
		put(r.name+"."+r.out, out)
		put(r.name+".idle", func(q partitionPlan, t int64) float64 { return total(q, t) - alloc(q, t) - out(q, t) })
	}
	put("cpus.load", func(q partitionPlan, t int64) float64 {
		return q.busyAt(p.name, t, q.cpus) * (0.86 + 0.12*wander(seed(q.name, "load"), t, 700))
	})
	put("mem.total_bytes", func(q partitionPlan, _ int64) float64 { return float64(q.nodes) * q.memory })
	put("mem.alloc_bytes", func(q partitionPlan, t int64) float64 { return q.busyAt(p.name, t, 100) / 100 * q.memory * 0.61 })
	put("mem.free_bytes", func(q partitionPlan, t int64) float64 {
		return float64(q.nodes)*q.memory - q.busyAt(p.name, t, 100)/100*q.memory*0.48
	})
}

var accountNames = []string{"astro", "climate", "cfd", "genomics", "materials", "ml", "plasma", "chem", "geo", "neuro", "qcd", "econ", "civil", "training"}

var userNames = []string{"aparicio", "bauer", "chandra", "dubois", "eriksen", "ferrari", "gupta", "hansen", "ito", "jansen",
	"kowalski", "lopez", "moreau", "nguyen", "okafor", "petrov", "quist", "rossi", "sato", "tanaka"}

// shares divides the cluster's jobs among accounts or users.
func (p plan) shares(h *history, kind string, names []string) {
	total := 0.0
	weight := func(i int) float64 { return 1 / float64(i+2) }
	for i := range names {
		total += weight(i)
	}
	for i, name := range names {
		share := func(t int64) float64 { return weight(i) / total * (0.5 + drift(seed(p.name, kind, name), t)) }
		for _, s := range []struct {
			path string
			of   func(q partitionPlan, t int64) float64
		}{
			{"jobs.running", func(q partitionPlan, t int64) float64 { return q.runningAt(p.name, t) }},
			{"jobs.pending", func(q partitionPlan, t int64) float64 { return q.pendingAt(p.name, "priority", t) * 2 }},
			{"jobs.cpus.running", func(q partitionPlan, t int64) float64 { return q.busyAt(p.name, t, q.cpus) }},
			{"jobs.cpus.pending", func(q partitionPlan, t int64) float64 { return q.pendingAt(p.name, "priority", t) * 60 }},
			{"jobs.gpus.running", func(q partitionPlan, t int64) float64 { return q.busyAt(p.name, t, q.gpus) }},
		} {
			p.slurm(h, kind+"."+name+"."+s.path, func(t int64) float64 {
				sum := 0.0
				for _, q := range p.partitions {
					sum += s.of(q, t)
				}
				return math.Floor(sum * share(t))
			})
		}
	}
}

// agent adds what the agent says of itself.
func (p plan) agent(h *history) {
	flag := func(fails func(int64) bool) func(int64) float64 {
		return func(t int64) float64 {
			if fails(t) {
				return 0
			}
			return 1
		}
	}
	wobble := func(name string, low, high float64) func(int64) float64 {
		return func(t int64) float64 { return low + (high-low)*drift(seed(p.name, name), t) }
	}
	for i, c := range []string{"queue", "nodes", "partitions"} {
		of := "agent.command." + c
		took := wobble(c, 0.02*float64(i+1), 0.3*float64(3-i))
		p.add(h, of+".ok", flag(p.silent))
		p.add(h, of+".seconds", func(t int64) float64 {
			if p.silent(t) {
				return 9
			}
			return took(t)
		})
		p.slurm(h, of+".rows", func(t int64) float64 { return math.Floor(4000 / float64(i*i+1) * (0.8 + 0.4*drift(seed(c), t))) })
		p.slurm(h, of+".bytes", func(t int64) float64 { return math.Floor(910000 / float64(i+1) * (0.8 + 0.4*drift(seed(c), t))) })
		p.add(h, of+".timeouts.per_second", func(int64) float64 { return 0 })
		p.add(h, of+".parse_errors.per_second", func(int64) float64 { return 0 })
	}
	for i, a := range []string{"slurm", "self"} {
		p.add(h, "agent.aggregator."+a+".ok", flag(func(t int64) bool { return i == 0 && p.silent(t) }))
		p.add(h, "agent.aggregator."+a+".seconds", wobble(a, 0.1, 0.9))
		p.add(h, "agent.aggregator."+a+".series", func(int64) float64 { return []float64{2143, 31}[i] })
		p.add(h, "agent.aggregator."+a+".skipped.per_second", func(int64) float64 { return 0 })
	}
	for i, d := range []string{"graphite", "backup"} {
		p.add(h, "agent.queue."+d+".bytes", wobble("bytes"+d, 0, 90000))
		p.add(h, "agent.queue."+d+".blocks", func(t int64) float64 { return math.Floor(3 * wander(seed(d), t, 300)) })
		p.add(h, "agent.queue."+d+".oldest_seconds", wobble("oldest"+d, 0, 9))
		p.add(h, "agent.database."+d+".ok", flag(func(t int64) bool { return i == 1 && t%90000 < 1200 }))
		p.add(h, "agent.database."+d+".sent.per_second", wobble("sent"+d, 210, 222))
		p.add(h, "agent.database."+d+".rejected.per_second", func(int64) float64 { return 0 })
		p.add(h, "agent.database."+d+".dropped", func(int64) float64 { return 0 })
		p.add(h, "agent.database."+d+".send_seconds", wobble("send"+d, 0.004, 0.06))
	}
	p.add(h, "agent.series", func(int64) float64 { return 2174 })
	p.add(h, "agent.rss_bytes", wobble("rss", 18e6, 26e6))
	p.add(h, "agent.cpu_seconds.per_second", wobble("cpu", 0.004, 0.03))
	p.add(h, "agent.tick_lag_seconds", wobble("lag", 0.0002, 0.004))
	p.add(h, "agent.interval_seconds", func(int64) float64 { return 10 })
	p.add(h, "agent.unknown_tokens.per_second", func(int64) float64 { return 0 })
}

// later adds what agents measure that know more: waits, the scheduler, slurmctld.
func (p plan) later(h *history) {
	wobble := func(path string, low, high float64) {
		p.slurm(h, path, func(t int64) float64 { return low + (high-low)*drift(seed(p.name, path), t) })
	}
	prefixes := []string{""}
	for _, q := range p.partitions {
		prefixes = append(prefixes, "partition."+q.name+".")
	}
	for i, prefix := range prefixes {
		scale := 1 / float64(i*i+1)
		for j, q := range []string{"p50", "p90", "p99", "max", "mean"} {
			wobble(prefix+"jobs.pending.wait_seconds."+q, scale*300*float64(j+1), scale*[]float64{2900, 14000, 61000, 260000, 7000}[j])
		}
	}
	wobble("ctld.threads", 3, 14)
	wobble("ctld.agent_queue", 0, 4)
	wobble("ctld.dbd_queue", 0, 30)
	wobble("ctld.jobs.submitted.per_second", 0.4, 3)
	wobble("ctld.jobs.started.per_second", 0.4, 2.8)
	wobble("ctld.jobs.completed.per_second", 0.4, 2.7)
	for _, kind := range []string{"main", "backfill"} {
		for i, s := range []string{"last", "mean", "max"} {
			wobble("sched."+kind+"."+s+"_seconds", 0.01*float64(i+1), 0.4*float64(i+1))
		}
		wobble("sched."+kind+".depth_mean", 40, 900)
	}
	wobble("sched.main.cycles_per_minute", 2, 11)
	for i, r := range []string{"request_job_info", "request_node_info", "message_node_registration_status", "request_partition_info"} {
		wobble("rpc.type."+r+".busy_ratio", 0, 0.04/float64(i+1))
		wobble("rpc.type."+r+".mean_seconds", 0.001, 0.09/float64(i+1))
	}
}

// hosts adds a few machines of their own.
func (p plan) hosts(h *history) {
	for i, host := range []string{"head1", "login1", "login2", "nfs1"} {
		wobble := func(path string, low, high float64) {
			path = "host." + host + "." + path
			p.add(h, path, func(t int64) float64 { return low + (high-low)*drift(seed(p.name, path), t) })
		}
		for j, mode := range []string{"user", "system", "iowait", "idle"} {
			wobble("cpu."+mode+"_ratio", 0.01, []float64{0.5, 0.2, 0.05, 0.9}[j])
		}
		for _, l := range []string{"1m", "5m", "15m"} {
			wobble("load."+l, 0.4, 9+float64(i))
		}
		wobble("memory.used_bytes", 12e9, 50e9)
		p.add(h, "host."+host+".memory.total_bytes", func(int64) float64 { return 128 << 30 })
		for _, d := range []string{"sda", "nvme0n1"} {
			wobble("disk."+d+".read_bytes.per_second", 0, 4e7)
			wobble("disk."+d+".written_bytes.per_second", 0, 9e7)
			wobble("disk."+d+".busy_ratio", 0, 0.6)
		}
		for _, d := range []string{"eth0", "ib0"} {
			wobble("net."+d+".received_bytes.per_second", 0, 3e8)
			wobble("net."+d+".sent_bytes.per_second", 0, 2e8)
		}
		for _, k := range []string{"cpu", "memory", "io"} {
			wobble("pressure."+k+".some_ratio", 0, 0.09)
		}
		p.add(h, "host."+host+".up", func(int64) float64 { return 1 })
	}
}

// Codes as the agent's help of node.{node}.state_code lists them.
const (
	codeIdle      = 1
	codeMixed     = 2
	codeAllocated = 3
	codeDrained   = 5
	codeDown      = 7
)

// nodes adds a series for each node, in agreement with its partition's counts: the n-th of a fixed shuffle is in the
// state that the n-th place of the counts gives it.
func (p plan) nodes(h *history) {
	for _, q := range p.partitions {
		order := make([]int, q.nodes)
		for i := range order {
			order[i] = i
		}
		s := seed(p.name, q.name, "order")
		slices.SortFunc(order, func(a, b int) int { return int(int64(mix(s+uint64(a))>>1) - int64(mix(s+uint64(b))>>1)) })
		for place, i := range order {
			state := func(t int64) int {
				c := q.nodesAt(p.name, t)
				switch {
				case place < c.down:
					return codeDown
				case place < c.down+c.drained:
					return codeDrained
				case place < c.down+c.drained+c.mixed:
					return codeMixed
				case place < c.down+c.drained+c.mixed+c.allocated:
					return codeAllocated
				}
				return codeIdle
			}
			used := func(t int64) float64 {
				switch state(t) {
				case codeAllocated:
					return 1
				case codeMixed:
					return 0.1 + 0.8*unit(s, int64(i)+t/1800)
				}
				return 0
			}
			node := "node." + q.prefix + fmt.Sprintf("%0*d", len(strconv.Itoa(q.nodes)), i+1)
			load := seed(p.name, node)
			p.slurm(h, node+".state_code", func(t int64) float64 { return float64(state(t)) })
			p.slurm(h, node+".cpus_alloc", func(t int64) float64 { return math.Round(used(t) * float64(q.cpus)) })
			p.slurm(h, node+".load", func(t int64) float64 {
				return math.Round(100*(used(t)*float64(q.cpus)*(0.7+0.35*wander(load, t, 1200))+0.05)) / 100
			})
			p.slurm(h, node+".mem_alloc_bytes", func(t int64) float64 { return used(t) * q.memory * 0.6 })
			if q.gpus > 0 {
				p.slurm(h, node+".gpus_alloc", func(t int64) float64 { return math.Round(used(t) * float64(q.gpus)) })
			}
		}
	}
}
