package slurm

import (
	"strings"

	"github.com/clusterload/clusterload/aggregator"
)

const queueSource = "squeue: "

// The figures of a set of jobs, in the order of jobFigures.
const (
	figureState  = 0
	figureTotal  = figureState + queueStateCount
	figureRecent = figureTotal + 1
	figureHeld   = figureRecent + recentStateCount
	figureClass  = figureHeld + heldCount
	figureLines  = figureClass + classCount
	figureCount  = figureLines + 1
)

// What running jobs hold and pending ones ask for: four resources, each running and pending.
const (
	heldNodes = iota * 2
	heldCPUs
	heldMemory
	heldGPUs
	heldCount
)

// A jobFigure is one of the figures that every set of jobs has: the cluster, a partition, an account, a user, a QOS.
type jobFigure struct {
	template string
	label    string // of the placeholder, if there is one
	unit     aggregator.Unit
	help     string // %s is " of the partition" and the like
	fields   string
	core     bool // said even while it is 0
}

const linesTemplate = "jobs_num"

var jobFigures = newJobFigures()

func newJobFigures() [figureCount]jobFigure {
	var f [figureCount]jobFigure
	for s := range jobState(jobStateCount) {
		if s.recent() {
			f[figureRecent+int(s)-queueStateCount] = jobFigure{"jobs.recent.{state}", jobStateNames[s], aggregator.Count,
				"Jobs%s that have ended and are still listed, for the time of MinJobAge, by how they ended: " + strings.Join(jobStateNames[queueStateCount:], ", "), "State, ArrayTaskID", false}
			continue
		}
		f[figureState+int(s)] = jobFigure{"jobs.{state}", jobStateNames[s], aggregator.Count,
			"Jobs%s in the queue, each task of an array one, by state: " + strings.Join(jobStateNames[:queueStateCount], ", "), "State, ArrayTaskID", s <= jobPending}
	}
	f[figureTotal] = jobFigure{"jobs.total", "", aggregator.Count, "Jobs%s in the queue, in any state but those of jobs that have ended", "State, ArrayTaskID", true}
	held := []struct {
		at           int
		name, fields string
		unit         aggregator.Unit
		what, more   string
	}{
		{heldNodes, "nodes", "NumNodes", aggregator.Count, "Nodes", ", a node shared by two jobs twice"},
		{heldCPUs, "cpus", "NumCPUs", aggregator.Count, "CPUs", ""},
		{heldMemory, "mem_bytes", "tres-alloc", aggregator.Bytes, "Memory", ""},
		{heldGPUs, "gpus", "tres-alloc", aggregator.Count, "GPUs", ""},
	}
	for _, h := range held {
		for i, state := range []string{"running", "pending"} {
			f[figureHeld+h.at+i] = jobFigure{"jobs." + h.name + ".{state}", state, h.unit,
				h.what + " that jobs%s hold while they run, configure, complete or are stopped (running), or ask for (pending)" + h.more,
				"State, ArrayTaskID, " + h.fields, true}
		}
	}
	for c, name := range classNames {
		f[figureClass+c] = jobFigure{"jobs.pending.class.{class}", name, aggregator.Count,
			"Pending jobs%s by the class of their reason: " + strings.Join(classNames[:], ", "), "State, ArrayTaskID, Reason", false}
	}
	f[figureLines] = jobFigure{linesTemplate, "", aggregator.Count,
		"Lines that plain squeue -a shows%s, the waiting tasks of an array being one, a job that names several partitions counting in each", "Partition, State", true}
	return f
}

// A jobTable holds the metrics of one kind of set of jobs.
type jobTable struct {
	figures                            [figureCount]*aggregator.Desc
	reasonJobs, reasonCPUs, reasonGPUs *aggregator.Desc
	all                                bool // every figure is said even while it is 0
}

var (
	clusterJobs   = newJobTable("", "", true)
	partitionJobs = newJobTable("partition.{partition}.", " of the partition", true)
	accountJobs   = newJobTable("account.{account}.", " of the account", false)
	userJobs      = newJobTable("user.{user}.", " of the user", false)
	qosJobs       = newJobTable("qos.{qos}.", " of the QOS", false)

	jobTables = []*jobTable{&clusterJobs, &partitionJobs, &accountJobs, &userJobs, &qosJobs}

	jobsNum = &aggregator.Desc{Template: "{partition}." + linesTemplate, Unit: aggregator.Count,
		Help:   strings.Replace(jobFigures[figureLines].help, "%s", " for the partition", 1),
		Source: queueSource + jobFigures[figureLines].fields}
)

func newJobTable(prefix, of string, all bool) jobTable {
	t := jobTable{all: all}
	byTemplate := map[string]*aggregator.Desc{}
	for i, f := range jobFigures[:figureLines] {
		d := byTemplate[f.template]
		if d == nil {
			d = &aggregator.Desc{Template: prefix + f.template, Unit: f.unit, Help: strings.Replace(f.help, "%s", of, 1), Source: queueSource + f.fields}
			byTemplate[f.template] = d
		}
		t.figures[i] = d
	}
	reason := func(what, help, fields string) *aggregator.Desc {
		return &aggregator.Desc{Template: prefix + "jobs.pending.reason.{reason}." + what, Unit: aggregator.Count,
			Help: strings.Replace(help, "%s", of, 1), Source: queueSource + "State, ArrayTaskID, Reason" + fields}
	}
	t.reasonJobs = reason("jobs", "Pending jobs%s by their reason, the first where there are several, in snake_case", "")
	t.reasonCPUs = reason("cpus", "CPUs that pending jobs%s ask for, by reason", ", NumCPUs")
	t.reasonGPUs = reason("gpus", "GPUs that pending jobs%s ask for, by reason", ", tres-alloc")
	return t
}

// descs returns the table's metrics, each once.
func (t *jobTable) descs() []*aggregator.Desc {
	var descs []*aggregator.Desc
	for i, d := range t.figures[:figureLines] {
		if i == 0 || d != t.figures[i-1] {
			descs = append(descs, d)
		}
	}
	return append(descs, t.reasonJobs, t.reasonCPUs, t.reasonGPUs)
}
