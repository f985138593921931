package loadview

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterload/clusterload/internal/terminal"
)

// A Column is what the partitions are sorted by.
type Column int

const (
	ByName Column = iota
	ByRunning
	ByPending
	ByCPUs
	ByGPUs
	Columns int = iota
)

// A View is how a load is shown.
type View struct {
	Columns, Rows int    // of the terminal; 0 rows: as many as it takes
	Head          string // what stands in the first line, the time behind it
	Note          string // a warning below it: that nobody answers any more
	Foot          string // the last line
	Paint         terminal.Painter
	Sort          Column
	Backwards     bool // the smallest first, or the names from z to a
	Scroll        int  // how many partitions are above the first shown; no more than leave the last in sight
}

// Lines draws the load. It sets v.Scroll to what was drawn.
func (v *View) Lines(l *Load) []string {
	if v.Columns <= 0 {
		v.Columns = 80
	}
	head := v.Head
	if !l.At.IsZero() {
		head += "  " + l.At.Format("15:04:05")
	}
	top := []string{v.Paint.Paint(terminal.Bold, terminal.Cut(terminal.Plain(head), v.Columns)), ""}
	if v.Note != "" {
		top[1] = v.Paint.Paint(terminal.Red, terminal.Cut(terminal.Plain(v.Note), v.Columns))
	}
	foot := append([]string{""}, v.agent(l)...)
	if v.Foot != "" {
		foot = append(foot, v.Paint.Paint(terminal.Dim, terminal.Cut(v.Foot, v.Columns)))
	}
	table := v.partitions(l)
	heads, rows, total := table[:1], table[1:len(table)-1], table[len(table)-1:]
	bands := v.bands(v.lists(l), v.listRows(len(top)+len(foot)+min(len(table), 8)))
	room := len(rows)
	if v.Rows > 0 {
		least := len(top) + len(foot) + 3 // the table's head, a partition, the cluster
		bands = bands[:max(0, min(len(bands), v.Rows-least))]
		room = max(1, v.Rows-len(top)-len(foot)-len(bands)-2)
	}
	v.Scroll = max(0, min(v.Scroll, len(rows)-room))
	rows = rows[v.Scroll:min(len(rows), v.Scroll+room)]
	return slices.Concat(top, heads, rows, total, bands, foot)
}

// listRows is how long the lists may be where so many lines are taken.
func (v *View) listRows(taken int) int {
	const most = 10
	if v.Rows <= 0 {
		return most
	}
	bands := (listCount + max(1, v.Columns/listWidth) - 1) / max(1, v.Columns/listWidth)
	return max(2, min(most, (v.Rows-taken)/bands-2))
}

// partitions draws the table of the partitions: its head, them, and the cluster.
func (v *View) partitions(l *Load) []string {
	names := l.partitions()
	v.sort(names, l)
	w := v.widths(l, names)
	lines := []string{v.Paint.Paint(terminal.Bold, w.head(v.Sort))}
	for _, name := range names {
		lines = append(lines, v.row(l, shown(name), "partition."+name+".", w))
	}
	return append(lines, v.row(l, "cluster", "", w))
}

// sort sorts the partitions' names, which come in alphabetical order.
func (v *View) sort(names []string, l *Load) {
	suffix := map[Column]string{ByRunning: "jobs.running", ByPending: "jobs.pending", ByCPUs: "cpus.alloc", ByGPUs: "gpus.alloc"}[v.Sort]
	slices.SortStableFunc(names, func(a, b string) int {
		x, _ := l.get("partition", a, suffix)
		y, _ := l.get("partition", b, suffix)
		order := cmp.Compare(y, x)
		if v.Sort == ByName {
			order = cmp.Compare(a, b)
		}
		if v.Backwards {
			return -order
		}
		return order
	})
}

// widths are the columns' widths in the table of the partitions; 0: the column is left out.
type widths struct{ name, cpus, cpuBar, gpus, gpuBar, nodes int }

// Widths that do not change.
const (
	countWidth = 7
	idleWidth  = 7
)

func (v *View) widths(l *Load, names []string) widths {
	w := widths{name: len("PARTITION") + 1, cpus: v.shareWidth(l, names, "cpus"), gpus: v.shareWidth(l, names, "gpus")}
	for _, n := range names {
		w.name = max(w.name, terminal.Width(shown(n)))
	}
	w.name = min(w.name, max(12, v.Columns/6))
	if v.Columns >= 100 {
		w.nodes = 13
	}
	room := v.Columns - w.name - 2*(1+countWidth) - 2 - w.cpus - 1 - 1 - idleWidth
	if w.nodes > 0 {
		room -= 1 + w.nodes
	}
	if w.gpus == 0 {
		w.cpuBar = max(4, min(room, 60))
		return w
	}
	if room < 2+w.gpus+1+3+4 { // a narrow terminal has no room for them
		w.gpus, w.cpuBar = 0, max(4, room)
		return w
	}
	room -= 2 + w.gpus + 1
	w.gpuBar = max(3, min(room/3, 24))
	w.cpuBar = max(4, min(room-w.gpuBar, 48))
	return w
}

// shareWidth is how wide "48/96" is at most; 0 where the cluster has none of the resource.
func (v *View) shareWidth(l *Load, names []string, resource string) int {
	if total, ok := l.get(resource, "total"); resource == "gpus" && (!ok || total == 0) {
		return 0
	}
	most := len("IN USE")
	for _, prefix := range append([]string{""}, names...) {
		if prefix != "" {
			prefix = "partition." + prefix + "."
		}
		most = max(most, len(share(l, prefix+resource)))
	}
	return most
}

// share is "71/96", or a dash where there is none of it.
func share(l *Load, path string) string {
	used, ok := l.get(path + ".alloc")
	total, known := l.get(path + ".total")
	if !ok || !known || total == 0 {
		return "-"
	}
	return number(used, true) + "/" + number(total, true)
}

func (w widths) head(by Column) string {
	mark := func(c Column, s string) string {
		if c == by {
			return s + "▾"
		}
		return s
	}
	line := terminal.Left(mark(ByName, "PARTITION"), w.name) + " " + terminal.Right(mark(ByRunning, "RUN"), countWidth) + " " + terminal.Right(mark(ByPending, "PEND"), countWidth) +
		"  " + terminal.Left(mark(ByCPUs, "CPUS"), w.cpuBar) + " " + terminal.Right("IN USE", w.cpus) + " " + terminal.Right("IDLE", idleWidth)
	if w.gpus > 0 {
		line += "  " + terminal.Left(mark(ByGPUs, "GPUS"), w.gpuBar) + " " + terminal.Right("IN USE", w.gpus)
	}
	if w.nodes > 0 {
		line += " " + terminal.Right("NODES UP", w.nodes)
	}
	return line
}

// row draws a partition, or the cluster.
func (v *View) row(l *Load, name, prefix string, w widths) string {
	label := terminal.Left(name, w.name)
	switch up, known := l.get(prefix + "up"); {
	case prefix == "":
		label = v.Paint.Paint(terminal.Bold, label)
	case known && up == 0:
		label = v.Paint.Paint(terminal.Red, label)
	}
	line := label + " " + terminal.Right(number(l.get(prefix+"jobs.running")), countWidth) + " " +
		v.pending(l, prefix) + "  " + v.bar(l, prefix+"cpus", "other", w.cpuBar) + " " + terminal.Right(share(l, prefix+"cpus"), w.cpus) + " " +
		terminal.Right(number(l.get(prefix+"cpus.idle")), idleWidth)
	if w.gpus > 0 {
		line += "  " + v.bar(l, prefix+"gpus", "unavail", w.gpuBar) + " " + terminal.Right(share(l, prefix+"gpus"), w.gpus)
	}
	if w.nodes > 0 {
		up, ok := l.get(prefix + "nodes.available")
		all, known := l.get(prefix + "nodes.total")
		text := terminal.Right(number(up, ok)+"/"+number(all, known), w.nodes)
		if ok && known && up < all {
			text = v.Paint.Paint(terminal.Yellow, text)
		}
		line += " " + text
	}
	return line
}

func (v *View) pending(l *Load, prefix string) string {
	n, ok := l.get(prefix + "jobs.pending")
	text := terminal.Right(number(n, ok), countWidth)
	if n > 0 {
		return v.Paint.Paint(terminal.Yellow, text)
	}
	return text
}

// bar draws what of a resource is allocated, idle and out of use.
func (v *View) bar(l *Load, path, out string, width int) string {
	alloc, ok := l.get(path + ".alloc")
	idle, _ := l.get(path + ".idle")
	lost, _ := l.get(path + "." + out)
	if !ok || alloc+idle+lost <= 0 {
		return strings.Repeat(" ", width)
	}
	parts := []terminal.Part{{Size: alloc, Rune: '█'}, {Size: idle, Rune: '░'}, {Size: lost, Rune: '×'}}
	colours := []terminal.Colour{terminal.Green, terminal.Dim, terminal.Red}
	line := ""
	for i, n := range terminal.Shares(width, parts) {
		line += v.Paint.Paint(colours[i], strings.Repeat(string(parts[i].Rune), n))
	}
	return line
}

// number writes a count, or a dash where there is none.
func number(v float64, ok bool) string {
	switch {
	case !ok:
		return "-"
	case v >= 1e7:
		return fmt.Sprintf("%.1fM", v/1e6)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
