package agent

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/clusterload/clusterload/internal/graphiteapi"
	"github.com/clusterload/clusterload/internal/terminal"
	"github.com/clusterload/clusterload/internal/terminal/chart"
)

// urlVariable names the environment variable that stands in for --url.
const urlVariable = "CLUSTERLOAD_URL"

const queryHelp = `Query asks a Graphite for targets, which are paths with wildcards and Graphite's functions over them, and shows a chart,
a table, JSON or CSV. The Graphite is the embedded one unless --url or the environment variable ` + urlVariable + ` names
another: any with the /render API will do.`

const queryExamples = `  clusterload query hpc1.jobs.running hpc1.jobs.pending
  clusterload query 'hpc1.partition.*.cpus.alloc' --from -7d
  clusterload query 'movingAverage(hpc1.cpus.load, "1h")' --from 20261101 --until 20261108
  clusterload query 'sumSeries(hpc1.user.*.jobs.gpus.running)' --format csv > gpus.csv
  clusterload query 'hpc1.**' --url https://graphite.example.org --token-file ~/.graphite-token --format table`

// queryOptions are the flags of query.
type queryOptions struct {
	url, tokenFile        string
	from, until, format   string
	timeout               time.Duration
	points, width, height int
}

// The formats of query.
const (
	formatChart = "chart"
	formatTable = "table"
	formatJSON  = "json"
	formatCSV   = "csv"
)

var formats = []string{formatChart, formatTable, formatJSON, formatCSV}

func (p *program) queryCommand() *cobra.Command {
	var o queryOptions
	cmd := &cobra.Command{Use: "query TARGET...", Short: "Show what a Graphite holds: a chart in the terminal, a table, JSON or CSV", Long: queryHelp, Example: queryExamples,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, targets []string) error { return p.query(targets, o) },
		ValidArgsFunction: func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			return o.complete(begun)
		}}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.url, "url", "", "`address` of the Graphite (default $"+urlVariable+", or http://"+defaultListen+")")
	f.StringVar(&o.from, "from", "-6h", "begin, as Graphite spells `times`: -6h, -7d, 20261101, 12:30_20261101, Unix seconds")
	f.StringVar(&o.until, "until", "now", "`end`")
	f.StringVar(&o.format, "format", "", strings.Join(formats, ", ")+" (default chart in a terminal, else table)")
	f.StringVar(&o.tokenFile, "token-file", "", "`file` that holds the token which is sent (Authorization: Bearer)")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long the Graphite may take")
	f.IntVar(&o.points, "points", 0, "the most points of a series, consolidated; 0: all, or what the chart can show")
	f.IntVar(&o.width, "width", 0, "columns of the chart; 0: the terminal's")
	f.IntVar(&o.height, "height", 0, "lines of the chart; 0: what the terminal has room for")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return cmd
}

// client makes the client that the flags and the environment ask for.
func (o *queryOptions) client() (*graphiteapi.Client, error) {
	c := &graphiteapi.Client{Timeout: o.timeout}
	where, named := o.url, "--url"
	if where == "" {
		where, named = os.Getenv(urlVariable), urlVariable
	}
	if where == "" {
		where = "http://" + defaultListen
	}
	var err error
	if c.URL, err = url.Parse(where); err != nil || c.URL.Scheme != "http" && c.URL.Scheme != "https" || c.URL.Host == "" {
		return nil, fmt.Errorf("%s: %q: want http://host or https://host", named, where)
	}
	if o.tokenFile != "" {
		text, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		if c.Token = strings.TrimSpace(string(text)); c.Token == "" || strings.ContainsAny(c.Token, "\r\n") {
			return nil, fmt.Errorf("--token-file: %s: want one line with the token", o.tokenFile)
		}
	}
	return c, nil
}

// check says what is wrong with the flags, and sets the format where none is given.
func (o *queryOptions) check(isTerminal bool) error {
	if o.format == "" {
		o.format = formatTable
		if isTerminal {
			o.format = formatChart
		}
	}
	if !slices.Contains(formats, o.format) {
		return fmt.Errorf("--format: %q: want %s", o.format, strings.Join(formats, ", "))
	}
	if o.timeout <= 0 {
		return fmt.Errorf("--timeout: %s: want more than 0", o.timeout)
	}
	if o.points < 0 || o.width < 0 || o.height < 0 {
		return fmt.Errorf("--points %d, --width %d, --height %d: want 0 or more", o.points, o.width, o.height)
	}
	return nil
}

func (p *program) query(targets []string, o queryOptions) error {
	out, ok := p.out.(*os.File)
	isTerminal := ok && terminal.Is(out)
	if err := o.check(isTerminal); err != nil {
		return err
	}
	client, err := o.client()
	if err != nil {
		return err
	}
	columns, rows := 80, 24
	if isTerminal {
		columns, rows = terminal.Size(out)
	}
	if o.width == 0 {
		o.width = min(columns, 200)
	}
	if o.height == 0 {
		o.height = max(10, min(rows-8, 24))
	}
	points := o.points
	if points == 0 && o.format == formatChart {
		points = 2 * o.width // dots
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	series, err := fetch(ctx, client, graphiteapi.Render{Targets: targets, From: o.from, Until: o.until, MaxPoints: points})
	if err != nil {
		return failed(err)
	}
	if len(series) == 0 && o.format != formatJSON && o.format != formatCSV {
		return failed(fmt.Errorf("no series: nothing at %s matches %s from %s until %s", client.URL.Redacted(), strings.Join(targets, " "), o.from, o.until))
	}
	return failed(p.printSeries(series, o))
}

// fetch renders with progress on standard error.
func fetch(ctx context.Context, c *graphiteapi.Client, r graphiteapi.Render) ([]chart.Series, error) {
	progress := terminal.NewProgress(os.Stderr, "asking "+c.URL.Host)
	defer progress.Close()
	progress.Unit(terminal.Bytes)
	c.Progress = progress.Set
	return c.Render(ctx, r)
}
