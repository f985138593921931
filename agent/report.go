package agent

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/clusterload/clusterload/aggregator"
)

// A report is how the agent is, as GET /status of its socket answers it. Durations are in seconds, times in RFC 3339.
type report struct {
	Version     string             `json:"version"`
	Pid         int                `json:"pid"`
	Cluster     string             `json:"cluster"`
	Config      string             `json:"config"` // the file; "" where there is none
	Folder      string             `json:"folder"`
	Frequency   float64            `json:"frequency_seconds"`
	Started     time.Time          `json:"started"`
	Uptime      float64            `json:"uptime_seconds"`
	Series      int                `json:"series"` // of the last runs of all aggregators
	RSS         float64            `json:"rss_bytes"`
	CPU         float64            `json:"cpu_ratio"` // of one CPU, over the last interval
	Problems    []string           `json:"problems"`  // what fails now; none: all is well
	Aggregators []aggregatorReport `json:"aggregators"`
	Commands    []commandReport    `json:"commands"`
	Databases   []databaseReport   `json:"databases"`
}

// aggregatorReport is how the last run of an aggregator ended.
type aggregatorReport struct {
	Name      string     `json:"name"`
	OK        bool       `json:"ok"`
	Last      *time.Time `json:"last"` // the tick that the last run belongs to; null before the first
	Took      float64    `json:"took_seconds"`
	Series    int        `json:"series"`
	Skipped   int64      `json:"skipped"` // ticks left out since the start because the run before had not ended
	Error     string     `json:"error,omitempty"`
	Running   float64    `json:"running_seconds"` // of the run in progress; 0 where there is none
	Frequency float64    `json:"frequency_seconds"`
	Next      time.Time  `json:"next"` // tick
}

// commandReport is what the last run of an aggregator said of a command that it called.
type commandReport struct {
	Name        string  `json:"name"`
	Aggregator  string  `json:"aggregator"`
	OK          bool    `json:"ok"`
	Seconds     float64 `json:"seconds"`
	Rows        int64   `json:"rows"`
	Bytes       int64   `json:"bytes"`
	Timeouts    int64   `json:"timeouts"`     // since the start
	ParseErrors int64   `json:"parse_errors"` // since the start
}

// databaseReport is how a database and its queue are. Points are counted since the agent's start, but for those that
// were dropped.
type databaseReport struct {
	Name     string      `json:"name"`
	Type     string      `json:"type"`
	OK       bool        `json:"ok"`
	Error    string      `json:"error,omitempty"` // of the last try
	Since    *time.Time  `json:"since,omitempty"` // when it began to fail
	Sent     int64       `json:"sent_points"`
	Rejected int64       `json:"rejected_points"`
	LastSend float64     `json:"last_send_seconds"`
	Queue    queueReport `json:"queue"`
}

type queueReport struct {
	Blocks   int64   `json:"blocks"`
	Points   int64   `json:"points"`
	Bytes    int64   `json:"bytes"`
	MaxBytes int64   `json:"max_bytes"`
	Oldest   float64 `json:"oldest_seconds"`  // the age of the oldest block; 0 where there is none
	Dropped  int64   `json:"dropped_points"`  // because it was full, over restarts
	Damaged  int64   `json:"damaged_blocks"`  // found unreadable since the start
	Error    string  `json:"error,omitempty"` // why the disk takes nothing now
}

// report says how the agent is.
func (a *Agent) report(now time.Time) *report {
	a.mu.RLock()
	c := a.config
	r := &report{
		Version: Version(), Pid: os.Getpid(), Started: a.started, Uptime: now.Sub(a.started).Seconds(),
		Cluster: c.Cluster, Config: c.Path, Folder: c.Folder, Frequency: c.Frequency.Seconds(),
		Problems: []string{}, Aggregators: []aggregatorReport{}, Commands: []commandReport{}, Databases: []databaseReport{},
	}
	for _, t := range c.Databases {
		d := a.databases[t.Name]
		if d == nil {
			r.Databases = append(r.Databases, databaseReport{Name: t.Name, Type: t.Type, Error: "not started: the log says why"})
			continue
		}
		r.Databases = append(r.Databases, d.report(now, t.Type, t.MaxQueue))
	}
	a.mu.RUnlock()
	a.reportRuns(r, now)
	r.Problems = append(r.Problems, r.problems(now)...)
	return r
}

// reportRuns adds what the last batches say of runs and commands, and of the agent itself.
func (a *Agent) reportRuns(r *report, now time.Time) {
	names := a.loop.Names()
	runs := map[string]*aggregatorReport{}
	for _, name := range names {
		runs[name] = a.aggregatorReport(name, now)
	}
	a.last.read(names, func(name string, b *snapshot) {
		run, at := runs[name], time.Unix(b.time, 0)
		run.Last = &at
		commands := map[string]*commandReport{}
		b.each(isOwn, func(m *aggregator.Metric) bool {
			switch template, _, _ := strings.Cut(m.Desc.Template, "{"); template {
			case runTemplates:
				run.add(m)
			case "agent.command.":
				add(commands, name, m)
			case "agent.rss_bytes":
				r.RSS = m.Value
			case "agent.cpu_seconds":
				r.CPU = finite(m.Rate)
			}
			return true
		})
		for _, c := range commands {
			r.Commands = append(r.Commands, *c)
		}
	})
	slices.SortFunc(r.Commands, func(a, b commandReport) int {
		return cmp.Or(cmp.Compare(a.Aggregator, b.Aggregator), cmp.Compare(a.Name, b.Name))
	})
	for _, name := range names {
		run := runs[name]
		r.Series += run.Series
		if run.OK {
			run.Error = "" // of the run before
		}
		r.Aggregators = append(r.Aggregators, *run)
	}
}

func isOwn(d *aggregator.Desc) bool { return strings.HasPrefix(d.Template, "agent.") }

// aggregatorReport says of an aggregator what its last batch does not hold.
func (a *Agent) aggregatorReport(name string, now time.Time) *aggregatorReport {
	r := &aggregatorReport{Name: name}
	every := a.configuration().Frequency
	if run, ok := a.loop.Run(name); ok {
		every = run.Frequency
		r.Running = run.Running.Seconds()
		r.Error = run.Error
	}
	r.Frequency = every.Seconds()
	step := max(1, int64(every/time.Second))
	r.Next = time.Unix((now.Unix()/step+1)*step, 0)
	return r
}

func (r *aggregatorReport) add(m *aggregator.Metric) {
	switch m.Desc.Template[strings.LastIndexByte(m.Desc.Template, '.')+1:] {
	case "ok":
		r.OK = m.Value == 1
	case "seconds":
		r.Took = m.Value
	case "series":
		r.Series = int(m.Value)
	case "skipped":
		r.Skipped = int64(m.Value)
	}
}

func add(commands map[string]*commandReport, of string, m *aggregator.Metric) {
	if len(m.Labels) != 1 {
		return
	}
	c := commands[m.Labels[0]]
	if c == nil {
		c = &commandReport{Name: m.Labels[0], Aggregator: of}
		commands[c.Name] = c
	}
	switch m.Desc.Template[strings.LastIndexByte(m.Desc.Template, '.')+1:] {
	case "ok":
		c.OK = m.Value == 1
	case "seconds":
		c.Seconds = m.Value
	case "rows":
		c.Rows = int64(m.Value)
	case "bytes":
		c.Bytes = int64(m.Value)
	case "timeouts":
		c.Timeouts = int64(m.Value)
	case "parse_errors":
		c.ParseErrors = int64(m.Value)
	}
}

// report is what the agent says of the database on its socket.
func (d *destination) report(now time.Time, kind string, maxBytes int64) databaseReport {
	s := d.delivery.Stats()
	r := databaseReport{Name: d.name, Type: kind, OK: s.Err == nil, Error: text(s.Err), Sent: s.Sent, Rejected: s.Rejected, LastSend: s.LastSend.Seconds(),
		Queue: queueReport{Blocks: s.Queue.Blocks, Points: s.Queue.Points, Bytes: s.Queue.Bytes, MaxBytes: maxBytes,
			Dropped: s.Queue.Dropped.Points, Damaged: s.Queue.Damaged.Blocks, Error: text(s.Queue.Err)}}
	if !s.Since.IsZero() {
		r.Since = &s.Since
	}
	if !s.Queue.Oldest.IsZero() {
		r.Queue.Oldest = max(0, now.Sub(s.Queue.Oldest).Seconds())
	}
	return r
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func finite(v float64) float64 {
	if v-v != 0 {
		return 0
	}
	return v
}

// silentIntervals is after how many of its intervals without a run an aggregator counts as stuck.
const silentIntervals = 3

// problems lists what fails now, each in one line.
func (r *report) problems(now time.Time) []string {
	var all []string
	for _, a := range r.Aggregators {
		silent := now.Sub(r.Started)
		if a.Last != nil {
			silent = now.Sub(*a.Last)
		}
		switch {
		case a.Last != nil && !a.OK:
			all = append(all, "aggregator "+a.Name+": "+cmp.Or(oneLine(a.Error), "has not ended within its deadline"))
		case silent.Seconds() > max(silentIntervals*a.Frequency, a.Running) && silent > 30*time.Second:
			all = append(all, fmt.Sprintf("aggregator %s: no run for %s", a.Name, silent.Round(time.Second)))
		}
	}
	for _, d := range r.Databases {
		if !d.OK {
			all = append(all, "database "+d.Name+": "+cmp.Or(oneLine(d.Error), "fails"))
		}
		if d.Queue.Error != "" {
			all = append(all, "queue of "+d.Name+": "+oneLine(d.Queue.Error))
		}
	}
	return all
}

// oneLine joins the lines of an error's text.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
