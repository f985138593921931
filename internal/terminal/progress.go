package terminal

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// patience is how long a work may take before its progress is shown.
const patience = 500 * time.Millisecond

// Progress shows on a terminal, in one line, that a work goes on; where f is no terminal it shows nothing.
type Progress struct {
	f     *os.File
	begin time.Time
	stop  chan struct{}
	ended sync.WaitGroup

	mu          sync.Mutex
	what        string
	done, total int64 // total 0: nobody knows how much it is
	unit        func(int64) string
}

// NewProgress shows the progress of what on f, once it has taken half a second, until Close.
func NewProgress(f *os.File, what string) *Progress {
	p := &Progress{f: f, begin: time.Now(), stop: make(chan struct{}), what: what, unit: func(n int64) string { return fmt.Sprint(n) }}
	if Is(f) {
		p.ended.Go(p.show)
	}
	return p
}

// Unit says how to spell what is done: Bytes, say.
func (p *Progress) Unit(unit func(int64) string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unit = unit
}

// Set says how much is done of how much; a total of 0 is one that nobody knows.
func (p *Progress) Set(done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total = done, total
}

// Close ends the progress and wipes its line.
func (p *Progress) Close() {
	close(p.stop)
	p.ended.Wait()
}

func (p *Progress) show() {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	shown := false
	for {
		select {
		case <-p.stop:
			if shown {
				fmt.Fprint(p.f, "\r\x1b[K")
			}
			return
		case <-timer.C:
			columns, _ := Size(p.f)
			fmt.Fprint(p.f, "\r"+p.line(time.Since(p.begin), columns)+"\x1b[K")
			shown = true
			timer.Reset(100 * time.Millisecond)
		}
	}
}

// line is "what  ████████░░░░  3/5  2s", in less than so many columns.
func (p *Progress) line(took time.Duration, columns int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	head := Plain(p.what) + "  "
	tail := fmt.Sprintf("  %ds", int(took.Seconds()))
	switch {
	case p.total > 0:
		tail = fmt.Sprintf("  %s/%s", p.unit(p.done), p.unit(p.total)) + tail
	case p.done > 0:
		tail = "  " + p.unit(p.done) + tail
	}
	const bar = 24
	if Width(head)+bar+Width(tail) >= columns {
		return Cut(head+tail, columns-1)
	}
	if p.total > 0 {
		return head + Bar(bar, Part{float64(p.done), '█'}, Part{float64(max(0, p.total-p.done)), '░'}) + tail
	}
	at := int(took/(100*time.Millisecond)) % (bar - 3) // it goes on, nobody knows how far
	return head + strings.Repeat("░", at) + "███" + strings.Repeat("░", bar-3-at) + tail
}
