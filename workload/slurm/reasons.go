package slurm

import (
	"bytes"
	"slices"
	"strings"
)

// A reasonClass groups the reasons for which jobs wait.
type reasonClass uint8

const (
	classResources   reasonClass = iota // nodes, licenses, … are in use
	classPriority                       // others come first
	classLimit                          // of a partition, an account, a QOS
	classDependency                     // on another job
	classHeld                           // by the user, an administrator or Slurm
	classArrayLimit                     // the array's own
	classNodeUnavail                    // nodes or the partition are down, drained or reserved
	classOther
	classCount int = iota
)

var classNames = [classCount]string{"resources", "priority", "limit", "dependency", "held", "array_limit", "node_unavail", "other"}

// classReasons are the reasons as the versions from 20.11 to 26.05 spell them, but for those that reasonPatterns has.
var classReasons = [classCount][]string{
	classResources: {"Resources", "Licenses", "BurstBufferResources", "BurstBufferStageIn", "NvidiaImexChannels", "MpiPortsBusy"},
	classPriority:  {"Priority"},
	classLimit: {"PartitionNodeLimit", "PartitionTimeLimit", "PartitionConfig", "AccountingPolicy", "AccountNotAllowed",
		"InvalidAccount", "InvalidQOS", "QOSNotAllowed"},
	classDependency: {"Dependency", "DependencyNeverSatisfied"},
	classHeld: {"JobHeldUser", "JobHeldAdmin", "JobHoldMaxRequeue", "ReservationDeleted", "job requeued in held state",
		"job requeued in special exit state", "launch failed requeued held"},
	classArrayLimit: {"JobArrayTaskLimit"},
	classNodeUnavail: {"ReqNodeNotAvail", "NodeDown", "PartitionDown", "PartitionInactive", "FrontEndDown", "PowerNotAvail",
		"PowerReserved", downOrReserved},
	classOther: {"None", "BeginTime", "Reservation", "ReservationInvalid", "Prolog", "Cleaning", "FedJobLock", "SchedDefer",
		"BadConstraints", "Constraints", "SystemFailure", "JobLaunchFailure", "NonZeroExitCode", "RaisedSignal", "TimeLimit",
		"InactiveLimit", "OutOfMemory", "DeadLine", "BurstBufferOperation", "BlockFreeAction", "BlockMaxError", "InvalidReason",
		"InvaildReason"},
}

// reasonPatterns are the beginnings of the names of limits, of which there is one for each resource, scope and version.
var reasonPatterns = []string{"QOS", "Assoc", "Max"}

// downOrReserved stands for the sentences "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority
// partitions" and, from 24.11 on, one that has REBOOTING in it.
const downOrReserved = "NodesDownOrReserved"

const (
	maxReason  = 64 // bytes of a reason's name
	maxStrange = 64 // reasons at a time that are neither known nor like a known one
	maxLimits  = 512
	maxHeads   = 1024 // texts remembered, before all are learnt anew
)

// A reason is one for which jobs wait.
type reason struct {
	name    string // in snake_case
	class   reasonClass
	strange bool // not known to this version of the program
	fixed   bool // one of classReasons
	presence
}

// A reasonTable gives each text of a reason its reason. There are never more than so many: what is beyond is "other".
type reasonTable struct {
	tok     *tokens
	byHead  map[string]*reason // by the text up to where its details begin
	named   map[string]*reason // by the name
	rest    *reason
	strange int // of named
	last    *reason
	lastRaw []byte
	buf     []byte
}

func newReasonTable(tok *tokens) *reasonTable {
	t := &reasonTable{tok: tok, byHead: map[string]*reason{}, named: map[string]*reason{}, rest: &reason{name: "other", class: classOther, fixed: true}}
	for class, words := range classReasons {
		for _, word := range words {
			r := &reason{name: string(snakeCase(nil, []byte(word))), class: reasonClass(class), fixed: true}
			t.named[r.name] = r
		}
	}
	t.named[t.rest.name] = t.rest
	return t
}

// find returns the reason that a text gives. A text that nobody knows is counted each time.
//
//	Resources   (Priority)   Resources,BeginTime   ReqNodeNotAvail, UnavailableNodes:n[1-5]   RaisedSignal:9(Killed)
func (t *reasonTable) find(text []byte) *reason {
	if t.last == nil || !bytes.Equal(text, t.lastRaw) {
		t.last = t.lookUp(text)
		t.lastRaw = append(t.lastRaw[:0], text[:min(len(text), 1<<10)]...)
	}
	if t.last.strange || t.last == t.rest {
		t.tok.unknown("pending reason", text)
	}
	return t.last
}

func (t *reasonTable) lookUp(text []byte) *reason {
	head := reasonHead(text)
	if r, ok := t.byHead[string(head)]; ok {
		return r
	}
	r := t.learn(head)
	if len(t.byHead) >= maxHeads {
		clear(t.byHead)
	}
	if len(head) <= maxName {
		t.byHead[string(head)] = r
	}
	return r
}

// reasonHead returns the first reason of a text, without its details.
func reasonHead(text []byte) []byte {
	text = bytes.TrimLeft(text, "( ")
	for i, c := range text {
		if c == ',' || c == ':' || c == '(' || c == ')' || c == '\n' {
			text = text[:i]
			break
		}
	}
	return bytes.TrimRight(text, " ")
}

// learn returns the reason of a head that was not there before.
func (t *reasonTable) learn(head []byte) *reason {
	if nodesDown(head) {
		head = []byte(downOrReserved)
	}
	if len(head) == 0 {
		head = []byte("None")
	}
	t.buf = snakeCase(t.buf[:0], head[:min(len(head), maxReason)])
	t.buf = bytes.TrimRight(t.buf[:min(len(t.buf), maxReason)], "_")
	if r, ok := t.named[string(t.buf)]; ok {
		return r
	}
	r := &reason{name: string(t.buf), class: classOther, strange: true}
	if slices.ContainsFunc(reasonPatterns, func(p string) bool { return strings.HasPrefix(string(head), p) }) && !bytes.ContainsRune(head, ' ') {
		r.class, r.strange = classLimit, false
	}
	if r.name == "" || r.strange && t.strange >= maxStrange || len(t.named) >= maxLimits {
		return t.rest
	}
	if r.strange {
		t.strange++
	}
	t.named[r.name] = r
	return r
}

// nodesDown tells whether a head begins the sentence that downOrReserved stands for, its spaces possibly underscores.
func nodesDown(head []byte) bool {
	const begin = "Nodes required for job are"
	if len(head) < len(begin) {
		return false
	}
	for i := range len(begin) {
		if c := head[i]; c != begin[i] && !(begin[i] == ' ' && c == '_') {
			return false
		}
	}
	return true
}

// begin forgets which reasons the last call had.
func (t *reasonTable) begin() {
	for _, r := range t.named {
		r.seen = false
	}
	t.last = nil
}

// end drops the reasons that no series speaks of any more.
func (t *reasonTable) end() {
	dropped := false
	for name, r := range t.named {
		if !r.next() && !r.fixed {
			delete(t.named, name)
			dropped = true
			if r.strange {
				t.strange--
			}
		}
	}
	if dropped {
		clear(t.byHead)
		t.last = nil
	}
}
