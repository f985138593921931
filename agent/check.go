package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/internal/terminal"
)

// tryTimeout is how long check waits for a database.
const tryTimeout = 10 * time.Second

// check validates the configuration, runs each aggregator once and tries each database, and prints what answered, how
// long it took and how many series it would make.
func (p *program) check() error {
	c, err := p.load()
	if err != nil {
		return err
	}
	next, err := factories{p.aggregators, p.databases, quiet()}.plan(c, nil, nil)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(p.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "PART\tNAME\tRESULT\tTIME\tSERIES\tREMARK")
	fmt.Fprintf(table, "config\t%s\tok\t\t\tcluster %s, every %s\n", c.Path, c.Cluster, c.Frequency)
	for _, w := range c.Warnings {
		fmt.Fprintf(table, "config\t%s\twarning\t\t\t%s\n", c.Path, w)
	}
	failures := p.checkFolder(table, c)
	progress := terminal.NewProgress(os.Stderr, "checking")
	var ended atomic.Int64
	parts := int64(len(next.startTasks) + len(next.startDatabases))
	progress.Set(0, parts)
	done := func() { progress.Set(ended.Add(1), parts) }
	total := 0
	for _, run := range runAll(c, next, done) {
		total += len(run.metrics)
		failures += row(table, "aggregator", run, fmt.Sprint(len(run.metrics)))
	}
	for _, try := range tryAll(next, done) {
		failures += row(table, "database", try, "")
	}
	progress.Close()
	fmt.Fprintf(table, "total\t\t\t\t%d\t\n", total)
	if err := table.Flush(); err != nil {
		return failed(err)
	}
	if failures > 0 {
		return failed(fmt.Errorf("%d parts failed", failures))
	}
	return nil
}

// row prints a trial and returns 1 where it failed.
func row(table *tabwriter.Writer, part string, t trial, series string) int {
	if t.err == nil {
		fmt.Fprintf(table, "%s\t%s\tok\t%s\t%s\t%s\n", part, t.name, seconds(t.took), series, t.kind)
		return 0
	}
	fmt.Fprintf(table, "%s\t%s\tFAILED\t%s\t%s\t%s\n", part, t.name, seconds(t.took), series, strings.ReplaceAll(t.err.Error(), "\n", "; "))
	return 1
}

// checkFolder says whether the agent could keep its queues where the configuration says.
func (p *program) checkFolder(table *tabwriter.Writer, c *config.Config) int {
	existed := true
	if _, err := os.Stat(c.Folder); errors.Is(err, os.ErrNotExist) {
		existed = false
	}
	lock, err := lockFolder(c.Folder)
	switch {
	case err == nil:
		lock.Close()
		if !existed {
			_ = os.RemoveAll(c.Folder)
		}
		fmt.Fprintf(table, "folder\t%s\tok\t\t\t\n", c.Folder)
	case errors.Is(err, errFolderBusy):
		fmt.Fprintf(table, "folder\t%s\tok\t\t\tin use: an agent runs\n", c.Folder)
	default:
		fmt.Fprintf(table, "folder\t%s\tFAILED\t\t\t%v\n", c.Folder, err)
		return 1
	}
	return 0
}

// tryAll opens a connection to every database of the plan, side by side, and sends nothing. It calls done at the end of
// each.
func tryAll(p *plan, done func()) []trial {
	tries := make([]trial, len(p.startDatabases))
	var all sync.WaitGroup
	for i, d := range p.startDatabases {
		all.Go(func() {
			defer done()
			ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
			defer cancel()
			begin := time.Now()
			err := d.client.Send(ctx, nil)
			tries[i] = trial{name: d.table.Name, kind: "type " + d.table.Type, took: time.Since(begin), err: errors.Join(err, d.client.Close())}
		})
	}
	all.Wait()
	return tries
}
