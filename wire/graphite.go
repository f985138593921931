// Package wire spells metrics in the formats that databases read, and reads these formats back. It knows bytes only: no
// connections, no files.
package wire

import (
	"fmt"
	"math"
	"strconv"

	"github.com/clusterload/clusterload/aggregator"
)

const (
	// MaxPath is the longest path, in bytes, tags included, that is written. A longer one is refused.
	MaxPath = 1024

	// MaxLine is the longest line, in bytes, its newline included: a path, the longest value and the longest time.
	// Carbon disconnects whoever sends a line of more than 16,384 bytes.
	MaxLine = MaxPath + len(" -1.7976931348623157e+308") + len(" 9223372036854775807\n")

	// PerSecond is what the path of a counter's rate ends in; in the style of tags, its name.
	PerSecond = ".per_second"

	// maxFile is the longest path element, in bytes, that Whisper can make a file name of: ".wsp" is added to it.
	maxFile = 250
)

// Counters says what is written of a counter.
type Counters uint8

const (
	Rate Counters = iota // its growth per second under its path with ".per_second"; nothing where that is not known
	Raw                  // its total under its path
	Both
)

// GraphiteOptions says how Graphite spells.
type GraphiteOptions struct {
	Tagged   bool // "partition.jobs;cluster=hpc1;partition=gpu" and no path "hpc1.partition.gpu.jobs"; Graphite 1.1 and later
	Counters Counters
}

// A Graphite spells metrics for Graphite, as lines or as pickles. It remembers which names have ended up alike, so one
// belongs to one database for as long as the program runs. It is not safe for concurrent use.
//
// Begin takes a batch; AppendLines or AppendPickle are then called while More.
type Graphite struct {
	options GraphiteOptions
	forms   map[*aggregator.Desc]*form
	names   map[nameKey]*names
	cluster *names // of the tag's values; nil in the style of paths

	checked      string // the cluster that was looked at last
	clusterFault string // what is wrong with it, or ""
	time         int64  // the time whose spelling is timeText
	timeText     []byte

	ms      []aggregator.Metric
	of      []*form // the form of each of ms
	next    int     // the metric whose point is written next
	rest    bool    // of a counter of which both are written: the total is, the rate is next
	refused []Refusal
}

// A Refusal names a metric of a batch that Graphite would not take, and says why.
type Refusal struct {
	Index  int
	Reason string
}

// NewGraphite makes a speller that has seen no names yet.
func NewGraphite(o GraphiteOptions) *Graphite {
	g := &Graphite{options: o, forms: map[*aggregator.Desc]*form{}, names: map[nameKey]*names{}, time: -1}
	if o.Tagged {
		g.cluster = g.namesOf("cluster", tagValue)
	}
	return g
}

// Begin takes a batch and looks through its labels for names that would end up alike. It keeps ms until the next Begin.
func (g *Graphite) Begin(ms []aggregator.Metric) {
	g.ms, g.next, g.rest = ms, 0, false
	g.of, g.refused = g.of[:0], g.refused[:0]
	for _, n := range g.names {
		n.forget()
	}
	var last *aggregator.Desc
	var f *form
	for i := range ms {
		m := &ms[i]
		if m.Desc != last {
			last, f = m.Desc, g.form(m.Desc)
		}
		g.of = append(g.of, f)
		if f.fault != "" || len(m.Labels) != len(f.names) {
			continue
		}
		for j, n := range f.names {
			n.see(m.Labels[j])
		}
		if g.cluster != nil {
			g.cluster.see(m.Cluster)
		}
	}
}

// More tells whether metrics of the batch are left. They may all be ones that nothing is written of.
func (g *Graphite) More() bool { return g.next < len(g.ms) }

// Refused returns the metrics that were left out so far, in order. It is valid until the next Begin.
func (g *Graphite) Refused() []Refusal { return g.refused }

// AppendLines appends the next lines of the batch to dst, "path value time\n" each, as long as dst stays within limit
// bytes, but one line at least, which is at most MaxLine long.
func (g *Graphite) AppendLines(dst []byte, limit int) []byte {
	begin := len(dst)
	for {
		m, pieces, value := g.point()
		if m == nil {
			return dst
		}
		start := len(dst)
		dst = appendPath(dst, pieces, m)
		if fault := g.pathFault(dst[start:], m); fault != "" {
			g.refuse(fault)
			dst = dst[:start]
			continue
		}
		dst = append(dst, ' ')
		dst = appendValue(dst, value)
		dst = g.appendTime(dst, m.Time)
		if len(dst) > limit && start > begin {
			return dst[:start]
		}
		g.advance(m)
	}
}

// point returns what is to be written next: the metric, the pieces of its path and the value; nil at the batch's end.
func (g *Graphite) point() (*aggregator.Metric, []piece, float64) {
	for ; g.next < len(g.ms); g.next, g.rest = g.next+1, false {
		m, f := &g.ms[g.next], g.of[g.next]
		pieces, value := f.plain, m.Value
		if m.Desc.Kind == aggregator.Counter && g.options.Counters != Raw && (g.rest || g.options.Counters == Rate) {
			if pieces, value = f.rate, m.Rate; math.IsNaN(value) {
				continue
			}
		}
		if f.fault == "" && len(m.Labels) == len(f.names) && m.Time >= 0 && value-value == 0 && g.clusterOK(m.Cluster) {
			return m, pieces, value
		}
		g.refused = append(g.refused, Refusal{g.next, g.fault(m, f, value)})
	}
	return nil, nil, 0
}

// advance goes on after the point of m that was written.
func (g *Graphite) advance(m *aggregator.Metric) {
	if g.options.Counters == Both && m.Desc.Kind == aggregator.Counter && !g.rest {
		g.rest = true
		return
	}
	g.next++
	g.rest = false
}

// refuse leaves out the whole metric that point returned.
func (g *Graphite) refuse(reason string) {
	g.refused = append(g.refused, Refusal{g.next, reason})
	g.next++
	g.rest = false
}

// fault says why point does not take m.
func (g *Graphite) fault(m *aggregator.Metric, f *form, value float64) string {
	switch {
	case f.fault != "":
		return f.fault
	case len(m.Labels) != len(f.names):
		return fmt.Sprintf("template %q: %d labels %q, want %d", m.Desc.Template, len(m.Labels), m.Labels, len(f.names))
	case m.Time < 0:
		return fmt.Sprintf("template %q: time %d: want seconds since 1970", m.Desc.Template, m.Time)
	case value-value != 0:
		return fmt.Sprintf("template %q: value %v is not finite", m.Desc.Template, value)
	default:
		return g.clusterFault
	}
}

// clusterOK tells whether the prefix can stand in a path. Its dots make elements of their own.
func (g *Graphite) clusterOK(cluster string) bool {
	if cluster != g.checked || cluster == "" {
		g.checked, g.clusterFault = cluster, ""
		if cluster == "" {
			g.clusterFault = "cluster is empty"
		} else if fault := pathFault(cluster); fault != "" && !g.options.Tagged {
			g.clusterFault = fmt.Sprintf("cluster %q: %s", cluster, fault)
		}
	}
	return g.clusterFault == ""
}

// pathFault says what is wrong with a path that was spelled, or "".
func (g *Graphite) pathFault(path []byte, m *aggregator.Metric) string {
	if len(path) <= maxFile {
		return ""
	}
	most := MaxPath
	if g.options.Counters == Both && m.Desc.Kind == aggregator.Counter && !g.rest {
		most -= len(PerSecond) // both or none
	}
	if len(path) > most {
		return fmt.Sprintf("path %.100q… has %d bytes: want at most %d", path, len(path), most)
	}
	if n := longestElement(path); n > maxFile && !g.options.Tagged {
		return fmt.Sprintf("path %.100q… has an element of %d bytes: want at most %d", path, n, maxFile)
	}
	return ""
}

func longestElement(path []byte) int {
	longest, n := 0, 0
	for _, c := range path {
		n++
		if c == '.' {
			n = 0
		}
		longest = max(longest, n)
	}
	return longest
}

// appendPath appends the pieces, filled with the metric's labels.
func appendPath(dst []byte, pieces []piece, m *aggregator.Metric) []byte {
	for i := range pieces {
		p := &pieces[i]
		dst = append(dst, p.text...)
		var v string
		switch {
		case p.label >= 0:
			v = m.Labels[p.label]
		case p.label == ofCluster:
			v = m.Cluster
		default:
			continue
		}
		if p.names != nil && p.names.mayKnow(v) {
			v = p.names.spelling(v)
		}
		dst = append(dst, v...)
	}
	return dst
}

// appendTime appends a space, the time and the newline. Neighbours in a batch share their time.
func (g *Graphite) appendTime(dst []byte, at int64) []byte {
	if at != g.time {
		g.time = at
		g.timeText = append(strconv.AppendInt(append(g.timeText[:0], ' '), at, 10), '\n')
	}
	return append(dst, g.timeText...)
}

// appendValue appends a finite number so that it reads back as the same one: whole numbers up to 2^62 without exponent or
// fraction, others in as few digits as do.
func appendValue(dst []byte, v float64) []byte {
	const most = 1 << 62
	if v >= -most && v <= most {
		if i := int64(v); float64(i) == v {
			return strconv.AppendInt(dst, i, 10)
		}
	}
	if a := math.Abs(v); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'e', -1, 64)
}
