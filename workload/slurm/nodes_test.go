package slurm

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

var tickTime = time.Unix(1795212000, 0)

func lines(s ...string) [][]byte {
	var all [][]byte
	for _, l := range s {
		all = append(all, []byte(l))
	}
	return all
}

// TestNodesFold sums nodes whose figures all differ.
func TestNodesFold(t *testing.T) {
	got := feed(t, newNodes(&Config{}, quiet()), lines(
		"NodeName=a CPUAlloc=3 CPUTot=8 CPULoad=2.50 RealMemory=1000 AllocMem=300 FreeMem=500 State=MIXED Partitions=p,q",
		"NodeName=b CPUAlloc=16 CPUTot=16 CPULoad=15.00 RealMemory=2000 AllocMem=1900 FreeMem=40 State=ALLOCATED Partitions=p",
		"NodeName=c CPUAlloc=0 CPUTot=32 CPULoad=0.25 RealMemory=4000 AllocMem=0 FreeMem=3800 State=DOWN Partitions=p,q",
		"NodeName=d CPUAlloc=0 CPUTot=64 CPULoad=7.00 RealMemory=8000 AllocMem=0 FreeMem=7000 State=DOWN+NOT_RESPONDING Partitions=q",
		"NodeName=e CPUAlloc=5 CPUTot=128 CPULoad=N/A RealMemory=16000 AllocMem=77 FreeMem=N/A State=MIXED+DRAIN Partitions=q",
		"NodeName=f CPUAlloc=0 CPUTot=256 CPULoad=1.00 RealMemory=32000 AllocMem=0 FreeMem=11 State=IDLE+PLANNED",
	))
	const mib = 1 << 20
	want := map[string]float64{
		"nodes.total": 6, "nodes.mixed": 2, "nodes.allocated": 1, "nodes.down": 2, "nodes.idle": 1, "nodes.unknown": 0,
		"nodes.draining": 1, "nodes.drained": 0, "nodes.available": 3,
		"nodes.flag.not_responding": 1, "nodes.flag.drain": 1, "nodes.flag.planned": 1,
		"cpus.total": 504, "cpus.alloc": 24, "cpus.idle": 5 + 256, "cpus.other": 32 + 64 + 123, "cpus.load": 18.75,
		"mem.total_bytes": 63000 * mib, "mem.alloc_bytes": 2277 * mib, "mem.free_bytes": 4351 * mib,
		"gpus.total": 0, "gpus.alloc": 0,
		"partition.p.nodes.total": 3, "partition.p.cpus.total": 56, "partition.p.cpus.alloc": 19, "partition.p.cpus.idle": 5, "partition.p.cpus.other": 32, "partition.p.cpus.load": 17.75,
		"partition.q.nodes.total": 4, "partition.q.cpus.total": 232, "partition.q.cpus.alloc": 8, "partition.q.cpus.other": 219, "partition.q.nodes.draining": 1,
		"partition.q.mem.free_bytes": 4300 * mib, "partition.q.nodes.flag.drain": 1,
	}
	for metric, v := range want {
		assert.Contains(t, got, metric)
		assert.Equal(t, v, got[metric], metric)
	}
	assert.NotContains(t, got, "partition.p.nodes.flag.drain", "none of its nodes has had the flag")
	assert.NotContains(t, got, "node.a.load", "not asked for")
}

// TestNodesUnknown shows that what is not known is left out, and never 0.
func TestNodesUnknown(t *testing.T) {
	got := feed(t, newNodes(&Config{Nodes: true}, quiet()), lines(
		"NodeName=a CPUTot=8 CPULoad=N/A RealMemory=1000 FreeMem=N/A State=IDLE Partitions=p",
		"NodeName=b CPUAlloc=2 CPUTot=4 CPULoad=1.50 FreeMem=6 State=MIXED Partitions=q",
	))
	assert.Equal(t, 12.0, got["cpus.total"])
	assert.Equal(t, 2.0, got["cpus.idle"], "what is allocated on a is not known")
	assert.Equal(t, 1.5, got["cpus.load"])
	assert.NotContains(t, got, "partition.p.cpus.load")
	assert.NotContains(t, got, "partition.p.mem.free_bytes")
	assert.Equal(t, 1.5, got["partition.q.cpus.load"])
	assert.NotContains(t, got, "node.a.load")
	assert.NotContains(t, got, "node.a.cpus_alloc")
	assert.Equal(t, 2.0, got["node.b.cpus_alloc"])
}

func TestNodesGPUs(t *testing.T) {
	type cards map[string]float64 // by what follows "gpu_type." or "gpus."
	tests := []struct {
		name, line string
		want       cards
	}{
		{"in use, by type", "Gres=gpu:a:4,gpu:b:3 GresUsed=gpu:a:1(IDX:2),gpu:b:2(IDX:4-5) State=MIXED",
			cards{"total": 7, "alloc": 3, "idle": 4, "unavail": 0, "a.total": 4, "a.alloc": 1, "a.idle": 3, "b.total": 3, "b.alloc": 2, "b.idle": 1}},
		{"GresUsed before AllocTRES", "Gres=gpu:a:5 GresUsed=gpu:a:2 CfgTRES=gres/gpu=5 AllocTRES=gres/gpu=4 State=MIXED",
			cards{"total": 5, "alloc": 2, "idle": 3, "a.alloc": 2}},
		{"AllocTRES, typed and not: the same cards", "Gres=gpu:a:4,gpu:b:3 CfgTRES=gres/gpu=7 AllocTRES=cpu=1,gres/gpu=5,gres/gpu:a=3,gres/gpu:b=2 State=MIXED",
			cards{"total": 7, "alloc": 5, "a.alloc": 3, "b.alloc": 2}},
		{"AllocTRES without types", "Gres=gpu:a:4,gpu:b:3 CfgTRES=gres/gpu=7 AllocTRES=gres/gpu=6 State=MIXED",
			cards{"total": 7, "alloc": 6, "a.alloc": 4, "b.alloc": 2, "b.idle": 1}},
		{"AllocTRES partly typed", "Gres=gpu:a:4 CfgTRES=gres/gpu=4 AllocTRES=gres/gpu=3,gres/gpu:a=1 State=MIXED",
			cards{"alloc": 3, "a.alloc": 3, "a.idle": 1}},
		{"accounted for, none in use", "Gres=gpu:a:4 CfgTRES=cpu=1,gres/gpu=4 AllocTRES= State=IDLE",
			cards{"alloc": 0, "idle": 4, "a.idle": 4}},
		{"nobody says what is in use", "Gres=gpu:a:4 CfgTRES=cpu=1 AllocTRES=cpu=1 State=MIXED",
			cards{"total": 4, "alloc": 0, "idle": 0, "unavail": 0, "a.total": 4, "a.idle": 0}},
		{"idle on a node that is down", "Gres=gpu:a:6 GresUsed=gpu:a:0(IDX:N/A) State=DOWN*",
			cards{"total": 6, "idle": 0, "unavail": 6, "a.unavail": 6}},
		{"draining", "Gres=gpu:9 GresUsed=gpu:4 State=MIXED+DRAIN",
			cards{"total": 9, "alloc": 4, "idle": 0, "unavail": 5, "untyped.alloc": 4, "untyped.unavail": 5}},
		{"more in use than there are", "Gres=gpu:a:2 GresUsed=gpu:a:3 State=ALLOCATED",
			cards{"total": 2, "alloc": 3, "idle": 0}},
		{"in use of a type that it has not", "Gres=gpu:3 GresUsed=gpu:a:2 State=MIXED",
			cards{"total": 3, "alloc": 2, "untyped.alloc": 2, "untyped.idle": 1}},
		{"other resources", "Gres=fpga:3,shard:a:8 GresUsed=fpga:1,shard:a:2(1/4,1/4) State=MIXED",
			cards{"total": 0, "alloc": 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := feed(t, newNodes(&Config{}, quiet()), lines("NodeName=n CPUTot=8 CPUAlloc=1 Partitions=p "+test.line))
			for name, v := range test.want {
				prefix := "gpu_type."
				if !strings.Contains(name, ".") {
					prefix = "gpus."
					assert.Equal(t, v, got["partition.p.gpus."+name], "partition.p.gpus."+name)
				}
				assert.Contains(t, got, prefix+name)
				assert.Equal(t, v, got[prefix+name], prefix+name)
			}
		})
	}
}

func TestNodesEach(t *testing.T) {
	r := newNodes(&Config{Nodes: true}, quiet())
	got := feed(t, r, lines(
		"NodeName=a CPUAlloc=3 CPUTot=8 CPULoad=2.50 AllocMem=300 Gres=gpu:x:4 GresUsed=gpu:x:2(IDX:0-1) State=MIXED+DRAIN",
		"NodeName=b CPUAlloc=0 CPUTot=8 CPULoad=0.75 AllocMem=0 State=DOWN*",
	))
	want := map[string]float64{
		"node.a.cpus_alloc": 3, "node.a.load": 2.5, "node.a.mem_alloc_bytes": 300 << 20, "node.a.gpus_alloc": 2, "node.a.state_code": codeDraining,
		"node.b.cpus_alloc": 0, "node.b.mem_alloc_bytes": 0, "node.b.gpus_alloc": 0, "node.b.state_code": codeDown,
	}
	maps.DeleteFunc(got, func(metric string, _ float64) bool { return !strings.HasPrefix(metric, "node.") })
	assert.Equal(t, want, got)

	for i := range lingerTicks + 1 {
		got = feed(t, r, lines("NodeName=b CPUAlloc=1 CPUTot=8 State=MIXED"))
		assert.Equal(t, 1.0, got["node.b.cpus_alloc"])
		if i == lingerTicks {
			assert.NotContains(t, got, "node.a.cpus_alloc", "long gone")
			break
		}
		assert.Contains(t, got, "node.a.cpus_alloc", "call %d", i)
		assert.Equal(t, 0.0, got["node.a.cpus_alloc"])
		assert.Equal(t, float64(codeUnknown), got["node.a.state_code"])
		assert.NotContains(t, got, "node.a.load")
	}
}

// TestNodesVanish shows that a partition, a flag and a type of GPU that are gone are 0 for some ticks, and then dropped.
func TestNodesVanish(t *testing.T) {
	r := newNodes(&Config{}, quiet())
	with := lines(
		"NodeName=a CPUAlloc=3 CPUTot=8 State=MIXED Partitions=p",
		"NodeName=b CPUAlloc=2 CPUTot=5 Gres=gpu:x:4 GresUsed=gpu:x:1 State=MIXED+DRAIN Partitions=p,q",
	)
	without := with[:1]
	gone := []string{"partition.q.nodes.total", "partition.q.cpus.alloc", "partition.q.cpus.load", "partition.q.nodes.mixed", "partition.q.nodes.flag.drain",
		"partition.p.nodes.flag.drain", "nodes.flag.drain", "gpu_type.x.total", "gpu_type.x.alloc"}
	feed(t, r, with)
	feed(t, r, with)
	for i := range lingerTicks {
		if i == 2 { // calls that fail count for nothing
			for range 10 {
				r.begin(tickTime)
				require.NoError(t, r.line(with[0]))
			}
		}
		got := feed(t, r, without)
		for _, metric := range gone {
			assert.Contains(t, got, metric, "call %d", i)
			assert.Equal(t, 0.0, got[metric], metric)
		}
	}
	got := feed(t, r, without)
	for _, metric := range gone {
		assert.NotContains(t, got, metric)
	}
	assert.Equal(t, 8.0, got["partition.p.cpus.total"])

	got = feed(t, r, with)
	assert.Equal(t, 2.0, got["partition.q.cpus.alloc"], "back again")
	assert.Equal(t, 1.0, got["gpu_type.x.alloc"])
}

// TestNodesHalf shows that a call that ended half-way leaves nothing: neither its sums nor a name that was cut.
func TestNodesHalf(t *testing.T) {
	r := newNodes(&Config{Nodes: true}, quiet())
	all := lines("NodeName=node1 CPUAlloc=3 CPUTot=8 Gres=gpu:type1:2 GresUsed=gpu:type1:1 State=MIXED Partitions=batch")
	want := feed(t, r, all)
	r.begin(tickTime)
	require.NoError(t, r.line(all[0]))
	require.NoError(t, r.line([]byte("NodeName=no CPUAlloc=1 CPUTot=8 Gres=gpu:ty:1 GresUsed=gpu:ty:1 State=MIXED Partitions=ba")))
	assert.Equal(t, want, feed(t, r, all))
}

// TestNodesEmpty: a cluster that says it has no node has none.
func TestNodesEmpty(t *testing.T) {
	got := feed(t, newNodes(&Config{Nodes: true}, quiet()), nil)
	for _, metric := range []string{"nodes.total", "nodes.idle", "nodes.available", "cpus.total", "cpus.load", "mem.free_bytes", "gpus.total"} {
		assert.Contains(t, got, metric)
		assert.Equal(t, 0.0, got[metric], metric)
	}
}

func TestNodesStrange(t *testing.T) {
	tok := quiet()
	r := newNodes(&Config{Nodes: true}, tok)
	for call := range 3 {
		got := feed(t, r, lines(
			"NodeName=a CPUAlloc=3 CPUTot=8 State=MIXED+SHINY Partitions=p",
			"NodeName=b CPUAlloc=2 CPUTot=5 State=WORKING+DRAIN Partitions=p",
		))
		assert.EqualValues(t, 2*(call+1), tok.total)
		assert.Equal(t, 2.0, got["partition.p.nodes.total"])
		assert.Equal(t, 1.0, got["nodes.mixed"])
		assert.Equal(t, 1.0, got["nodes.unknown"])
		assert.Equal(t, 1.0, got["nodes.flag.other"])
		assert.Equal(t, 1.0, got["nodes.flag.drain"])
		assert.Equal(t, 5.0, got["cpus.alloc"])
	}
}

// TestNodesDamaged shows that a line that cannot be read, or not all of it, leaves the others as they are.
func TestNodesDamaged(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	tests := []struct {
		name, line, err string
		nodes           float64
	}{
		{"no node", "slurm_load_node error: Socket timed out", "want \"NodeName", 1},
		{"cut", "NodeName=b CPUAlloc=3 CPUTot=8 Sta", "want \"NodeName", 1},
		{"no text", "\xff\xfe\x00", "want \"NodeName", 1},
		{"a megabyte", strings.Repeat("NodeName=", 1<<17), "want \"NodeName", 1},
		{"a number", "NodeName=b CPUTot=1O CPUAlloc=4 State=IDLE Partitions=p", `node "b": CPUTot "1O": want a number`, 2},
		{"a partition's name", "NodeName=b CPUTot=1 CPUAlloc=1 State=IDLE Partitions=p," + long, "want a name of 1 to 256 bytes", 2},
		{"an empty name", "NodeName=b CPUTot=1 CPUAlloc=1 State=IDLE Partitions=p,,", "want a name of 1 to 256 bytes", 2},
		{"a GPU's count", "NodeName=b CPUTot=1 CPUAlloc=1 State=IDLE Gres=gpu:x:99999999999 Partitions=p", "want a count", 2},
		{"a GPU's count in use", "NodeName=b CPUTot=1 CPUAlloc=1 State=IDLE Gres=gpu:x:2 GresUsed=gpu:x:99999999999 Partitions=p", "want a count", 2},
		{"a GPU's type", "NodeName=b CPUTot=1 CPUAlloc=1 State=IDLE Gres=gpu:" + long + ":2 Partitions=p", "want a name of 1 to 256 bytes", 2},
		{"a node's name", "NodeName=" + long + " CPUTot=1 CPUAlloc=1 State=IDLE Partitions=p", "want a name of 1 to 256 bytes", 2},
		{"empty", "", "", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newNodes(&Config{Nodes: true}, quiet())
			r.begin(tickTime)
			require.NoError(t, r.line([]byte("NodeName=a CPUAlloc=3 CPUTot=8 State=MIXED Partitions=p")))
			for range 2 {
				if test.err == "" {
					require.NoError(t, r.line([]byte(test.line)))
				} else {
					require.ErrorContains(t, r.line([]byte(test.line)), test.err)
				}
				r.begin(tickTime)
				require.NoError(t, r.line([]byte("NodeName=a CPUAlloc=3 CPUTot=8 State=MIXED Partitions=p")))
			}
			_ = r.line([]byte(test.line))
			got := finish(t, r)
			assert.Equal(t, test.nodes, got["nodes.total"])
			assert.Equal(t, test.nodes, got["partition.p.nodes.total"])
			assert.Equal(t, 5.0, got["cpus.idle"], "what a has")
			assert.Equal(t, 3.0, got["node.a.cpus_alloc"])
		})
	}
}

// TestNodesBounded gives the fold new names without end, and requires that what it remembers does not grow with them.
func TestNodesBounded(t *testing.T) {
	r := newNodes(&Config{}, quiet()).(*nodes)
	r.begin(tickTime)
	refused := 0
	for i := range 3 * maxPartitions {
		l := fmt.Appendf(nil, "NodeName=n CPUTot=1 State=IDLE%s Partitions=p%d Gres=gpu:t%d:1 GresUsed=gpu:0", strings.Repeat("*", i%5000), i, i)
		if r.line(l) != nil {
			refused++
		}
	}
	assert.Len(t, r.partitions, maxPartitions)
	assert.LessOrEqual(t, len(r.lists), maxCached)
	assert.LessOrEqual(t, len(r.states), maxCached)
	assert.Len(t, r.cards, maxCardKinds)
	assert.Equal(t, 3*maxPartitions-maxCardKinds, refused)
	got := finish(t, r)
	assert.EqualValues(t, 3*maxPartitions, got["nodes.total"])
	for range lingerTicks + 1 {
		feed(t, r, lines("NodeName=a CPUTot=1 State=IDLE Partitions=p0"))
	}
	assert.Len(t, r.partitions, 1, "what went is forgotten")
	assert.Empty(t, r.cards)
}

// TestNodesAllocate shows that a line costs no memory once its words are known.
func TestNodesAllocate(t *testing.T) {
	for _, version := range versions {
		all := capture(t, version, "scontrol_nodes.out")
		r := newNodes(&Config{Nodes: true}, quiet())
		feed(t, r, all)
		allocs := testing.AllocsPerRun(10, func() {
			r.begin(tickTime)
			for _, l := range all {
				if r.line(l) != nil {
					panic(string(l))
				}
			}
		})
		assert.Zero(t, allocs, version)
	}
}

// TestNodesKeepNothing: a line is valid until line returns, so nothing may point into it afterwards.
func TestNodesKeepNothing(t *testing.T) {
	r := newNodes(&Config{Nodes: true}, quiet())
	all := capture(t, "26.05", "scontrol_nodes.out")
	want := feed(t, newNodes(&Config{Nodes: true}, quiet()), all)
	r.begin(tickTime)
	buffer := make([]byte, 0, 1<<16)
	for _, l := range all {
		buffer = append(buffer[:0], l...)
		require.NoError(t, r.line(buffer))
		copy(buffer, bytes.Repeat([]byte("#"), len(buffer)))
	}
	assert.Equal(t, want, finish(t, r))
	runtime.KeepAlive(buffer)
}

func TestNodesDescribe(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range []reader{newNodes(&Config{Nodes: true}, quiet()), newPartitions(&Config{}, quiet())} {
		for _, d := range r.describe() {
			assert.False(t, seen[d.Template], "%s twice", d.Template)
			seen[d.Template] = true
			assert.NotEmpty(t, d.Help, d.Template)
			assert.NotEmpty(t, d.Source, d.Template)
			assert.NotContains(t, d.Help, "%", d.Template)
			assert.False(t, strings.HasSuffix(d.Help, "."), d.Template)
			assert.Equal(t, aggregator.Gauge, d.Kind)
		}
	}
	for _, template := range []string{"nodes.{state}", "nodes.flag.{flag}", "nodes.drained", "nodes.draining", "nodes.available", "nodes.total",
		"cpus.alloc", "cpus.idle", "cpus.other", "cpus.total", "cpus.load", "mem.alloc_bytes", "mem.free_bytes", "mem.total_bytes",
		"gpus.alloc", "gpus.idle", "gpus.unavail", "gpus.total"} {
		assert.True(t, seen[template], template)
		assert.True(t, seen["partition.{partition}."+template], template)
	}
	assert.True(t, seen["node.{node}.state_code"])
	assert.True(t, seen["gpu_type.{type}.unavail"])
}
