// Package loadview shows the load of a cluster in a terminal: its partitions, jobs, nodes, reasons, users and accounts,
// from the metrics that the agent makes.
package loadview

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/terminal"
)

// A Load is what is known of a cluster at one time: values by path, without the cluster's name in front. What failed has
// no values: it shows as a dash, not as what was true once.
type Load struct {
	At     time.Time
	values map[string]float64
}

// New makes a load that knows nothing yet.
func New(at time.Time) *Load { return &Load{At: at, values: map[string]float64{}} }

// Set sets a value by its path, "partition.gpu.jobs.running".
func (l *Load) Set(path string, v float64) { l.values[path] = v }

// dot stands for a dot within a label, which is no border of path elements.
const dot = "\x1f"

// SetLabels sets a value by the template of its metric, "partition.{partition}.jobs.{state}", and its labels.
func (l *Load) SetLabels(template string, labels []string, v float64) {
	var b strings.Builder
	for rest := template; ; {
		text, placeholder, found := strings.Cut(rest, "{")
		b.WriteString(text)
		if !found {
			break
		}
		_, rest, _ = strings.Cut(placeholder, "}")
		if len(labels) > 0 {
			b.WriteString(strings.ReplaceAll(labels[0], ".", dot))
			labels = labels[1:]
		}
	}
	l.values[b.String()] = v
}

// Series is how many values there are.
func (l *Load) Series() int { return len(l.values) }

// get returns the value of a path, and whether there is one.
func (l *Load) get(path ...string) (float64, bool) {
	v, ok := l.values[strings.Join(path, ".")]
	return v, ok
}

// below returns, for every path prefix.NAME.suffix, NAME and its value; NAME is one element.
func (l *Load) below(prefix, suffix string) map[string]float64 {
	found := map[string]float64{}
	for path, v := range l.values {
		rest, ok := strings.CutPrefix(path, prefix+".")
		if !ok {
			continue
		}
		name, ok := strings.CutSuffix(rest, suffix)
		if ok && name != "" && !strings.Contains(name, ".") {
			found[name] = v
		}
	}
	return found
}

// partitions lists the names of the partitions.
func (l *Load) partitions() []string {
	names := map[string]bool{}
	for path := range l.values {
		if rest, ok := strings.CutPrefix(path, "partition."); ok {
			name, _, _ := strings.Cut(rest, ".")
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// shown spells a path's element for people.
func shown(name string) string { return terminal.Plain(strings.ReplaceAll(name, dot, ".")) }
