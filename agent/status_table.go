package agent

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/terminal"
)

// A table is text in columns. Each cell is plain; a colour is put on it once its width is known.
type table struct {
	rows [][]cellText
}

type cellText struct {
	text   string
	colour terminal.Colour
	right  bool // numbers stand at the right
}

func (t *table) head(words ...string) {
	row := make([]cellText, len(words))
	for i, w := range words {
		name, right := strings.CutPrefix(w, ">")
		row[i] = cellText{name, terminal.Bold, right}
	}
	t.rows = append(t.rows, row)
}

// row adds a row whose cells stand as those of the head do.
func (t *table) row(cells ...any) {
	row := make([]cellText, len(cells))
	for i, c := range cells {
		if as, ok := c.(cellText); ok {
			row[i] = as
		} else {
			row[i].text = fmt.Sprint(c)
		}
		row[i].text = terminal.Plain(oneLine(row[i].text))
		row[i].right = t.rows[0][i].right
	}
	t.rows = append(t.rows, row)
}

// text draws the table with two spaces between its columns; the last column is as long as it is.
func (t *table) text(paint terminal.Painter) string {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], terminal.Width(c.text))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			text := terminal.Left(c.text, widths[i])
			switch {
			case c.right:
				text = terminal.Right(c.text, widths[i])
			case i == len(row)-1:
				text = c.text
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(paint.Paint(c.colour, text))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// text is the report for people, the line for monitoring first.
func (r *report) text(paint terminal.Painter) string {
	var b strings.Builder
	b.WriteString(r.headline(paint))
	if len(r.Problems) > 1 {
		for _, p := range r.Problems {
			b.WriteString(paint.Paint(terminal.Yellow, "  "+terminal.Plain(p)) + "\n")
		}
	}
	fmt.Fprintf(&b, "\nagent %s, process %d, up %s, %s of memory, %.1f %% of a CPU\n", r.Version, r.Pid, short(r.Uptime), terminal.Bytes(int64(r.RSS)), r.CPU*100)
	fmt.Fprintf(&b, "configuration %s, folder %s\n\n", cmp.Or(r.Config, "of the defaults"), r.Folder)
	b.WriteString(r.aggregatorTable().text(paint) + "\n")
	if len(r.Commands) > 0 {
		b.WriteString(r.commandTable().text(paint) + "\n")
	}
	b.WriteString(r.databaseTable().text(paint))
	return b.String()
}

func (r *report) aggregatorTable() *table {
	var t table
	t.head("AGGREGATOR", "STATE", "LAST", ">TOOK", ">SERIES", ">SKIPPED", "NEXT", "REMARK")
	for _, a := range r.Aggregators {
		state, last := verdict(a.OK), "-"
		if a.Last == nil {
			state = cellText{text: "not yet"}
		} else {
			last = a.Last.Local().Format(time.TimeOnly)
		}
		remark := a.Error
		if a.Running > 1 && remark == "" {
			remark = "runs for " + short(a.Running)
		}
		t.row(a.Name, state, last, millis(a.Took), a.Series, a.Skipped, a.Next.Local().Format(time.TimeOnly), remark)
	}
	return &t
}

func (r *report) commandTable() *table {
	var t table
	t.head("COMMAND", "STATE", "OF", ">TOOK", ">ROWS", ">BYTES", ">TIMEOUTS", ">UNREADABLE")
	for _, c := range r.Commands {
		t.row(c.Name, verdict(c.OK), c.Aggregator, millis(c.Seconds), c.Rows, terminal.Bytes(c.Bytes), c.Timeouts, c.ParseErrors)
	}
	return &t
}

func (r *report) databaseTable() *table {
	var t table
	t.head("DATABASE", "STATE", ">SENT", ">REJECTED", ">WAITING", ">BYTES", ">OF", ">OLDEST", ">DROPPED", "REMARK")
	for _, d := range r.Databases {
		oldest := "-"
		if d.Queue.Blocks > 0 {
			oldest = short(d.Queue.Oldest)
		}
		t.row(d.Name, verdict(d.OK), d.Sent, d.Rejected, d.Queue.Points, terminal.Bytes(d.Queue.Bytes), terminal.Bytes(d.Queue.MaxBytes), oldest, d.Queue.Dropped, d.remark())
	}
	return &t
}

func (d *databaseReport) remark() string {
	var words []string
	if d.Since != nil {
		words = append(words, "since "+d.Since.Local().Format(time.DateTime))
	}
	if d.Error != "" {
		words = append(words, d.Error)
	}
	if d.Queue.Error != "" {
		words = append(words, "queue: "+d.Queue.Error)
	}
	return strings.Join(words, ": ")
}

func verdict(ok bool) cellText {
	if ok {
		return cellText{text: "ok", colour: terminal.Green}
	}
	return cellText{text: "FAILS", colour: terminal.Red}
}

// millis spells how long a run took: "17 ms", "2.4 s".
func millis(seconds float64) string {
	if seconds < 1 {
		return fmt.Sprintf("%.0f ms", seconds*1000)
	}
	return fmt.Sprintf("%.1f s", seconds)
}

// short spells a duration in one or two units: "17s", "2m30s", "3h5m", "12d4h".
func short(seconds float64) string {
	s := int64(seconds + 0.5)
	pair := func(major int64, unit string, minor int64, minorUnit string) string {
		if minor == 0 {
			return fmt.Sprintf("%d%s", major, unit)
		}
		return fmt.Sprintf("%d%s%d%s", major, unit, minor, minorUnit)
	}
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return pair(s/60, "m", s%60, "s")
	case s < 86400:
		return pair(s/3600, "h", s/60%60, "m")
	}
	return pair(s/86400, "d", s/3600%24, "h")
}
