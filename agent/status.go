package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clusterload/clusterload/internal/terminal"
)

// Exit codes of status, as monitoring programs of Nagios' kind take them.
const (
	statusOK = iota
	statusWarning
	statusCritical
	statusUnknown
)

// said is an error that was printed already; the program ends with its code.
type said struct{ code int }

func (s *said) Error() string { return fmt.Sprintf("exit code %d", s.code) }

const statusHelp = `Status asks the running agent over its socket how it is, and prints each aggregator's last run, each command's time,
and each database with its queue. The first line and the exit code are those of a Nagios plugin:

  0  OK        all is well
  1  WARNING   the agent runs, but an aggregator, a command or a database fails
  2  CRITICAL  the agent does not run, or does not answer
  3  UNKNOWN   the agent could not be asked

The socket is agent.sock in the agent's folder, which only root and the agent's user can reach.`

const statusExamples = `  clusterload status
  clusterload status --json | jq '.databases[].queue.points'
  clusterload status --socket /var/lib/clusterload/agent.sock`

func (p *program) statusCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{Use: "status", Short: "Say how the running agent is; the exit code is for monitoring", Long: statusHelp, Example: statusExamples,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return p.unknown(err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.status(cmd.Context(), path, asJSON) }}
	cmd.Flags().StringVar(&path, "socket", "", "`path` of the agent's socket (default agent.sock in the configuration's folder)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what the agent answers, as JSON")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return p.unknown(err) })
	return cmd
}

// unknown says that nobody knows how the agent is.
func (p *program) unknown(err error) error {
	fmt.Fprintf(p.out, "clusterload UNKNOWN - %s\n", terminal.Plain(oneLine(err.Error())))
	return &said{statusUnknown}
}

func (p *program) status(ctx context.Context, path string, asJSON bool) error {
	path, err := p.socketPath(path)
	if err != nil {
		return p.unknown(err)
	}
	r, err := newSocketClient(path).status(ctx)
	if errors.Is(err, errNotRunning) || errors.Is(err, errNoAnswer) {
		if asJSON {
			_ = printJSON(p.out, map[string][]string{"problems": {err.Error()}}) // the exit code says it too
		} else {
			fmt.Fprintf(p.out, "clusterload CRITICAL - %s\n", terminal.Plain(err.Error()))
		}
		return &said{statusCritical}
	}
	if err != nil {
		return p.unknown(err)
	}
	if asJSON {
		err = printJSON(p.out, r)
	} else {
		_, err = io.WriteString(p.out, r.text(terminal.Painter(p.colours())))
	}
	if err != nil {
		return failed(err)
	}
	if len(r.Problems) > 0 {
		return &said{statusWarning}
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// headline is the first line: the state, what fails, and after the bar the figures that monitoring draws.
func (r *report) headline(paint terminal.Painter) string {
	state, what := paint.Paint(terminal.Green, "OK"), r.summary()
	if n := len(r.Problems); n > 0 {
		state, what = paint.Paint(terminal.Yellow, "WARNING"), terminal.Plain(r.Problems[0])
		if n > 1 {
			what += fmt.Sprintf(" (and %d more)", n-1)
		}
	}
	blocks, bytes, dropped := int64(0), int64(0), int64(0)
	for _, d := range r.Databases {
		blocks, bytes, dropped = blocks+d.Queue.Blocks, bytes+d.Queue.Bytes, dropped+d.Queue.Dropped
	}
	what = strings.ReplaceAll(what, "|", "/") // what follows the first is figures
	return fmt.Sprintf("clusterload %s - %s: %s | series=%d rss=%.0fB queue_blocks=%d queue_bytes=%dB dropped=%dc problems=%d\n",
		state, r.Cluster, what, r.Series, r.RSS, blocks, bytes, dropped, len(r.Problems))
}

// summary says what runs; the aggregator that measures the agent is not counted.
func (r *report) summary() string {
	return fmt.Sprintf("%s, %s, %d series every %s", plural(len(r.Aggregators)-1, "aggregator"), plural(len(r.Databases), "database"), r.Series, short(r.Frequency))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// colours says whether what is printed may be coloured.
func (p *program) colours() bool {
	f, ok := p.out.(*os.File)
	return ok && terminal.Colours(f)
}
