package slurm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// queueFields are the fields asked of squeue, in the order of the constants below. The reason is the one with free text.
var queueFields = []string{"JobID", "ArrayTaskID", "HetJobID", "Partition", "State", "UserName", "Account", "QOS", "NumNodes",
	"NumCPUs", "tres-alloc", "SubmitTime", "EligibleTime", "StartTime", "TimeLimit", "exit_code", "Reason"}

const (
	fieldJobID = iota
	fieldTasks
	fieldHet
	fieldPartition
	fieldState
	fieldUser
	fieldAccount
	fieldQOS
	fieldNodes
	fieldCPUs
	fieldTRES
	fieldSubmit
	fieldEligible
	fieldStart
	fieldLimit
	fieldExit
	fieldReason
	fieldCount
)

// separator follows each field, so that squeue neither pads nor cuts it. No name in Slurm has this byte.
const separator = 0x1f

// queueArgs asks for the jobs in every state and partition, hidden ones among them, an array's pending tasks as one line.
var queueArgs = []string{"-a", "-h", "-t", "all", "-O", strings.Join(queueFields, ":\x1f,") + ":\x1f"}

// Values of a Job's fields that are no number; unknown is one too.
const (
	unlimited      = -2 // a time limit that is none
	partitionLimit = -3 // a time limit that is the partition's, whatever that is
)

// A Job is one line of squeue: a job, a task of an array, or all tasks of an array that are still alike. Its slices are
// valid until the next line is parsed.
type Job struct {
	ID         int64 // or unknown
	Tasks      int64 // how many jobs the line stands for
	Het        int64 // of a part of a heterogeneous job: the ID of the first part; else unknown
	Partitions []byte
	State      []byte
	User       []byte
	Account    []byte
	QOS        []byte
	Nodes      int64 // of each task, as CPUs, Memory and GPUs: held, or asked for while pending; or unknown
	CPUs       int64 // or unknown
	Memory     int64 // bytes, or unknown
	GPUs       int64
	Submit     int64 // Unix time, or unknown
	Eligible   int64 // Unix time, or unknown
	Start      int64 // Unix time, expected while pending, or unknown
	Limit      int64 // seconds, or unlimited, partitionLimit or unknown
	Exit       int   // exit code; 0 while not ended
	Signal     int   // that ended it
	Reason     []byte

	who []byte // Partitions to QOS, separators included
}

var errJob = fmt.Errorf("want %d fields, each ended by the unit separator", fieldCount)

// A queueParser reads squeue's lines. It remembers what texts of resources mean: a cluster has few different ones.
type queueParser struct {
	resources map[string]resources
	open      bool // the last line's reason went on behind a newline
	fields    [fieldCount][]byte
	err       error
}

type resources struct {
	nodes, cpus, memory, gpus int64
}

const maxResources = 4096 // texts remembered, before all are learnt anew

// parse reads a line into j and tells whether it is a job: the rest of a reason that has a newline is none. A field that
// cannot be read is unknown, and the error says so; the job stands. Where the line is no job, j is undefined.
//
//	55␟1-1000:3␟N/A␟batch,gpu␟PENDING␟bob␟physics␟normal␟6␟6␟cpu=6,mem=600M,node=6,billing=6␟1795213434␟1795213434␟N/A␟1-12:30:00␟0:0␟Priority␟
func (p *queueParser) parse(line []byte, j *Job) (job bool, err error) {
	f := &p.fields
	rest := line
	for i := range fieldReason {
		at := bytes.IndexByte(rest, separator)
		if at < 0 {
			return false, p.noJob(line, i)
		}
		f[i], rest = rest[:at], rest[at+1:]
	}
	if at := bytes.IndexByte(rest, separator); at >= 0 {
		if at+1 != len(rest) {
			p.open = false
			return false, fmt.Errorf("squeue %q: %w", clip(line), errJob)
		}
		f[fieldReason], p.open = rest[:at], false
	} else {
		f[fieldReason], p.open = rest, true
	}
	p.err = nil
	p.take(line, j)
	return true, p.err
}

// noJob returns the error of a line with so few fields, unless it is the rest of the last line's reason.
func (p *queueParser) noJob(line []byte, fields int) error {
	if p.open && (fields == 0 || fields == 1 && line[len(line)-1] == separator) {
		p.open = fields == 0
		return nil
	}
	p.open = false
	return fmt.Errorf("squeue %q: %w", clip(line), errJob)
}

func (p *queueParser) take(line []byte, j *Job) {
	f := &p.fields
	j.ID = p.number(fieldJobID)
	j.Het = p.number(fieldHet)
	j.Tasks = p.tasks()
	j.Partitions, j.State, j.User, j.Account, j.QOS = f[fieldPartition], f[fieldState], f[fieldUser], f[fieldAccount], f[fieldQOS]
	begin := len(f[fieldJobID]) + len(f[fieldTasks]) + len(f[fieldHet]) + 3
	end := begin + len(j.Partitions) + len(j.State) + len(j.User) + len(j.Account) + len(j.QOS) + 4
	j.who = line[begin:end]
	held := p.held(line[end+1 : end+1+len(f[fieldNodes])+len(f[fieldCPUs])+len(f[fieldTRES])+2])
	j.Nodes, j.CPUs, j.Memory, j.GPUs = held.nodes, held.cpus, held.memory, held.gpus
	j.Submit = p.number(fieldSubmit)
	j.Eligible = p.number(fieldEligible)
	j.Start = p.number(fieldStart)
	j.Limit = p.limit()
	j.Exit, j.Signal = p.exit()
	j.Reason = f[fieldReason]
}

func (p *queueParser) fail(field int, err error) {
	if p.err == nil {
		p.err = fmt.Errorf("job %q: %s %q: %w", clip(p.fields[fieldJobID]), queueFields[field], clip(p.fields[field]), err)
	}
}

func (p *queueParser) tasks() int64 {
	s := p.fields[fieldTasks]
	if string(s) == "N/A" {
		return 1
	}
	n, err := countTasks(s)
	if err != nil {
		p.fail(fieldTasks, err)
		return 1
	}
	return n
}

var errNumber = errors.New("want a number below 10^18")

// number reads digits. A time before 1970, as of a year that is 1, is unknown.
func (p *queueParser) number(field int) int64 {
	s := p.fields[field]
	if len(s) == 0 || len(s) > 18 {
		return p.noNumber(field)
	}
	n := int64(0)
	for _, c := range s {
		if c -= '0'; c > 9 {
			return p.noNumber(field)
		}
		n = n*10 + int64(c)
	}
	return n
}

func (p *queueParser) noNumber(field int) int64 {
	s := p.fields[field]
	if isNone(s) || len(s) > 1 && len(s) <= 19 && s[0] == '-' && allDigits(s[1:]) {
		return unknown
	}
	p.fail(field, errNumber)
	return unknown
}

// held returns what the text of the fields NumNodes, NumCPUs and tres-alloc means.
func (p *queueParser) held(text []byte) resources {
	if r, ok := p.resources[string(text)]; ok {
		return r
	}
	r := resources{nodes: p.quantity(fieldNodes), cpus: p.quantity(fieldCPUs)}
	t, err := parseTRES(p.fields[fieldTRES])
	if err != nil {
		p.fail(fieldTRES, err)
	}
	r.memory, r.gpus = t.memory, t.gpus
	if r.cpus == unknown {
		r.cpus = t.cpus
	}
	if r.nodes == unknown {
		r.nodes = t.nodes
	}
	if p.err != nil || len(text) > maxName {
		return r // read again, complained of again
	}
	if p.resources == nil || len(p.resources) >= maxResources {
		p.resources = make(map[string]resources)
	}
	p.resources[string(text)] = r
	return r
}

// quantity reads a number that squeue may write as "2K" or, of a range of nodes, as "4-8": then the least is asked for.
func (p *queueParser) quantity(field int) int64 {
	s := p.fields[field]
	if isNone(s) {
		return unknown
	}
	least, _, _ := bytes.Cut(s, []byte("-"))
	n, err := parseQuantity(least, 1)
	if err != nil {
		p.fail(field, err)
		return unknown
	}
	return n
}
