package agent

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clusterload/clusterload/internal/terminal"
	"github.com/clusterload/clusterload/internal/terminal/loadview"
)

const topFoot = "q quit   ←→ sort by   r turn the order   ↑↓ scroll"

// topScreen shows the load on the whole terminal until a key ends it.
func (p *program) topScreen(ctx context.Context, f *topFeed, out *os.File, ticks int) error {
	view := &loadview.View{Paint: terminal.Painter(p.colours()), Foot: topFoot}
	keys := make(chan terminal.Key, 16)
	if terminal.Is(os.Stdin) {
		restore, err := terminal.Raw(os.Stdin)
		if err != nil {
			return err
		}
		defer restore()
		go readKeys(os.Stdin, keys)
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH, syscall.SIGCONT)
	defer signal.Stop(resized)
	screen := terminal.NewScreen(out)
	defer screen.Close()
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		if err := drawTop(screen, view, f, out); err != nil {
			return err
		}
		if ticks > 0 && f.ticks >= ticks {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case k := <-keys:
			if pressed(view, k) {
				return nil
			}
			if k == terminal.CtrlL {
				screen.Clear()
			}
		case <-resized:
			screen.Clear()
		case <-poll.C:
			_ = f.ask(ctx) // what is wrong is on the screen
		}
	}
}

// readKeys hands over keys until the terminal is gone, which ends top as q does.
func readKeys(in *os.File, keys chan<- terminal.Key) {
	buf := make([]byte, 64)
	for {
		n, err := in.Read(buf)
		if err != nil || n == 0 {
			keys <- 'q'
			return
		}
		for _, k := range terminal.Keys(buf[:n]) {
			keys <- k
		}
	}
}

func drawTop(screen *terminal.Screen, view *loadview.View, f *topFeed, out *os.File) error {
	view.Columns, view.Rows = terminal.Size(out)
	view.Head = fmt.Sprintf("clusterload  %s  every %s", f.cluster, short(f.frequency.Seconds()))
	view.Note = f.note(time.Now())
	return screen.Draw(view.Lines(f.load), view.Rows)
}

// note says why what is shown is not of now, or nothing.
func (f *topFeed) note(now time.Time) string {
	if f.silent != nil {
		return fmt.Sprintf("No answer since %s: %v", f.since.Format(time.TimeOnly), f.silent)
	}
	if f.load.At.IsZero() {
		return "The agent has just started: its first tick is yet to come."
	}
	if age := now.Sub(f.load.At); f.frequency > 0 && age > silentIntervals*f.frequency+pollInterval {
		return fmt.Sprintf("The agent has made no tick for %s.", short(age.Seconds()))
	}
	return ""
}

// pressed does what a key asks for. It tells whether that is to end.
func pressed(v *loadview.View, k terminal.Key) (end bool) {
	page := max(1, v.Rows/2)
	switch k {
	case 'q', 'Q', terminal.CtrlC, terminal.Escape:
		return true
	case terminal.RightArrow, '>', 'l', terminal.Tab:
		v.Sort = (v.Sort + 1) % loadview.Column(loadview.Columns)
	case terminal.LeftArrow, '<', 'h':
		v.Sort = (v.Sort + loadview.Column(loadview.Columns) - 1) % loadview.Column(loadview.Columns)
	case 'r', 'R':
		v.Backwards = !v.Backwards
	case terminal.Down, 'j':
		v.Scroll++
	case terminal.Up, 'k':
		v.Scroll--
	case terminal.PageDown, ' ':
		v.Scroll += page
	case terminal.PageUp:
		v.Scroll -= page
	case terminal.Home, 'g':
		v.Scroll = 0
	case terminal.End, 'G':
		v.Scroll = 1 << 20
	}
	return false
}
