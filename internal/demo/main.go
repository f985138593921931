// Command demo shows what the agent is for on one machine: it starts a real Slurm with a stream of jobs and the agent, and
// draws the load of the cluster in the terminal, from the metrics that the agent pushes. Ctrl-C leaves nothing running.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/slurmbed"
	"github.com/clusterload/clusterload/internal/terminal"
	"github.com/clusterload/clusterload/internal/terminal/loadview"
)

func main() {
	beside, err := os.Executable()
	if err != nil {
		beside = os.Args[0]
	}
	d := demo{out: os.Stdout}
	flag.StringVar(&d.agent, "agent", filepath.Join(filepath.Dir(beside), "clusterload"), "the agent `program`")
	flag.DurationVar(&d.every, "every", 2*time.Second, "time from one tick to the next")
	flag.IntVar(&d.ticks, "ticks", 0, "end after this many ticks; 0: at Ctrl-C")
	flag.BoolVar(&d.plain, "plain", !terminal.Is(os.Stdout), "a line for each tick instead of a table")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	giveBack := takeForeground(os.Stdin)
	err = d.run(ctx)
	giveBack()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

type demo struct {
	out   io.Writer
	agent string
	every time.Duration
	ticks int
	plain bool
	pages string // the dashboard's address

	cluster *slurmbed.Cluster
	process *bed.Process
	feed    *feed
	event   chan string
}

// run shows the demo until ctx is done, or for the wanted number of ticks, and ends all that it started. That ctx is done
// is no error.
func (d *demo) run(ctx context.Context) (err error) {
	defer func() {
		stopped := d.stop()
		if ctx.Err() != nil { // whatever was under way did not get done, as it should
			err = nil
		}
		if err = errors.Join(err, stopped); err == nil {
			fmt.Fprintln(d.out, "The agent and the cluster have ended; nothing is left running.")
		}
	}()
	if err := d.start(ctx); err != nil {
		return err
	}
	streaming, cancel := context.WithCancel(ctx)
	streamed := make(chan struct{})
	go func() {
		defer close(streamed)
		d.cluster.Stream(streaming, func(e string) {
			select {
			case d.event <- e:
			default: // the view is behind
			}
		})
	}()
	defer func() {
		cancel()
		<-streamed
	}()
	return d.show(ctx)
}

func (d *demo) start(ctx context.Context) error {
	d.event = make(chan string, 16)
	fmt.Fprintln(d.out, "Starting a Slurm of ten nodes, all on this machine:")
	var err error
	d.cluster, err = slurmbed.Start(ctx, slurmbed.Options{Profile: slurmbed.Plain, MinJobAge: 2 * time.Minute,
		Progress: func(step string) { fmt.Fprintln(d.out, "  "+step) }})
	if err != nil {
		return err
	}
	if d.feed, err = listen("demo"); err != nil {
		return err
	}
	return d.startAgent()
}

// config is all that the agent is told. What the terminal shows comes the way of any Graphite; a cluster that has one needs
// no more than its address there, and one that has none no more than the first two tables.
const config = `cluster   = "demo"
frequency = "%s"
folder    = %q

[aggregator.slurm]

[database.embedded]
listen = "%s"
line   = "127.0.0.1:%d"

[database.terminal]
type    = "graphite"
address = "127.0.0.1"
port    = %d
`

// dashboard is where the pages are where the port is free, as it is without a demo.
const dashboard = "127.0.0.1:8080"

// addresses finds where the embedded Graphite can listen: for the browser, and for lines.
func addresses() (pages string, line int, err error) {
	ports, err := bed.Ports(2)
	if err != nil {
		return "", 0, err
	}
	if l, err := net.Listen("tcp", dashboard); err == nil {
		return dashboard, ports[1], l.Close()
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), ports[1], nil
}

func (d *demo) startAgent() error {
	folder := filepath.Join(d.cluster.Folder(), "agent")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	pages, line, err := addresses()
	if err != nil {
		return err
	}
	d.pages = "http://" + pages + "/"
	file := filepath.Join(folder, "clusterload.toml")
	text := fmt.Sprintf(config, d.every, folder, pages, line, d.feed.port())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "Starting the agent: %s run --config %s\n", d.agent, file)
	fmt.Fprintf(d.out, "The dashboard, and the address for Grafana: %s\n\n", d.pages)
	d.process, err = bed.Start(bed.Options{Name: "clusterload", Path: d.agent, Args: []string{"run", "--config", file},
		Env: d.cluster.Env(), Dir: folder, Log: filepath.Join(folder, "log")})
	return err
}

// show draws the load after each tick.
func (d *demo) show(ctx context.Context) error {
	last := ""
	silence := time.NewTimer(15 * time.Second)
	defer silence.Stop()
	for shown := 0; d.ticks == 0 || shown < d.ticks; {
		select {
		case <-ctx.Done():
			return nil
		case last = <-d.event:
			continue
		case <-d.process.Exited():
			return fmt.Errorf("the agent has ended: %v; its log ends:\n%s", d.process.Err(), d.process.Tail(2000))
		case <-silence.C:
			return fmt.Errorf("the agent has pushed nothing for 15 s; its log ends:\n%s", d.process.Tail(2000))
		case <-d.feed.ticked:
			shown++
			silence.Reset(15*time.Second + d.every)
			d.draw(d.feed.now(int64(2*d.every/time.Second)), last)
		}
	}
	return nil
}

// draw shows a load, and the last thing that happened in the stream of jobs.
func (d *demo) draw(l load, event string) {
	if d.plain {
		fmt.Fprintln(d.out, l.view().Line())
		return
	}
	const homeAndClear = "\x1b[H\x1b[2J"
	fmt.Fprint(d.out, homeAndClear+strings.Join(d.lines(l, event), "\n")+"\n")
}

// lines are the load as top shows it, and what the demo has to say below.
func (d *demo) lines(l load, event string) []string {
	columns, rows := terminal.Size(os.Stdout)
	more := []string{"", terminal.Cut(event, columns-1), "SLURM_CONF=" + d.cluster.Conf() + " squeue", "Dashboard  " + d.pages}
	if l.bad != nil {
		more = append(more, "BAD LINE  "+l.bad.Error())
	}
	view := loadview.View{Columns: columns, Rows: rows - len(more) - 1, Paint: terminal.Painter(terminal.Colours(os.Stdout)),
		Head: fmt.Sprintf("clusterload demo  a real Slurm on this machine, every %s  (Ctrl-C ends)", d.every)}
	return append(view.Lines(l.view()), more...)
}

// stop ends the agent in order, and the cluster at once.
func (d *demo) stop() error {
	var errs []error
	if d.process != nil {
		errs = append(errs, d.process.Stop(10*time.Second))
	}
	if d.feed != nil {
		errs = append(errs, d.feed.close())
	}
	if d.cluster != nil {
		errs = append(errs, d.cluster.Stop())
	}
	return errors.Join(errs...)
}
