package main_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// This file counts nodes another way than the agent does: from the long form of `scontrol show node`, CPUs of partitions
// from sinfo's own sums.

var (
	nodeBegin      = regexp.MustCompile(`(?m)^NodeName=(\S+) `)
	nodeCPUs       = regexp.MustCompile(`\n   CPUAlloc=(\d+) .*CPUTot=(\d+) `)
	nodeMemory     = regexp.MustCompile(`\n   RealMemory=(\d+) AllocMem=(\d+) `)
	nodeState      = regexp.MustCompile(`\n   State=(\S+) `)
	nodePartitions = regexp.MustCompile(`\n   Partitions=(\S+) `)
	nodeCards      = regexp.MustCompile(`\n   Gres=gpu:(\w+):(\d+)\n`)
	nodeCardsUsed  = regexp.MustCompile(`\n   GresUsed=gpu:\w+:(\d+)`)
)

// countNodes adds up the nodes in the answer of `scontrol -a -d show node`.
func countNodes(t testing.TB, text string, counts snapshot) {
	t.Helper()
	starts := nodeBegin.FindAllStringIndex(text, -1)
	for i, s := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		countNode(t, text[s[0]:end], counts)
	}
}

func countNode(t testing.TB, node string, counts snapshot) {
	t.Helper()
	first := func(e *regexp.Regexp) []string {
		m := e.FindStringSubmatch(node)
		require.NotNil(t, m, "%s of %s", e, node)
		return m[1:]
	}
	words := strings.Split(strings.ToLower(first(nodeState)[0]), "+")
	base, flags := words[0], words[1:]
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	busy := base == "mixed" || base == "allocated" || has("completing")
	out := base == "down" || has("drain")
	cpus, memory := first(nodeCPUs), first(nodeMemory)
	amounts := map[string]float64{"nodes.total": 1, "nodes." + base: 1,
		"cpus.alloc": number(t, cpus[0]), "cpus.total": number(t, cpus[1]),
		"mem.total_bytes": number(t, memory[0]) * 1024 * 1024, "mem.alloc_bytes": number(t, memory[1]) * 1024 * 1024}
	for _, f := range flags {
		amounts["nodes.flag."+f] = 1
	}
	rest := func(resource, unused string) {
		if !out {
			unused = "idle"
		}
		amounts[resource+"."+unused] = amounts[resource+".total"] - amounts[resource+".alloc"]
	}
	rest("cpus", "other")
	switch {
	case has("drain") && busy:
		amounts["nodes.draining"] = 1
	case has("drain"):
		amounts["nodes.drained"] = 1
	case (busy || base == "idle") && (!has("not_responding") || has("powering_up")):
		amounts["nodes.available"] = 1
	}
	cards := ""
	if m := nodeCards.FindStringSubmatch(node); m != nil {
		cards = m[1]
		amounts["gpus.total"], amounts["gpus.alloc"] = number(t, m[2]), number(t, first(nodeCardsUsed)[0])
		rest("gpus", "unavail")
	}
	for path, n := range amounts {
		counts[path] += n
		if kind, ok := strings.CutPrefix(path, "gpus."); ok {
			counts["gpu_type."+cards+"."+kind] += n
		}
		for _, p := range strings.Split(first(nodePartitions)[0], ",") {
			if !strings.HasPrefix(path, "cpus.") { // sinfo has said
				counts["partition."+p+"."+path] += n
			}
		}
	}
}

// countPartitions reads the sums that sinfo makes: partition, availability, CPUs allocated/idle/other/total. A partition
// has a line for each state of its nodes.
//
//	batch|up|53/13/30/96
func countPartitions(t testing.TB, text string, counts snapshot) {
	t.Helper()
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), "|")
		require.Len(t, f, 3, line)
		prefix := "partition." + f[0] + "."
		counts[prefix+"up"] = 0
		if f[1] == "up" {
			counts[prefix+"up"] = 1
		}
		sums := strings.Split(f[2], "/")
		require.Len(t, sums, 4, line)
		for i, name := range []string{"alloc", "idle", "other", "total"} {
			counts[prefix+"cpus."+name] += number(t, sums[i])
		}
	}
}

func TestCountNodes(t *testing.T) {
	counts := snapshot{}
	countNodes(t, "NodeName=g1 Arch=x86_64 CoresPerSocket=16 \n   CPUAlloc=8 CPUEfctv=32 CPUTot=32 CPULoad=1.63\n   Gres=gpu:a100:4\n"+
		"   GresUsed=gpu:a100:3(IDX:0-2)\n   RealMemory=256000 AllocMem=800 FreeMem=22866 Sockets=2 Boards=1\n"+
		"   State=MIXED+DRAIN ThreadsPerCore=1 TmpDisk=0\n   Partitions=gpu,all \n   Reason=State=IDLE [root@2026]\n", counts)
	countPartitions(t, "gpu|up|8/0/24/32\nall|drain|5/6/7/18\nall|drain|1/0/0/1\n", counts)
	const mb = 1024 * 1024
	assert.Equal(t, snapshot{
		"nodes.total": 1, "nodes.mixed": 1, "nodes.flag.drain": 1, "nodes.draining": 1,
		"partition.gpu.nodes.total": 1, "partition.gpu.nodes.mixed": 1, "partition.gpu.nodes.flag.drain": 1, "partition.gpu.nodes.draining": 1,
		"partition.all.nodes.total": 1, "partition.all.nodes.mixed": 1, "partition.all.nodes.flag.drain": 1, "partition.all.nodes.draining": 1,
		"cpus.total": 32, "cpus.alloc": 8, "cpus.other": 24, "gpus.total": 4, "gpus.alloc": 3, "gpus.unavail": 1,
		"gpu_type.a100.total": 4, "gpu_type.a100.alloc": 3, "gpu_type.a100.unavail": 1,
		"partition.gpu.gpus.total": 4, "partition.gpu.gpus.alloc": 3, "partition.gpu.gpus.unavail": 1,
		"partition.all.gpus.total": 4, "partition.all.gpus.alloc": 3, "partition.all.gpus.unavail": 1,
		"mem.total_bytes": 256000 * mb, "mem.alloc_bytes": 800 * mb,
		"partition.gpu.mem.total_bytes": 256000 * mb, "partition.gpu.mem.alloc_bytes": 800 * mb,
		"partition.all.mem.total_bytes": 256000 * mb, "partition.all.mem.alloc_bytes": 800 * mb,
		"partition.gpu.up": 1, "partition.gpu.cpus.alloc": 8, "partition.gpu.cpus.idle": 0, "partition.gpu.cpus.other": 24, "partition.gpu.cpus.total": 32,
		"partition.all.up": 0, "partition.all.cpus.alloc": 6, "partition.all.cpus.idle": 6, "partition.all.cpus.other": 7, "partition.all.cpus.total": 19,
	}, counts)
}
