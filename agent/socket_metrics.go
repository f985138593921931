package agent

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/wire"
)

// A metricReport is one metric of GET /metrics.
type metricReport struct {
	Path     string   `json:"path"`     // as Graphite spells it, with the cluster
	Template string   `json:"template"` // as docs/metrics.md lists it
	Labels   []string `json:"labels"`   // of the template's placeholders, in order, as their source spells them
	Value    float64  `json:"value"`
	Rate     *float64 `json:"rate,omitempty"` // of a counter, per second; none before its second tick
	Time     int64    `json:"time"`           // Unix seconds
}

// metricsReport is the answer of GET /metrics.
type metricsReport struct {
	Cluster string         `json:"cluster"`
	Metrics []metricReport `json:"metrics"`
}

// chunk is how many metrics are unpacked at a time.
const chunk = 512

// writeMetrics writes a metricsReport, a chunk at a time.
func writeMetrics(w io.Writer, last *snapshots, names []string, cluster string, prefixes []string) {
	head, _ := json.Marshal(cluster) // a string
	out := &metricsWriter{w: w, graphite: wire.NewGraphite(wire.GraphiteOptions{Counters: wire.Raw})}
	out.write([]byte(`{"cluster":`), head, []byte(`,"metrics":[`))
	last.read(names, func(_ string, b *snapshot) {
		b.each(wanted(prefixes), func(m *aggregator.Metric) bool {
			out.chunk = append(out.chunk, *m)
			if len(out.chunk) == chunk {
				out.flush()
			}
			return out.err == nil
		})
	})
	out.flush()
	out.write([]byte("\n]}\n"))
}

func wanted(prefixes []string) func(*aggregator.Desc) bool {
	return func(d *aggregator.Desc) bool {
		return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(d.Template, p) })
	}
}

// metricsWriter writes metrics as the elements of a JSON array, one a line.
type metricsWriter struct {
	w        io.Writer
	graphite *wire.Graphite
	chunk    []aggregator.Metric
	lines    []byte
	any      bool
	err      error // of who reads: then nothing more is written
}

func (o *metricsWriter) write(parts ...[]byte) {
	for _, p := range parts {
		if o.err == nil {
			_, o.err = o.w.Write(p)
		}
	}
}

func (o *metricsWriter) flush() {
	paths := o.paths()
	for i := range o.chunk {
		m := &o.chunk[i]
		r := metricReport{Path: paths[i], Template: m.Desc.Template, Labels: m.Labels, Value: m.Value, Time: m.Time}
		if r.Labels == nil {
			r.Labels = []string{}
		}
		if m.Rate-m.Rate == 0 {
			r.Rate = &m.Rate
		}
		text, err := json.Marshal(&r)
		if err != nil {
			continue // finite numbers and strings: there is none
		}
		if o.any {
			o.write([]byte{','})
		}
		o.any = true
		o.write([]byte{'\n'}, text)
	}
	o.chunk = o.chunk[:0]
}

// paths spells the chunk's metrics; one that Graphite would not take has "".
func (o *metricsWriter) paths() []string {
	o.graphite.Begin(o.chunk)
	o.lines = o.lines[:0]
	for o.graphite.More() {
		o.lines = o.graphite.AppendLines(o.lines, len(o.lines)+64<<10)
	}
	refused := map[int]bool{}
	for _, r := range o.graphite.Refused() {
		refused[r.Index] = true
	}
	paths := make([]string, len(o.chunk))
	rest := o.lines
	for i := range paths {
		if refused[i] {
			continue
		}
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte{'\n'})
		path, _, _ := bytes.Cut(line, []byte{' '})
		paths[i] = string(path)
	}
	return paths
}
