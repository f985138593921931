package slurmbed

import (
	"fmt"
	"strings"
)

// A Profile is the nodes and partitions of a cluster.
type Profile struct {
	Nodes      []Nodes
	Partitions []Partition
}

// Nodes are some nodes alike, named by a prefix and a number from 1 on: c1, c2, … Their sizes are make-believe.
type Nodes struct {
	Prefix                  string
	Count                   int
	Sockets, Cores, Threads int // cores of a socket, threads of a core
	MemoryMB                int
	GPUType                 string // empty: no GPU
	GPUs                    int
	Features                string
	Weight                  int
	Kind                    Kind
}

// A Kind says what stands behind a node.
type Kind string

const (
	Real   Kind = "UNKNOWN" // a slurmd of its own
	Future Kind = "FUTURE"  // nothing: it is yet to be bought
	Cloud  Kind = "CLOUD"   // nothing: it is powered up for a job, and never comes up
)

// A Partition has a name, its nodes as slurm.conf spells them, and more of its options.
type Partition struct{ Name, Nodes, Options string }

var (
	thin     = Nodes{Prefix: "c", Count: 6, Sockets: 2, Cores: 8, Threads: 1, MemoryMB: 64000, Features: "cpu,avx2", Weight: 10, Kind: Real}
	a100     = Nodes{Prefix: "g", Count: 2, Sockets: 2, Cores: 16, Threads: 1, MemoryMB: 256000, GPUType: "a100", GPUs: 4, Features: "gpu,a100,nvlink", Weight: 100, Kind: Real}
	v100     = Nodes{Prefix: "v", Count: 1, Sockets: 1, Cores: 4, Threads: 2, MemoryMB: 32000, GPUType: "v100", GPUs: 2, Features: "gpu,v100", Weight: 90, Kind: Real}
	fat      = Nodes{Prefix: "x", Count: 1, Sockets: 2, Cores: 32, Threads: 1, MemoryMB: 1024000, Features: "bigmem", Weight: 200, Kind: Real}
	unbought = Nodes{Prefix: "f", Count: 2, Sockets: 2, Cores: 12, Threads: 1, MemoryMB: 48000, Kind: Future}
	cloud    = Nodes{Prefix: "k", Count: 2, Sockets: 1, Cores: 6, Threads: 1, MemoryMB: 24000, Features: "cloud", Weight: 300, Kind: Cloud}
)

// Full has room for the mix: thin, GPU and fat nodes, some that are in a cloud or yet to be bought, and a partition of each
// state, one hidden, one for a single account, one without nodes.
var Full = Profile{
	Nodes: []Nodes{thin, a100, v100, fat, unbought, cloud},
	Partitions: []Partition{
		{"batch", "c[1-6]", "Default=YES MaxTime=2-0 DefaultTime=60 PriorityJobFactor=10"},
		{"gpu", "g[1-2],v1", "MaxTime=1-0 DefaultTime=60 PriorityJobFactor=50 TRESBillingWeights=CPU=1.0,Mem=0.25G,GRES/gpu=8.0"},
		{"bigmem", "x1", "MaxTime=4-0 DefaultTime=60"},
		{"debug", "c[1-2]", "MaxTime=30 DefaultTime=10 PriorityJobFactor=100 OverSubscribe=FORCE:2"},
		{"all", "c[1-6],g[1-2],v1,x1", "MaxTime=UNLIMITED DefaultTime=60"},
		{"cloud", "k[1-2]", "MaxTime=60"},
		{"one", "c[3-4]", "MaxTime=60 MaxNodes=1"},
		{"drainp", "c[5-6]", "MaxTime=60 State=DRAIN"},
		{"downp", "c[5-6]", "MaxTime=60 State=DOWN"},
		{"inactp", "c6", "MaxTime=60 State=INACTIVE"},
		{"private", "c[3-4]", "MaxTime=60 AllowAccounts=physics AllowQos=high"},
		{"hiddenp", "c4", "Hidden=YES"},
		{"empty", "", ""},
	},
}

// Plain is what a small centre may have: thin, GPU and fat nodes in four partitions.
var Plain = Profile{
	Nodes: []Nodes{thin, a100, v100, fat},
	Partitions: []Partition{
		{"batch", "c[1-6]", "Default=YES MaxTime=2-0 DefaultTime=60 PriorityJobFactor=10"},
		{"gpu", "g[1-2],v1", "MaxTime=1-0 DefaultTime=60 PriorityJobFactor=50"},
		{"bigmem", "x1", "MaxTime=4-0 DefaultTime=60"},
		{"debug", "c[1-2]", "MaxTime=30 DefaultTime=10 PriorityJobFactor=100"},
	},
}

func (n Nodes) names() []string {
	names := make([]string, n.Count)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", n.Prefix, i+1)
	}
	return names
}

// slurmds lists the nodes that have a slurmd.
func (p Profile) slurmds() []string {
	var names []string
	for _, n := range p.Nodes {
		if n.Kind == Real {
			names = append(names, n.names()...)
		}
	}
	return names
}

// nodeLines are the nodes' lines of slurm.conf. Each has its own, since each has its own port.
func (c *Cluster) nodeLines() string {
	var b strings.Builder
	for _, n := range c.options.Profile.Nodes {
		for _, name := range n.names() {
			fmt.Fprintf(&b, "NodeName=%s CPUs=%d Sockets=%d CoresPerSocket=%d ThreadsPerCore=%d RealMemory=%d",
				name, n.Sockets*n.Cores*n.Threads, n.Sockets, n.Cores, n.Threads, n.MemoryMB)
			if n.Kind != Cloud {
				fmt.Fprintf(&b, " NodeHostname=%s NodeAddr=127.0.0.1", c.host)
			}
			if port := c.ports.Slurmd[name]; port != 0 {
				fmt.Fprintf(&b, " Port=%d", port)
			}
			if n.GPUs > 0 {
				fmt.Fprintf(&b, " Gres=gpu:%s:%d", n.GPUType, n.GPUs)
			}
			if n.Features != "" {
				fmt.Fprintf(&b, " Feature=%s", n.Features)
			}
			fmt.Fprintf(&b, " Weight=%d State=%s\n", max(n.Weight, 1), n.Kind)
		}
	}
	return b.String()
}

func (p Profile) partitionLines() string {
	var b strings.Builder
	for _, part := range p.Partitions {
		b.WriteString("PartitionName=" + part.Name)
		if part.Nodes != "" {
			b.WriteString(" Nodes=" + part.Nodes)
		}
		if !strings.Contains(part.Options, "State=") {
			b.WriteString(" State=UP")
		}
		b.WriteString(" " + part.Options + "\n")
	}
	return b.String()
}

// gresLines is gres.conf: GPU number i of every node is the file dev/gpu<i>.
func (c *Cluster) gresLines() string {
	var b strings.Builder
	for _, n := range c.options.Profile.Nodes {
		for _, name := range n.names() {
			if n.GPUs > 0 {
				fmt.Fprintf(&b, "NodeName=%s Name=gpu Type=%s File=%s[0-%d]\n", name, n.GPUType, c.path("dev", "gpu"), n.GPUs-1)
			}
		}
	}
	return b.String()
}

func (p Profile) mostGPUs() int {
	most := 0
	for _, n := range p.Nodes {
		most = max(most, n.GPUs)
	}
	return most
}
