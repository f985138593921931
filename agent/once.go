package agent

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/wire"
	"github.com/clusterload/clusterload/workload/self"
)

// once prints one tick as Graphite lines; of counters the totals, since one tick has no rates.
func (p *program) once() error {
	c, err := p.load()
	if err != nil {
		return err
	}
	next, err := factories{p.aggregators, p.databases, logger(c)}.plan(c, nil, nil)
	if err != nil {
		return err
	}
	failures := 0
	for _, run := range runAll(c, next, func() {}) {
		if run.err != nil {
			failures++
			fmt.Fprintf(os.Stderr, "clusterload: aggregator %s: %v\n", run.name, run.err)
		}
		if err := p.printLines(run.metrics); err != nil {
			return failed(err)
		}
	}
	if failures > 0 {
		return failed(fmt.Errorf("%d of %d aggregators failed", failures, len(next.startTasks)))
	}
	return nil
}

func (p *program) printLines(ms []aggregator.Metric) error {
	g := wire.NewGraphite(wire.GraphiteOptions{Counters: wire.Raw})
	g.Begin(ms)
	var buf []byte
	for g.More() {
		buf = g.AppendLines(buf[:0], 64<<10)
		if _, err := p.out.Write(buf); err != nil {
			return err
		}
	}
	for _, r := range g.Refused() {
		fmt.Fprintf(os.Stderr, "clusterload: %s: %s\n", ms[r.Index].Desc.Template, r.Reason)
	}
	return nil
}

// A trial is a single run of an aggregator or a single try of a database.
type trial struct {
	name, kind string
	metrics    []aggregator.Metric
	took       time.Duration
	err        error
}

// runAll runs every aggregator of the plan once, side by side, and calls done at the end of each.
func runAll(c *config.Config, p *plan, done func()) []trial {
	runs := make([]trial, len(p.startTasks))
	var all sync.WaitGroup
	for i, t := range p.startTasks {
		all.Go(func() {
			defer done()
			ms, took, err := aggregator.Once(context.Background(), c.Cluster, t.task)
			runs[i] = trial{name: t.task.Name, metrics: ms, took: took, err: err}
		})
	}
	all.Wait()
	return runs
}

// metrics prints the table of docs/metrics.md: what every known aggregator declares.
func (p *program) metrics() error {
	fmt.Fprint(p.out, metricsIntro)
	for _, name := range p.aggregators.Names() {
		make, err := p.aggregators.Get(name)
		if err != nil {
			return failed(err)
		}
		a, err := make(aggregator.Options{Name: name, Decode: func(any) error { return nil }, Frequency: config.DefaultFrequency, Folder: os.TempDir(), Log: quiet()})
		if err != nil {
			return failed(fmt.Errorf("aggregator %s: %w", name, err))
		}
		p.printTable("`[aggregator."+name+"]`", a.Describe())
	}
	p.printTable("The agent itself", append(self.New(nil).Describe(), aggregator.LoopDescs()...))
	return nil
}

const metricsIntro = `# Metrics

This file is printed by ` + "`clusterload metrics`" + ` from what the aggregators declare.

Graphite writes the filled path below the cluster's name: ` + "`hpc1.partition.gpu.jobs.running`" + `. Databases with tags take the
fixed words as the name and the placeholders as tags. Of a counter Graphite gets the total under its path, and the growth
per second under the same path with ` + "`.per_second`" + `.
`

func (p *program) printTable(title string, descs []*aggregator.Desc) {
	descs = slices.Clone(descs)
	slices.SortStableFunc(descs, func(a, b *aggregator.Desc) int { return strings.Compare(a.Template, b.Template) })
	fmt.Fprintf(p.out, "\n## %s\n\n| metric | kind | unit | meaning | source |\n|---|---|---|---|---|\n", title)
	for _, d := range descs {
		fmt.Fprintf(p.out, "| `%s` | %s | %s | %s | %s |\n", d.Template, d.Kind, d.Unit, cell(d.Help), cell(d.Source))
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// seconds spells a duration for people.
func seconds(d time.Duration) string { return fmt.Sprintf("%.3fs", math.Max(d.Seconds(), 0.001)) }
