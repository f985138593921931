package slurm

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// nodesArgs asks for every node, one a line. "-a" adds the nodes that are only in partitions hidden from the caller,
// and "-d" the GRES in use: AllocTRES has GPUs only on clusters that account for them. Measured with 5,000 nodes, neither
// costs slurmctld or scontrol anything that shows: 22 ms and 10 ms of CPU with both or without, where sinfo -N takes 2 s.
var nodesArgs = []string{"-a", "-d", "show", "nodes", "-o"}

// unknown stands for a number that Slurm does not know, or that could not be read.
const unknown = -1

// A Node is one line of `scontrol show nodes -o`. Its slices point into the line.
//
//	NodeName=g1 Arch=x86_64 CoresPerSocket=16  CPUAlloc=25 CPUEfctv=32 CPUTot=32 CPULoad=0.25 … Gres=gpu:a100:4
//	GresDrain=N/A GresUsed=gpu:a100:4(IDX:0-3) … OS=Linux 6.1.0 #1 SMP  RealMemory=256000 AllocMem=2500 FreeMem=23074 …
//	State=MIXED+DRAIN … Partitions=gpu,all  … CfgTRES=cpu=32,mem=250G,gres/gpu=4 AllocTRES=cpu=25,gres/gpu=4 …
//	Reason=disk errors: "sda" | ticket #42 [root@1795212625] Comment=(null)
type Node struct {
	Name       []byte
	State      []byte  // a base state with its flags: "MIXED+DRAIN", "DOWN*"
	Partitions []byte  // joined by commas; empty where the node is in none
	CPUs       int64   // CPUTot, those set aside for the system included, or unknown
	CPUsAlloc  int64   // or unknown
	Load       float64 // the kernel's load of one minute, or NaN
	Memory     int64   // RealMemory in MiB, or unknown
	MemAlloc   int64   // AllocMem in MiB, or unknown
	MemFree    int64   // FreeMem in MiB: what the kernel does not use; or unknown
	Gres       []byte  // configured
	GresUsed   []byte  // empty without "-d", and from 24.11 on for a node without GRES
	CfgTRES    []byte
	AllocTRES  []byte
	Reason     []byte // without the mark of who set it when
}

var errNoNode = errors.New(`want "NodeName=name … State=state"`)

// parse reads a line into n. It takes keys that it knows where they stand for the first time, in any order, up to the
// first text that people write: a reason or a comment may hold anything. A line without a name or a state is no node.
// A number that cannot be read is unknown, and the error says so; the node stands.
func (n *Node) parse(line []byte) error {
	*n = Node{CPUs: unknown, CPUsAlloc: unknown, Load: math.NaN(), Memory: unknown, MemAlloc: unknown, MemFree: unknown}
	if !bytes.HasPrefix(line, []byte("NodeName=")) {
		return fmt.Errorf("node %q: %w", clip(line), errNoNode)
	}
	p := nodeParser{Node: n}
	for at := 0; at < len(line); {
		token := line[at:]
		if end := bytes.IndexByte(token, ' '); end >= 0 {
			token = token[:end]
		}
		if eq := bytes.IndexByte(token, '='); eq > 0 {
			skip, more := p.take(token[:eq], token[eq+1:], line[at+eq+1:])
			if !more {
				break
			}
			at += skip
		}
		at += len(token) + 1
	}
	if len(n.Name) == 0 || len(n.State) == 0 {
		return fmt.Errorf("node %q: %w", clip(line), errNoNode)
	}
	return p.err
}

// clip shortens foreign text for an error.
func clip(s []byte) []byte {
	const most = 100
	return s[:min(len(s), most)]
}

type nodeParser struct {
	*Node
	taken uint32 // a bit for each key that was there
	err   error
}

const (
	tookName = 1 << iota
	tookState
	tookPartitions
	tookCPUs
	tookCPUsAlloc
	tookLoad
	tookMemory
	tookMemAlloc
	tookMemFree
	tookGres
	tookGresUsed
	tookCfgTRES
	tookAllocTRES
)

// take takes a key's value; rest is the line from the value on. It returns how much further than the value's first word
// the value goes, and whether keys follow it.
func (p *nodeParser) take(key, value, rest []byte) (skip int, more bool) {
	switch string(key) {
	case "NodeName":
		p.text(tookName, &p.Name, value)
	case "State":
		p.text(tookState, &p.State, value)
	case "Partitions":
		p.text(tookPartitions, &p.Partitions, value)
	case "Gres":
		p.text(tookGres, &p.Gres, value)
	case "GresUsed":
		p.text(tookGresUsed, &p.GresUsed, value)
	case "CfgTRES":
		p.text(tookCfgTRES, &p.CfgTRES, value)
	case "AllocTRES":
		p.text(tookAllocTRES, &p.AllocTRES, value)
	case "CPUTot":
		p.number(tookCPUs, "CPUTot", &p.CPUs, value)
	case "CPUAlloc":
		p.number(tookCPUsAlloc, "CPUAlloc", &p.CPUsAlloc, value)
	case "RealMemory":
		p.number(tookMemory, "RealMemory", &p.Memory, value)
	case "AllocMem":
		p.number(tookMemAlloc, "AllocMem", &p.MemAlloc, value)
	case "FreeMem":
		p.number(tookMemFree, "FreeMem", &p.MemFree, value)
	case "CPULoad":
		p.load(value)
	case "OS":
		return osLength(rest) - len(value), true
	case "Reason":
		p.Reason = reasonText(rest)
		return 0, false
	case "Comment", "Extra":
		return 0, false
	}
	return 0, true
}

func (p *nodeParser) first(bit uint32) bool {
	if p.taken&bit != 0 {
		return false
	}
	p.taken |= bit
	return true
}

func (p *nodeParser) text(bit uint32, to *[]byte, value []byte) {
	if p.first(bit) && string(value) != "(null)" {
		*to = value
	}
}

func (p *nodeParser) number(bit uint32, key string, to *int64, value []byte) {
	if !p.first(bit) || string(value) == "N/A" {
		return
	}
	n, ok := parseAmount(value)
	if !ok {
		p.fail(key, value)
		return
	}
	*to = n
}

func (p *nodeParser) load(value []byte) {
	if !p.first(tookLoad) || string(value) == "N/A" {
		return
	}
	load, ok := parseLoad(value)
	if !ok {
		p.fail("CPULoad", value)
		return
	}
	p.Load = load
}

func (p *nodeParser) fail(key string, value []byte) {
	if p.err == nil {
		p.err = fmt.Errorf("node %q: %s %q: want a number", clip(p.Name), key, clip(value))
	}
}

// osLength returns how long the name of a node's system at the start of s is. It has words like
// `Linux 6.1.0 #1 SMP PREEMPT_DYNAMIC @0 `, and the keys of the memory follow it in every version.
func osLength(s []byte) int {
	key := []byte(" RealMemory=")
	for at := 0; ; {
		i := bytes.Index(s[at:], key)
		if i < 0 {
			break
		}
		after := s[at+i+len(key):]
		if sp := bytes.IndexByte(after, ' '); sp > 0 && allDigits(after[:sp]) && bytes.HasPrefix(after[sp:], []byte(" AllocMem=")) {
			return at + i
		}
		at += i + len(key)
	}
	if sp := bytes.IndexByte(s, ' '); sp >= 0 {
		return sp
	}
	return len(s)
}

// maxMark is longer than any user's name and time.
const maxMark = 512

// reasonText returns the reason at the start of s, which ends before the last mark of who set it when, like
// " [root@1795212625]". Without a mark it is all of s.
func reasonText(s []byte) []byte {
	for end := len(s); ; {
		i := bytes.LastIndex(s[:end], []byte(" ["))
		if i < 0 {
			return s
		}
		mark := s[i+2 : min(len(s), i+2+maxMark)]
		close := bytes.IndexByte(mark, ']')
		if close > 0 && bytes.IndexByte(mark[:close], '@') > 0 && bytes.IndexByte(mark[:close], ' ') < 0 {
			return s[:i]
		}
		end = i
	}
}

// maxAmount keeps the sum of a million of them within 64 bits.
const maxAmount = 1 << 40

// parseAmount reads digits.
func parseAmount(s []byte) (n int64, ok bool) {
	if len(s) == 0 {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + int64(c-'0'); n > maxAmount {
			return 0, false
		}
	}
	return n, true
}

// parseLoad reads digits with a fraction, as in "12.34".
func parseLoad(s []byte) (float64, bool) {
	whole, fraction, _ := bytes.Cut(s, []byte("."))
	n, ok := parseAmount(whole)
	if !ok || len(fraction) > 9 || !allDigits(fraction) {
		return 0, false
	}
	unit := 1.0
	part := 0.0
	for _, c := range fraction {
		part = part*10 + float64(c-'0')
		unit *= 10
	}
	return float64(n) + part/unit, true
}
