package loadview

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clusterload/clusterload/internal/terminal"
)

const (
	listWidth = 26 // columns of a list, with the space behind it
	listCount = 5
)

// A list is a head and rows below it, each as wide as a list is.
type list struct {
	head string
	rows []listRow
}

type listRow struct {
	text   string
	colour terminal.Colour
}

// lists are what stands below the partitions.
func (v *View) lists(l *Load) []list {
	return []list{
		{"PENDING FOR", ranked(l.below("jobs.pending.reason", ".jobs"), func(string) terminal.Colour { return terminal.Default })},
		{"NODES", ranked(nodeStates(l), nodeColour)},
		{"JOBS ENDED", ranked(l.below("jobs.recent", ""), endColour)},
		{usersHead("USER"), users(l, "user")},
		{usersHead("ACCOUNT"), users(l, "account")},
	}
}

// nodeStates are the nodes by state, and those with a drain flag.
func nodeStates(l *Load) map[string]float64 {
	states := l.below("nodes", "")
	delete(states, "total")
	delete(states, "available")
	for name, n := range l.below("nodes.flag", "") {
		if name == "not_responding" || name == "reserved" || name == "maintenance" {
			states["+"+name] = n
		}
	}
	return states
}

func nodeColour(state string) terminal.Colour {
	switch state {
	case "down", "error", "+not_responding":
		return terminal.Red
	case "drained", "draining", "unknown", "+maintenance":
		return terminal.Yellow
	}
	return terminal.Default
}

func endColour(state string) terminal.Colour {
	switch state {
	case "completed", "cancelled":
		return terminal.Default
	case "node_fail", "boot_fail":
		return terminal.Red
	}
	return terminal.Yellow
}

// ranked lists the values that are not zero, the largest first.
func ranked(values map[string]float64, colour func(string) terminal.Colour) []listRow {
	names := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(values[b], values[a]), cmp.Compare(a, b))
	})
	var rows []listRow
	for _, n := range names {
		if values[n] == 0 {
			continue
		}
		value := number(values[n], true)
		rows = append(rows, listRow{terminal.Left(shown(n), listWidth-3-len(value)) + " " + value, colour(n)})
	}
	return rows
}

func usersHead(what string) string {
	return terminal.Left(what, listWidth-16) + terminal.Right("CPUS", 6) + terminal.Right("PEND", 8)
}

// users lists those who use CPUs or wait, by CPUs and then by jobs that wait. Those without series of their own come
// last.
func users(l *Load, kind string) []listRow {
	cpus, pending := l.below(kind, ".jobs.cpus.running"), l.below(kind, ".jobs.pending")
	names := slices.SortedFunc(maps.Keys(cpus), func(a, b string) int {
		return cmp.Or(rest(a)-rest(b), cmp.Compare(cpus[b], cpus[a]), cmp.Compare(pending[b], pending[a]), cmp.Compare(a, b))
	})
	var rows []listRow
	for _, n := range names {
		if cpus[n] == 0 && pending[n] == 0 {
			continue
		}
		p, ok := pending[n]
		rows = append(rows, listRow{text: terminal.Left(shown(n), listWidth-16) + terminal.Right(number(cpus[n], true), 6) + terminal.Right(number(p, ok), 8)})
	}
	return rows
}

// rest is 1 for what sums up all others.
func rest(name string) int {
	if name == "_other" {
		return 1
	}
	return 0
}

// bands draws the lists side by side, as many as the terminal is wide, and the others below.
func (v *View) bands(lists []list, most int) []string {
	abreast := max(1, v.Columns/listWidth)
	var lines []string
	for band := range slices.Chunk(lists, abreast) {
		lines = append(lines, "")
		var head strings.Builder
		longest := 0
		for _, l := range band {
			head.WriteString(terminal.Left(l.head, listWidth))
			longest = max(longest, min(len(l.rows), most))
		}
		lines = append(lines, v.Paint.Paint(terminal.Bold, strings.TrimRight(head.String(), " ")))
		for i := range longest {
			lines = append(lines, v.across(band, i, most))
		}
	}
	return lines
}

// across draws the row i of lists that stand side by side. A list that is longer says so in its last row.
func (v *View) across(band []list, i, most int) string {
	var line strings.Builder
	for _, l := range band {
		cell := listRow{}
		switch {
		case i == most-1 && len(l.rows) > most:
			cell = listRow{fmt.Sprintf("and %d more", len(l.rows)-i), terminal.Dim}
		case i < len(l.rows):
			cell = l.rows[i]
		}
		line.WriteString(v.Paint.Paint(cell.colour, terminal.Left(cell.text, listWidth)))
	}
	return strings.TrimRight(line.String(), " ")
}
