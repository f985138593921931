package slurm

import (
	"bytes"
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
	tres map[string]tres
	open bool // the last line's reason went on behind a newline

	line []byte // in work
	at   int    // where the next field begins; beyond the line once a field had no separator
	err  error
}

const maxTRES = 4096 // texts remembered, before all are learnt anew

// parse reads a line into j and tells whether it is a job: the rest of a reason that has a newline is none. A field that
// cannot be read is unknown, and the error says so; the job stands. Where the line is no job, j is undefined.
//
//	55␟1-1000:3␟N/A␟batch,gpu␟PENDING␟bob␟physics␟normal␟6␟6␟cpu=6,mem=600M,node=6,billing=6␟1795213434␟1795213434␟N/A␟1-12:30:00␟0:0␟Priority␟
func (p *queueParser) parse(line []byte, j *Job) (job bool, err error) {
	p.line, p.at, p.err = line, 0, nil
	j.ID = p.number(fieldJobID)
	j.Tasks = p.tasks()
	j.Het = p.number(fieldHet)
	begin := p.at
	j.Partitions = p.text()
	j.State = p.text()
	j.User = p.text()
	j.Account = p.text()
	j.QOS = p.text()
	end := p.at - 1
	j.Nodes = p.quantity(fieldNodes)
	j.CPUs = p.quantity(fieldCPUs)
	p.resources(j)
	j.Submit = p.number(fieldSubmit)
	j.Eligible = p.number(fieldEligible)
	j.Start = p.number(fieldStart)
	j.Limit = p.limit()
	j.Exit, j.Signal = p.exit()
	if p.at > len(line) {
		return false, p.noJob()
	}
	j.who = line[begin:end]
	j.Reason = line[p.at:]
	at := bytes.IndexByte(j.Reason, separator)
	p.open = at < 0
	if p.open {
		return true, p.err
	}
	if at+1 != len(j.Reason) {
		return false, fmt.Errorf("squeue %q: %w", clip(line), errJob)
	}
	j.Reason = j.Reason[:at]
	return true, p.err
}

// noJob returns the error of a line with too few fields, unless it is the rest of the last line's reason.
func (p *queueParser) noJob() error {
	at := bytes.IndexByte(p.line, separator)
	if p.open && (at < 0 || at+1 == len(p.line)) {
		p.open = at < 0
		return nil
	}
	p.open = false
	return fmt.Errorf("squeue %q: %w", clip(p.line), errJob)
}

// text returns the next field, and nothing behind the last separator.
func (p *queueParser) text() []byte {
	if p.at > len(p.line) {
		return nil
	}
	rest := p.line[p.at:]
	end := bytes.IndexByte(rest, separator)
	if end < 0 {
		p.at = len(p.line) + 1
		return nil
	}
	p.at += end + 1
	return rest[:end]
}

// is tells whether the next field and its separator are this, and takes them if so.
func (p *queueParser) is(field string) bool {
	end := p.at + len(field)
	if end > len(p.line) || string(p.line[p.at:end]) != field {
		return false
	}
	p.at = end
	return true
}

const notApplicable = "N/A\x1f"

// digits reads the next field where it is a number of at most 18 digits.
func (p *queueParser) digits() (n int64, ok bool) {
	if p.at > len(p.line) {
		return 0, false
	}
	for i, c := range p.line[p.at:] {
		if d := c - '0'; d <= 9 {
			n = n*10 + int64(d)
			continue
		}
		if c == separator && 0 < i && i <= 18 {
			p.at += i + 1
			return n, true
		}
		break
	}
	return 0, false
}

func (p *queueParser) fail(field int, text []byte, err error) {
	if p.err == nil && p.at <= len(p.line) {
		id, _, _ := bytes.Cut(p.line, []byte{separator})
		p.err = fmt.Errorf("job %q: %s %q: %w", clip(id), queueFields[field], clip(text), err)
	}
}
