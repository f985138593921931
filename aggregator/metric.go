package aggregator

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Kind says how a metric's values follow one another.
type Kind uint8

const (
	Gauge   Kind = iota // a level that goes up and down
	Counter             // a total that only grows, until its source starts again from zero
)

func (k Kind) String() string {
	if k == Counter {
		return "counter"
	}
	return "gauge"
}

// A Unit is the base unit that a metric's values are in.
type Unit string

const (
	Count   Unit = "count"   // jobs, nodes, CPUs, GPUs, RPCs, …
	Bytes   Unit = "bytes"   // memory, traffic, files
	Seconds Unit = "seconds" // durations and ages
	Ratio   Unit = "ratio"   // a share, 1 is all of it
	State   Unit = "state"   // 1 is yes, 0 is no, or a code that the help text lists
	Joules  Unit = "joules"
	Celsius Unit = "celsius"
	Watts   Unit = "watts"
	Hertz   Unit = "hertz"
)

// A Desc says what a metric means. An aggregator declares each of its metrics once, in a table at the top of the file
// that produces it; docs/metrics.md is generated from these tables. A Desc is not changed after its first use.
type Desc struct {
	// Template is the metric's path below the cluster, with its placeholders in braces: "partition.{partition}.jobs.{state}".
	// Graphite writes the filled path; databases with tags take the fixed words as the name and the placeholders as tags.
	Template string
	Kind     Kind
	Unit     Unit
	Help     string // one sentence, without a full stop at its end
	Source   string // where the number is from: the command and its fields, or the file

	parts atomic.Pointer[[]Part]
}

// A Part is a piece of a template: fixed text, dots included, or a placeholder.
type Part struct {
	Text        string // "partition.", or the placeholder's name without its braces
	Placeholder bool
}

// Parts returns the template cut at its placeholders. The slice is shared and must not be changed.
func (d *Desc) Parts() []Part {
	if p := d.parts.Load(); p != nil {
		return *p
	}
	var parts []Part
	for rest := d.Template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			parts = append(parts, Part{Text: before})
		}
		if !found {
			break
		}
		name, after, _ := strings.Cut(after, "}")
		parts = append(parts, Part{Text: name, Placeholder: true})
		rest = after
	}
	d.parts.Store(&parts)
	return parts
}

// Placeholders returns the names in the template's braces, in order.
func (d *Desc) Placeholders() []string {
	var names []string
	for _, p := range d.Parts() {
		if p.Placeholder {
			names = append(names, p.Text)
		}
	}
	return names
}

// A Metric is one value of one series at one time.
type Metric struct {
	Desc    *Desc
	Cluster string   // the prefix, stamped once by the loop
	Labels  []string // the values of the template's placeholders, in their order, as their source spells them
	Time    int64    // Unix time in seconds, aligned to the tick
	Value   float64  // finite; of a Counter the raw total
	Rate    float64  // of a Counter: growth per second since the last tick, NaN where that is not known. Unused by a Gauge
}

// A Batch takes the metrics that one run of an aggregator adds. It is not safe for concurrent use: an aggregator with
// parallel parts adds from one goroutine.
type Batch struct {
	// Time is the tick that the batch belongs to. Ages and waits are counted up to it.
	Time time.Time

	metrics []Metric
	labels  []string // the tail of a block that the Labels of metrics are cut from
	err     error    // the first misuse of Add
}

const labelBlock = 4096

// Add adds a value of d's series with these labels, one for each placeholder of its template, in order. A value that
// is not finite, or a wrong number of labels, is left out and makes the run fail with an error that names the metric.
func (b *Batch) Add(d *Desc, value float64, labels ...string) {
	n := 0
	for _, p := range d.Parts() {
		if p.Placeholder {
			n++
		}
	}
	if n != len(labels) {
		b.fail(fmt.Errorf("metric %q: %d labels %q, want %d", d.Template, len(labels), slices.Clone(labels), n))
		return
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		b.fail(fmt.Errorf("metric %q %q: value %v is not finite", d.Template, slices.Clone(labels), value))
		return
	}
	if cap(b.labels)-len(b.labels) < n {
		b.labels = make([]string, 0, max(labelBlock, n))
	}
	at := len(b.labels)
	b.labels = append(b.labels, labels...)
	b.metrics = append(b.metrics, Metric{Desc: d, Labels: b.labels[at:len(b.labels):len(b.labels)], Value: value, Rate: math.NaN()})
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Metrics returns what was added, in order. It is valid until the next call of Add or Reset.
func (b *Batch) Metrics() []Metric { return b.metrics }

// Err returns the first misuse of Add, or nil.
func (b *Batch) Err() error { return b.err }

// Reset empties the batch for the tick at t and keeps its memory. Metrics returned before are invalid afterwards.
func (b *Batch) Reset(t time.Time) {
	clear(b.metrics)
	*b = Batch{Time: t, metrics: b.metrics[:0], labels: b.labels[:0]}
}
