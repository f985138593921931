package slurm

import (
	"bytes"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

var versions = []string{"20.11", "22.05", "24.11", "26.05"}

// capture returns the lines of a file of testdata.
func capture(t testing.TB, version, name string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", version, name))
	require.NoError(t, err)
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	require.NotEmpty(t, lines[0], "%s %s is empty", version, name)
	return lines
}

// fields returns the fields of sinfo's lines, which the unit separator parts.
func fields(t testing.TB, version, name string) [][]string {
	t.Helper()
	var rows [][]string
	for _, l := range capture(t, version, name) {
		rows = append(rows, strings.Split(string(l), "\x1f"))
	}
	return rows
}

func quiet() *tokens { return newTokens(slog.New(slog.DiscardHandler)) }

// feed gives a reader one call's lines, and requires that each can be read.
func feed(t testing.TB, r reader, lines [][]byte) map[string]float64 {
	t.Helper()
	r.begin(tickTime)
	for _, l := range lines {
		require.NoError(t, r.line(l), "line %q", l)
	}
	return finish(t, r)
}

// finish ends a call that succeeded, and returns its metrics by their filled templates.
func finish(t testing.TB, r reader) map[string]float64 {
	t.Helper()
	described := map[*aggregator.Desc]bool{}
	for _, d := range r.describe() {
		described[d] = true
	}
	var b aggregator.Batch
	b.Reset(tickTime)
	r.end(&b)
	require.NoError(t, b.Err())
	got := map[string]float64{}
	for _, m := range b.Metrics() {
		assert.True(t, described[m.Desc], "%s is not described", m.Desc.Template)
		name := path(m)
		if _, twice := got[name]; twice {
			t.Errorf("%s was added twice", name)
		}
		got[name] = m.Value
	}
	return got
}

func path(m aggregator.Metric) string {
	var s strings.Builder
	labels := m.Labels
	for _, p := range m.Desc.Parts() {
		if !p.Placeholder {
			s.WriteString(p.Text)
			continue
		}
		s.WriteString(labels[0])
		labels = labels[1:]
	}
	return s.String()
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err, "%q", s)
	return v
}

// TestNodesAsSinfo compares the fold with what sinfo said of each partition at the same moment.
func TestNodesAsSinfo(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			got := feed(t, newNodes(&Config{}, quiet()), capture(t, version, "scontrol_nodes.out"))
			rows := fields(t, version, "sinfo_partitions.out")
			require.Len(t, rows, 12)
			for _, row := range rows {
				name, nodes, cpus := row[0], strings.Split(row[3], "/"), strings.Split(row[4], "/")
				if row[2] == "0" {
					assert.NotContains(t, got, "partition."+name+".nodes.total", "scontrol lists no node of it")
					continue
				}
				at := func(metric string) float64 {
					require.Contains(t, got, "partition."+name+"."+metric)
					return got["partition."+name+"."+metric]
				}
				assert.Equal(t, number(t, row[2]), at("nodes.total"), name)
				assert.Equal(t, number(t, nodes[0]), at("nodes.allocated")+at("nodes.mixed"), name)
				assert.Equal(t, number(t, cpus[0]), at("cpus.alloc"), name)
				assert.Equal(t, number(t, cpus[1]), at("cpus.idle"), name)
				assert.Equal(t, number(t, cpus[2]), at("cpus.other"), name)
				assert.Equal(t, number(t, cpus[3]), at("cpus.total"), name)
				bases := 0.0
				for _, b := range baseNames {
					bases += at("nodes." + b)
				}
				assert.Equal(t, at("nodes.total"), bases, name)
			}
		})
	}
}

// A nodeSaid is what sinfo says of one node.
type nodeSaid struct {
	partitions                     []string
	state                          string
	cpus                           []string
	memory, free, load, gres       string
	alloc, used                    string
	silent, out, drained, draining bool
}

// said gathers what sinfo said of each node at the moment of the capture.
func said(t *testing.T, version string) map[string]*nodeSaid {
	t.Helper()
	nodes := map[string]*nodeSaid{}
	for _, row := range fields(t, version, "sinfo_nodes.out") {
		n := nodes[row[0]]
		if n == nil {
			n = &nodeSaid{state: row[2], cpus: strings.Split(row[3], "/"), memory: row[5], free: row[6], load: row[7], gres: row[8]}
			nodes[row[0]] = n
		}
		n.partitions = append(n.partitions, row[1])
		n.silent = strings.ContainsAny(n.state, "*~#%")
		n.out = strings.HasPrefix(n.state, "down") || strings.HasPrefix(n.state, "drain")
	}
	for _, row := range fields(t, version, "sinfo_alloc.out") {
		require.Contains(t, nodes, row[0])
		nodes[row[0]].alloc, nodes[row[0]].used = row[1], row[2]
	}
	for _, l := range capture(t, version, "sinfo_drain.out") {
		words := strings.Fields(string(l))
		for _, name := range words[1:] {
			nodes[name].drained = nodes[name].drained || words[0] == "drained"
			nodes[name].draining = nodes[name].draining || words[0] == "draining"
		}
	}
	return nodes
}

// sums adds up what sinfo said of those nodes, without the code under test.
func sums(t *testing.T, nodes map[string]*nodeSaid, in func(*nodeSaid) bool) map[string]float64 {
	t.Helper()
	// GPUs by what sinfo printed of these clusters: total, and in use.
	totals := map[string]float64{"": 0, "(null)": 0, "gpu:a100:4": 4, "gpu:v100:2": 2, "gpu:3": 3,
		"gpu:a100:4,shard:a100:8": 4, "gpu:a100:4,shard:8": 4, "gpu:a100:2,gpu:v100:1,fpga:3": 3}
	used := map[string]float64{"(null)": 0, "gpu:0": 0, "gpu:0,fpga:0": 0, "gpu:0,fpga:0,shard:0": 0,
		"gpu:a100:4(IDX:0-3)": 4, "gpu:a100:4(IDX:0-3),fpga:0": 4, "gpu:a100:4(IDX:0-3),fpga:0,shard:0": 4,
		"gpu:a100:0(IDX:N/A),fpga:0": 0, "gpu:a100:0(IDX:N/A),fpga:0,shard:a100:0(IDX:N/A)": 0,
		"gpu:a100:0(IDX:N/A),shard:a100:0(0/2,0/2,0/2,0/2)": 0,
		"gpu:a100:1(IDX:0),gpu:v100:1(IDX:2),fpga:2":        2, "gpu:a100:1(IDX:0),gpu:v100:1(IDX:2),fpga:2,shard:0": 2,
		"gpu:2": 2, "gpu:2,fpga:0": 2, "gpu:2,fpga:0,shard:0": 2,
		"gpu:v100:0(IDX:N/A)": 0, "gpu:v100:0(IDX:N/A),fpga:0": 0, "gpu:v100:0(IDX:N/A),fpga:0,shard:0": 0}
	sum := map[string]float64{}
	for name, n := range nodes {
		if !in(n) {
			continue
		}
		require.Contains(t, totals, n.gres, name)
		require.Contains(t, used, n.used, name)
		idle, rest := "gpus.idle", totals[n.gres]-used[n.used]
		if n.out {
			idle = "gpus.unavail"
		}
		sum["gpus.total"] += totals[n.gres]
		sum["gpus.alloc"] += used[n.used]
		sum[idle] += rest
		sum["mem.total_bytes"] += number(t, n.memory) * 1048576
		sum["mem.alloc_bytes"] += number(t, n.alloc) * 1048576
		if !n.silent {
			sum["mem.free_bytes"] += number(t, n.free) * 1048576
			sum["cpus.load"] += number(t, n.load)
		}
		for i, metric := range []string{"cpus.alloc", "cpus.idle", "cpus.other", "cpus.total"} {
			sum[metric] += number(t, n.cpus[i])
		}
		if n.drained {
			sum["nodes.drained"]++
		}
		if n.draining {
			sum["nodes.draining"]++
		}
		sum["nodes.total"]++
	}
	return sum
}

// TestNodesAsSinfoByNode compares each figure of the cluster and of each partition with sinfo's answers node by node.
func TestNodesAsSinfoByNode(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			got := feed(t, newNodes(&Config{}, quiet()), capture(t, version, "scontrol_nodes.out"))
			nodes := said(t, version)
			names := map[string]bool{}
			for _, n := range nodes {
				for _, p := range n.partitions {
					names[p] = true
				}
			}
			require.Len(t, names, 11)
			compare := func(prefix string, want map[string]float64) {
				t.Helper()
				for _, metric := range []string{"nodes.total", "nodes.drained", "nodes.draining", "cpus.total", "cpus.alloc", "cpus.idle", "cpus.other",
					"mem.total_bytes", "mem.alloc_bytes", "gpus.total", "gpus.alloc", "gpus.idle", "gpus.unavail"} {
					assert.Equal(t, want[metric], got[prefix+metric], prefix+metric)
				}
				for _, metric := range []string{"mem.free_bytes", "cpus.load"} {
					if _, known := want[metric]; !known {
						assert.NotContains(t, got, prefix+metric, "no node reports it")
						continue
					}
					assert.InDelta(t, want[metric], got[prefix+metric], 1e-9, prefix+metric)
				}
			}
			compare("", sums(t, nodes, func(*nodeSaid) bool { return true }))
			for _, p := range slices.Sorted(maps.Keys(names)) {
				compare("partition."+p+".", sums(t, nodes, func(n *nodeSaid) bool { return slices.Contains(n.partitions, p) }))
			}
		})
	}
}

// TestNodesCaptured holds what the captured clusters' states and cards come to, worked out by hand.
func TestNodesCaptured(t *testing.T) {
	common := map[string]float64{
		"nodes.error": 0, "nodes.future": 0, "nodes.unknown": 1, "nodes.down": 2,
		"nodes.flag.fail": 1, "nodes.flag.maintenance": 1, "nodes.flag.drain": 4, "nodes.flag.reboot_requested": 1,
		"nodes.flag.powering_up": 3, "nodes.flag.cloud": 3,
		"gpu_type.a100.total": 10, "gpu_type.a100.alloc": 5, "gpu_type.a100.idle": 5, "gpu_type.a100.unavail": 0,
		"gpu_type.v100.total": 3, "gpu_type.v100.alloc": 1, "gpu_type.v100.idle": 0, "gpu_type.v100.unavail": 2,
		"gpu_type.untyped.total": 3, "gpu_type.untyped.alloc": 2, "gpu_type.untyped.idle": 0, "gpu_type.untyped.unavail": 1,
	}
	tests := map[string]map[string]float64{
		"20.11": {"nodes.total": 16, "nodes.idle": 3, "nodes.mixed": 9, "nodes.allocated": 1, "nodes.available": 8, "nodes.flag.not_responding": 2},
		"22.05": {"nodes.total": 16, "nodes.idle": 3, "nodes.mixed": 9, "nodes.allocated": 1, "nodes.available": 8, "nodes.flag.not_responding": 5, "nodes.flag.reserved": 1},
		"24.11": {"nodes.total": 17, "nodes.idle": 4, "nodes.mixed": 9, "nodes.allocated": 1, "nodes.available": 9, "nodes.flag.not_responding": 5, "nodes.flag.cloud": 4, "nodes.flag.powered_down": 1},
		"26.05": {"nodes.total": 17, "nodes.idle": 4, "nodes.mixed": 9, "nodes.allocated": 1, "nodes.available": 9, "nodes.flag.not_responding": 5, "nodes.flag.cloud": 4, "nodes.flag.powered_down": 1},
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			tok := quiet()
			got := feed(t, newNodes(&Config{}, tok), capture(t, version, "scontrol_nodes.out"))
			want := maps.Clone(common)
			maps.Copy(want, tests[version])
			for metric, v := range want {
				assert.Contains(t, got, metric)
				assert.Equal(t, v, got[metric], metric)
			}
			assert.Zero(t, tok.total, "unknown words")
		})
	}
}

// TestNodesWithoutDetails shows that AllocTRES says the same of GPUs where GresUsed is missing.
func TestNodesWithoutDetails(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			plain := capture(t, version, "scontrol_nodes_plain.out")
			require.NotContains(t, string(bytes.Join(plain, nil)), "GresUsed=")
			got := feed(t, newNodes(&Config{}, quiet()), plain)
			want := feed(t, newNodes(&Config{}, quiet()), capture(t, version, "scontrol_nodes.out"))
			for _, gpus := range []string{"gpus.", "gpu_type.a100.", "gpu_type.v100.", "gpu_type.untyped.", "partition.gpu.gpus."} {
				for _, of := range []string{"total", "alloc", "idle", "unavail"} {
					assert.Equal(t, want[gpus+of], got[gpus+of], gpus+of)
				}
			}
			assert.Equal(t, 8.0, got["gpus.alloc"])
		})
	}
}

// TestNodesTextOfTwoLines shows that what an admin writes in a reason changes nothing but the node that it is about.
func TestNodesTextOfTwoLines(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			lines := capture(t, version, "scontrol_nodes_newline.out")
			r := newNodes(&Config{Nodes: true}, quiet())
			got := feed(t, r, lines)
			assert.EqualValues(t, len(lines), got["nodes.total"])
			assert.Equal(t, float64(codeDown), got["node.h1.state_code"])
			assert.NotContains(t, got, "node.evil.state_code")
			assert.Equal(t, 4.0, got["partition.onlyhid.cpus.other"])
			assert.NotContains(t, got, "partition.evil.nodes.total")
		})
	}
}

func TestNodesFuture(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			got := feed(t, newNodes(&Config{}, quiet()), capture(t, version, "scontrol_nodes_future.out"))
			assert.Equal(t, 1.0, got["nodes.future"])
			assert.Equal(t, 16.0, got["cpus.other"])
			assert.Equal(t, 0.0, got["nodes.available"])
			assert.NotContains(t, got, "cpus.load", "a future node reports none")
		})
	}
}

func TestPartitionsCaptured(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			tok := quiet()
			got := feed(t, newPartitions(&Config{}, tok), capture(t, version, "sinfo_up.out"))
			want := map[string]float64{}
			for _, name := range []string{"batch", "gpu", "all", "cloud", "hiddenp", "private", "Odd-Name.1", "onlyhid", "empty"} {
				want["partition."+name+".up"] = 1
			}
			for _, name := range []string{"downp", "drainp", "inactp"} {
				want["partition."+name+".up"] = 0
			}
			assert.Equal(t, want, got)
			assert.Zero(t, tok.total)
		})
	}
}
