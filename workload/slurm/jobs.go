package slurm

import (
	"bytes"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// jobs folds squeue's lines into the load of the cluster, of each partition, account, user and QOS. A job that names
// several partitions counts once in each of them, and once in the others.
//
// Lines whose fields from Partition to QOS are alike are added up in one cell, which is moved on to the groups at the
// end: a line costs two look-ups, whatever it counts in.
type jobs struct {
	onlyLines, lines bool // {partition}.jobs_num, alone or beside the others
	tok              *tokens
	parser           queueParser
	reasons          *reasonTable
	cells            map[string]*cell
	keyBytes         int // of cells
	last             *cell

	cluster    jobGroup
	partitions *jobGroups
	accounts   *jobGroups
	users      *jobGroups
	qos        *jobGroups
	inParts    []*jobGroup

	job Job // the line in work
}

// A cell adds up lines that are alike.
type cell struct {
	key                                  []byte
	partitions, user, account, qos, word []byte // within key
	state                                jobState
	shown, known                         bool
	tally
}

func newJobs(c *Config, tok *tokens) reader {
	return &jobs{
		onlyLines:  c.Metrics == metricsJobsNum,
		lines:      c.JobsNum,
		tok:        tok,
		reasons:    newReasonTable(tok),
		cells:      map[string]*cell{},
		partitions: newJobGroups(&partitionJobs, maxNamed, maxNamed),
		accounts:   newJobGroups(&accountJobs, maxGroups, c.Top),
		users:      newJobGroups(&userJobs, maxGroups, c.Top),
		qos:        newJobGroups(&qosJobs, maxNamed, maxNamed),
	}
}

func (r *jobs) groups() [4]*jobGroups {
	return [4]*jobGroups{r.partitions, r.accounts, r.users, r.qos}
}

func (r *jobs) describe() []*aggregator.Desc {
	if r.onlyLines {
		return []*aggregator.Desc{jobsNum}
	}
	var descs []*aggregator.Desc
	for _, t := range jobTables {
		descs = append(descs, t.descs()...)
	}
	if r.lines {
		descs = append(descs, jobsNum)
	}
	return descs
}

func (r *jobs) begin(time.Time) {
	for _, c := range r.cells { // the last call may have failed half-way
		c.tally = tally{reasons: c.reasons[:0]}
	}
	r.parser.open = false
	r.reasons.begin()
	r.cluster.begin()
	for _, s := range r.groups() {
		s.begin()
	}
}

// line folds one line. What of it can be read counts even where the rest cannot.
func (r *jobs) line(l []byte) error {
	if len(l) == 0 {
		return nil
	}
	j := &r.job
	isJob, err := r.parser.parse(l, j)
	if !isJob {
		return err
	}
	c := r.last
	if c == nil || !bytes.Equal(c.key, j.who) {
		c = r.cell(j)
		r.last = c
	}
	if !c.known {
		r.tok.unknown("job state", j.State)
	}
	n := float64(j.Tasks)
	c.lines++
	c.jobs += n
	cpus, gpus := n*atLeast0(j.CPUs), n*float64(j.GPUs)
	c.nodes += n * atLeast0(j.Nodes)
	c.cpus += cpus
	c.memory += n * atLeast0(j.Memory)
	c.gpus += gpus
	if c.state == jobPending {
		t := at(&c.reasons, r.reasons.find(j.Reason))
		t.jobs += n
		t.cpus += cpus
		t.gpus += gpus
	}
	return err
}

// atLeast0 makes what is unknown nothing.
func atLeast0(n int64) float64 {
	if n < 0 {
		return 0
	}
	return float64(n)
}

// cell returns the cell of a job.
func (r *jobs) cell(j *Job) *cell {
	if c, ok := r.cells[string(j.who)]; ok {
		return c
	}
	if len(r.cells) >= maxCells || r.keyBytes > maxKeyBytes {
		r.move()
		clear(r.cells)
		r.keyBytes = 0
	}
	r.keyBytes += len(j.who)
	c := &cell{key: bytes.Clone(j.who)}
	c.state, c.shown, c.known = parseJobState(j.State)
	rest := c.key
	for _, field := range []struct {
		to   *[]byte
		size int
	}{{&c.partitions, len(j.Partitions)}, {&c.word, len(j.State)}, {&c.user, len(j.User)}, {&c.account, len(j.Account)}, {&c.qos, len(j.QOS)}} {
		*field.to = rest[:field.size]
		rest = rest[min(field.size+1, len(rest)):]
	}
	r.cells[string(c.key)] = c
	return c
}

// move adds the cells to the groups and empties them.
func (r *jobs) move() {
	for _, c := range r.cells {
		if c.lines == 0 {
			continue
		}
		r.cluster.add(c.state, c.shown, &c.tally)
		r.accounts.group(c.account).add(c.state, c.shown, &c.tally)
		r.users.group(c.user).add(c.state, c.shown, &c.tally)
		r.qos.group(c.qos).add(c.state, c.shown, &c.tally)
		r.inParts = r.inParts[:0]
		for rest, more := c.partitions, true; more; {
			var name []byte
			name, rest, more = bytes.Cut(rest, comma)
			r.addTo(r.partitions.group(name), c)
		}
		c.tally = tally{reasons: c.reasons[:0]}
	}
}

// addTo adds a cell to a partition, once.
func (r *jobs) addTo(g *jobGroup, c *cell) {
	for _, done := range r.inParts {
		if done == g {
			return
		}
	}
	r.inParts = append(r.inParts, g)
	g.add(c.state, c.shown, &c.tally)
}

func (r *jobs) end(b *aggregator.Batch) {
	r.move()
	if !r.onlyLines {
		r.cluster.emit(b, &clusterJobs)
	}
	for _, s := range r.groups() {
		s.settle(func(g *jobGroup) {
			if !r.onlyLines {
				g.emit(b, s.table, g.name)
			}
			if s == r.partitions && (r.onlyLines || r.lines) {
				b.Add(jobsNum, g.values[figureLines], g.name)
			}
		})
	}
	r.reasons.end()
}
