package slurm

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A wantNode is a Node in strings.
type wantNode struct {
	name, state, partitions, gres, used, cfg, tres, reason string
	cpus, alloc, mem, memAlloc, memFree                    int64
	load                                                   float64
}

func (n *Node) strings() wantNode {
	return wantNode{string(n.Name), string(n.State), string(n.Partitions), string(n.Gres), string(n.GresUsed), string(n.CfgTRES),
		string(n.AllocTRES), string(n.Reason), n.CPUs, n.CPUsAlloc, n.Memory, n.MemAlloc, n.MemFree, n.Load}
}

// noLoad stands for NaN, which equals nothing.
const noLoad = -1.0

func TestNodeParse(t *testing.T) {
	tests := []struct {
		name, line string
		want       wantNode
		err        string
	}{
		{name: "all of it",
			line: `NodeName=g1 Arch=x86_64 CoresPerSocket=16  CPUAlloc=25 CPUEfctv=30 CPUTot=32 CPULoad=0.27 AvailableFeatures=gpu ActiveFeatures=gpu Gres=gpu:a100:4 GresDrain=N/A GresUsed=gpu:a100:3(IDX:0-2) NodeAddr=127.0.0.1 Version=22.05.8 OS=Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=256000 AllocMem=2500 FreeMem=23074 Sockets=2 State=MIXED+DRAIN ThreadsPerCore=1 NextState=RESUME Partitions=gpu,all  BootTime=1795211387 CfgTRES=cpu=32,mem=250G,gres/gpu=4 AllocTRES=cpu=25,gres/gpu=3 CapWatts=n/a Reason=disk errors: "sda" | ticket #42 [root@1795212625] Comment=(null)`,
			want: wantNode{"g1", "MIXED+DRAIN", "gpu,all", "gpu:a100:4", "gpu:a100:3(IDX:0-2)", "cpu=32,mem=250G,gres/gpu=4", "cpu=25,gres/gpu=3", `disk errors: "sda" | ticket #42`, 32, 25, 256000, 2500, 23074, 0.27}},
		{name: "what is not known",
			line: `NodeName=n1 CPULoad=N/A Gres=(null) GresUsed=(null) FreeMem=N/A State=IDLE CfgTRES=(null) AllocTRES=`,
			want: wantNode{name: "n1", state: "IDLE", cpus: unknown, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "another order",
			line: `NodeName=n2 AllocTRES=cpu=3 Partitions=a State=DOWN* FreeMem=7 CPUTot=5 CPUAlloc=3 CPULoad=12 AllocMem=6 RealMemory=9`,
			want: wantNode{name: "n2", state: "DOWN*", partitions: "a", tres: "cpu=3", cpus: 5, alloc: 3, mem: 9, memAlloc: 6, memFree: 7, load: 12}},
		{name: "keys in the reason",
			line: `NodeName=n3 CPUTot=4 State=IDLE Reason=failing: State=DOWN CPUTot=99 Partitions=evil Gres=gpu:77 x="y" [root@12] [root@1795212643]`,
			want: wantNode{name: "n3", state: "IDLE", reason: `failing: State=DOWN CPUTot=99 Partitions=evil Gres=gpu:77 x="y" [root@12]`, cpus: 4, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "keys behind a reason of two lines",
			line: `NodeName=n4 State=DOWN Reason=line one [root@1795212941]        NodeName=evil CPUTot=5 State=IDLE Partitions=evil Comment=(null)`,
			want: wantNode{name: "n4", state: "DOWN", reason: "line one", cpus: unknown, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "keys in a comment and in extra",
			line: `NodeName=n5 State=IDLE Comment=c=1 Gres=gpu:9 Partitions=zz Extra={"CPUTot=3":1, "Partitions=x"}`,
			want: wantNode{name: "n5", state: "IDLE", cpus: unknown, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "keys in the system's name",
			line: `NodeName=n6 OS=Linux State=DOWN Partitions=evil Reason=x RealMemory=big RealMemory=6 #1  RealMemory=11 AllocMem=8 FreeMem=2 State=MIXED Partitions=good`,
			want: wantNode{name: "n6", state: "MIXED", partitions: "good", cpus: unknown, alloc: unknown, mem: 11, memAlloc: 8, memFree: 2, load: noLoad}},
		{name: "the system's name last",
			line: `NodeName=n7 State=IDLE CPUTot=13 OS=Linux`,
			want: wantNode{name: "n7", state: "IDLE", cpus: 13, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "a reason without a mark",
			line: `NodeName=n8 State=IDLE Reason=so it is [not@ 7] [x]`,
			want: wantNode{name: "n8", state: "IDLE", reason: "so it is [not@ 7] [x]", cpus: unknown, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "a reason with a date",
			line: `NodeName=n9 State=IDLE Reason=bad [slurm@2026-11-20T22:11:07]`,
			want: wantNode{name: "n9", state: "IDLE", reason: "bad", cpus: unknown, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "a key twice: the first",
			line: `NodeName=n10 State=IDLE State=DOWN CPUTot=N/A CPUTot=6`,
			want: wantNode{name: "n10", state: "IDLE", cpus: unknown, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad}},
		{name: "a number that is none",
			line: `NodeName=n11 State=IDLE CPUTot=many CPUAlloc=2 RealMemory=99999999999999999999 AllocMem=-4 CPULoad=nan`,
			want: wantNode{name: "n11", state: "IDLE", cpus: unknown, alloc: 2, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad},
			err:  `node "n11": CPUTot "many": want a number`},
		{name: "a load beyond all", line: `NodeName=n12 State=IDLE CPULoad=1e99`,
			want: wantNode{name: "n12", state: "IDLE", cpus: unknown, alloc: unknown, mem: unknown, memAlloc: unknown, memFree: unknown, load: noLoad},
			err:  `node "n12": CPULoad "1e99": want a number`},
		{name: "an error line", line: "slurm_load_node error: Unable to contact slurm controller", err: `want "NodeName=name … State=state"`},
		{name: "cut before the state", line: `NodeName=n13 Arch=x86_64 CoresPer`, err: `node "NodeName=n13 Arch=x86_64 CoresPer": want`},
		{name: "no name", line: `NodeName= State=IDLE`, err: "want"},
		{name: "long", line: "NodeName=" + strings.Repeat("x", 300), err: `node "NodeName=` + strings.Repeat("x", 91) + `": want`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var n Node
			err := n.parse([]byte(test.line))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
			} else {
				require.NoError(t, err)
			}
			if test.want.name == "" {
				return
			}
			got := n.strings()
			if math.IsNaN(got.load) {
				got.load = noLoad
			}
			assert.Equal(t, test.want, got)
		})
	}
}

// TestNodeParseCut cuts a real line at every byte: what stands before the cut is read as it is in the whole.
func TestNodeParseCut(t *testing.T) {
	for _, version := range versions {
		for _, line := range capture(t, version, "scontrol_nodes.out") {
			var whole Node
			require.NoError(t, whole.parse(line))
			for i := range line {
				var n Node
				if n.parse(line[:i]) == nil && n.CPUs != unknown && i < len(line) && line[i] == ' ' {
					assert.Equal(t, whole.CPUs, n.CPUs, "%q", line[:i])
					assert.True(t, bytes.HasPrefix(whole.Partitions, n.Partitions), "%q", line[:i])
				}
			}
		}
	}
}

// TestNodeParseSlow gives the parser lines that would take long if it looked at anything again and again.
func TestNodeParseSlow(t *testing.T) {
	const size = 1 << 20
	for _, part := range []string{" [", " [a@", " RealMemory=1", " RealMemory=1 AllocMem=", "=", " =", " x=y", "OS= ", " Reason= [a@b", " "} {
		line := []byte("NodeName=n State=IDLE OS=a Reason=" + strings.Repeat(part, size/len(part)))
		var n Node
		_ = n.parse(line)
		assert.Equal(t, "IDLE", string(n.State))
	}
}

func TestParseLoad(t *testing.T) {
	tests := map[string]float64{"0.00": 0, "12.34": 12.34, "7": 7, "3.": 3, "1000000.5": 1000000.5, "0.123456789": 0.123456789}
	for s, want := range tests {
		got, ok := parseLoad([]byte(s))
		assert.True(t, ok, s)
		assert.InDelta(t, want, got, 1e-12, s)
	}
	for _, s := range []string{"", ".5", "-1", "nan", "inf", "1e3", "1.2.3", "1099511627777", "0.1234567890", "1,5"} {
		_, ok := parseLoad([]byte(s))
		assert.False(t, ok, s)
	}
}

func FuzzNode(f *testing.F) {
	for _, version := range versions {
		for _, name := range []string{"scontrol_nodes.out", "scontrol_nodes_newline.out", "scontrol_nodes_future.out"} {
			for _, l := range capture(f, version, name) {
				f.Add(l)
			}
		}
	}
	f.Add([]byte("NodeName=a State=IDLE OS=x RealMemory=1 AllocMem=2 Reason=y [z@1]"))
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		var n, again Node
		err := n.parse(line)
		require.Equal(t, before, line, "changed")
		if len(n.Name) > 0 {
			require.Contains(t, string(line), "NodeName="+string(n.Name))
		}
		for _, v := range []int64{n.CPUs, n.CPUsAlloc, n.Memory, n.MemAlloc, n.MemFree} {
			require.GreaterOrEqual(t, v, int64(unknown))
			require.LessOrEqual(t, v, int64(maxAmount))
		}
		require.False(t, n.Load < 0 || n.Load > maxAmount+1, "%v", n.Load)
		require.NotContains(t, string(n.State), " ")
		second := again.parse(line)
		require.Equal(t, err == nil, second == nil)
		a, b := n.strings(), again.strings()
		if math.IsNaN(a.load) && math.IsNaN(b.load) {
			a.load, b.load = 0, 0
		}
		require.Equal(t, a, b)
	})
}

// FuzzNodes gives whole calls to the fold: whatever they hold, each node is counted once, each CPU once.
func FuzzNodes(f *testing.F) {
	for _, version := range versions {
		lines := capture(f, version, "scontrol_nodes.out")
		f.Add(bytes.Join(lines[:5], []byte("\n")))
		f.Add(bytes.Join(lines[10:], []byte("\n")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newNodes(&Config{Nodes: true}, quiet())
		var first map[string]float64
		for range 2 {
			r.begin(tickTime)
			named := 0
			for l := range bytes.SplitSeq(text, []byte("\n")) {
				var n Node
				_ = n.parse(l)
				if len(n.Name) > 0 && len(n.State) > 0 {
					named++
				}
				_ = r.line(l)
			}
			got := finish(t, r)
			require.EqualValues(t, named, got["nodes.total"])
			bases := 0.0
			for _, b := range baseNames {
				bases += got["nodes."+b]
			}
			require.Equal(t, got["nodes.total"], bases)
			require.GreaterOrEqual(t, got["cpus.idle"], 0.0)
			require.GreaterOrEqual(t, got["gpus.idle"], 0.0)
			if first == nil {
				first = got
			}
			require.Equal(t, first, got, "a second call of the same")
		}
	})
}
