package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/clusterload/clusterload/internal/terminal"
	"github.com/clusterload/clusterload/internal/terminal/loadview"
)

const topHelp = `Top shows the load of the cluster live: partitions with their jobs, CPUs and GPUs, nodes by state, why jobs wait, and
who uses most. It asks the running agent over its socket and needs no database. Where the output is no terminal it prints
a line for each tick instead.

Keys: left and right (or <>) choose what partitions are sorted by, r turns the order, up and down (or jk) scroll,
q ends.`

const topExamples = `  clusterload top
  clusterload top --ticks 1              one tick, in a script
  clusterload top --plain >>load.log     a line for each tick`

// topOptions are the flags of top.
type topOptions struct {
	socket string
	ticks  int
	plain  bool
}

func (p *program) topCommand() *cobra.Command {
	var o topOptions
	cmd := &cobra.Command{Use: "top", Short: "Show the load of the cluster live in the terminal", Long: topHelp, Example: topExamples, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.top(o) }}
	cmd.Flags().StringVar(&o.socket, "socket", "", "`path` of the agent's socket (default agent.sock in the configuration's folder)")
	cmd.Flags().IntVarP(&o.ticks, "ticks", "n", 0, "end after this `number` of ticks; 0: never")
	cmd.Flags().BoolVar(&o.plain, "plain", false, "a line for each tick instead of tables, as where the output is no terminal")
	return cmd
}

// topPrefixes are the templates that top asks for. Series of single nodes, which are most, are not among them.
var topPrefixes = []string{"jobs.", "nodes.", "cpus.", "gpus.", "partition.{partition}.jobs.{state}", "partition.{partition}.cpus.",
	"partition.{partition}.gpus.", "partition.{partition}.nodes.", "partition.{partition}.up", "user.{user}.jobs.{state}",
	"user.{user}.jobs.cpus.{state}", "account.{account}.jobs.{state}", "account.{account}.jobs.cpus.{state}", "agent."}

// pollInterval is how often top asks whether there is a new tick, which costs the agent next to nothing.
const pollInterval = time.Second

func (p *program) top(o topOptions) error {
	if o.ticks < 0 {
		return fmt.Errorf("--ticks: %d: want 0 or more", o.ticks)
	}
	path, err := p.socketPath(o.socket)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	feed := &topFeed{client: newSocketClient(path)}
	if err := feed.ask(ctx); err != nil { // before the screen is taken over
		return failed(err)
	}
	out, ok := p.out.(*os.File)
	if o.plain || !ok || !terminal.Is(out) || os.Getenv("TERM") == "dumb" {
		return failed(p.topLines(ctx, feed, o.ticks))
	}
	return failed(p.topScreen(ctx, feed, out, o.ticks))
}

// A topFeed is what top knows of the load.
type topFeed struct {
	client    *socketClient
	cluster   string
	load      *loadview.Load
	ticks     int // that were seen
	frequency time.Duration
	silent    error     // why the last question had no answer
	since     time.Time // of the first that had none
}

// ask asks for what is new. Where nobody answers, the load stays as it was.
func (f *topFeed) ask(ctx context.Context) error {
	m, err := f.client.metrics(ctx, topPrefixes...)
	if err != nil {
		if f.silent == nil {
			f.since = time.Now()
		}
		f.silent, f.client.tag = err, ""
		return err
	}
	f.silent = nil
	if m == nil && f.load != nil {
		return nil
	}
	if m == nil {
		m = &metricsReport{}
	}
	before := time.Time{}
	if f.load != nil {
		before = f.load.At
	}
	f.take(m)
	if f.load.At.After(before) {
		f.ticks++
	}
	return nil
}

// take makes a load of an answer. Of a counter it is the rate that shows something.
func (f *topFeed) take(m *metricsReport) {
	f.cluster = m.Cluster
	newest := int64(0)
	load := loadview.New(time.Time{})
	for i := range m.Metrics {
		x := &m.Metrics[i]
		newest = max(newest, x.Time)
		if x.Rate != nil {
			load.SetLabels(x.Template+".per_second", x.Labels, *x.Rate)
		}
		load.SetLabels(x.Template, x.Labels, x.Value)
		if x.Template == "agent.interval_seconds" {
			f.frequency = time.Duration(x.Value * float64(time.Second))
		}
	}
	if newest > 0 {
		load.At = time.Unix(newest, 0)
	}
	f.load = load
}

// topLines prints a line for each tick.
func (p *program) topLines(ctx context.Context, f *topFeed, ticks int) error {
	for shown := 0; ; {
		if f.ticks > shown {
			shown = f.ticks
			if _, err := fmt.Fprintln(p.out, f.load.Line()); err != nil {
				return err
			}
			if ticks > 0 && shown >= ticks {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollInterval):
		}
		if err := f.ask(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, errNotRunning) {
				return err
			}
		}
	}
}
