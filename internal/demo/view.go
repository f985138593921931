package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// number writes a count, or a dash where there is none.
func number(v float64, ok bool) string {
	if !ok {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// bar draws how much of total is used, in ten characters.
func bar(used, total float64) string {
	if total <= 0 {
		return strings.Repeat(" ", 10)
	}
	n := int(used/total*10 + 0.5)
	n = max(0, min(n, 10))
	return strings.Repeat("█", n) + strings.Repeat("░", 10-n)
}

// share is "71/96 ███████░░░", or a dash where the cluster has none of it.
func (l load) share(prefix, resource string) string {
	used, ok := l.get(prefix + resource + ".alloc")
	total, known := l.get(prefix + resource + ".total")
	if !ok || !known || total == 0 {
		return "-"
	}
	return fmt.Sprintf("%7s %s", number(used, true)+"/"+number(total, true), bar(used, total))
}

// partitions lists the names of the partitions.
func (l load) partitions() []string {
	names := map[string]bool{}
	for path := range l.values {
		if rest, ok := strings.CutPrefix(path, "partition."); ok {
			name, _, _ := strings.Cut(rest, ".")
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// table draws the whole load, in at most 80 columns.
func (l load) table() string {
	var b strings.Builder
	row := func(name, prefix string) {
		idle, ok := l.get(prefix + "cpus.idle")
		fmt.Fprintf(&b, "  %-12s %7s %7s   %-18s %5s   %-18s\n", cut(name, 12),
			number(l.get(prefix+"jobs.running")), number(l.get(prefix+"jobs.pending")),
			l.share(prefix, "cpus"), number(idle, ok), l.share(prefix, "gpus"))
	}
	fmt.Fprintf(&b, "  %-12s %7s %7s   %-18s %5s   %-18s\n", "PARTITION", "RUNNING", "PENDING", "CPUS IN USE", "IDLE", "GPUS IN USE")
	for _, p := range l.partitions() {
		row(p, "partition."+p+".")
	}
	row("cluster", "")
	b.WriteString("\n" + columns(
		append([]string{"PENDING FOR"}, ranked(l.below("jobs.pending.reason", ".jobs"), 8)...),
		append([]string{"NODES"}, ranked(without(l.below("nodes", ""), "total", "available"), 8)...),
		append([]string{"JOBS ENDED"}, ranked(l.below("jobs.recent", ""), 8)...)))
	b.WriteString("\n" + l.agent())
	return b.String()
}

// agent draws what the agent says about itself.
func (l load) agent() string {
	var b strings.Builder
	b.WriteString("  AGENT")
	for _, c := range slices.Sorted(maps.Keys(l.below("agent.command", ".ok"))) {
		ok, _ := l.get("agent.command", c, "ok")
		seconds, timed := l.get("agent.command", c, "seconds")
		switch {
		case ok == 0:
			fmt.Fprintf(&b, "  %s FAILS", c)
		case timed:
			fmt.Fprintf(&b, "  %s %.0f ms", c, seconds*1000)
		default:
			fmt.Fprintf(&b, "  %s ok", c)
		}
	}
	b.WriteString("\n       ")
	if rss, ok := l.get("agent.rss_bytes"); ok {
		fmt.Fprintf(&b, "  %.0f MB", rss/1e6)
	}
	if cpu, ok := l.get("agent.cpu_seconds.per_second"); ok {
		fmt.Fprintf(&b, "  %.1f %% of a CPU", cpu*100)
	}
	fmt.Fprintf(&b, "  %d series", l.series)
	if sent, ok := l.get("agent.database.graphite.sent.per_second"); ok {
		fmt.Fprintf(&b, "  %.0f points/s sent", sent)
	}
	if blocks, ok := l.get("agent.queue.graphite.blocks"); ok {
		fmt.Fprintf(&b, "  %.0f blocks queued", blocks)
	}
	if l.bad != nil {
		fmt.Fprintf(&b, "\n  BAD LINE  %v", l.bad)
	}
	return b.String() + "\n"
}

// line is the load in one line, for a log file.
func (l load) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  jobs %s running %s pending", time.Unix(l.at, 0).Format(time.TimeOnly),
		number(l.get("jobs.running")), number(l.get("jobs.pending")))
	for _, r := range []string{"cpus", "gpus"} {
		alloc, ok := l.get(r, "alloc")
		total, known := l.get(r, "total")
		fmt.Fprintf(&b, "  %s %s/%s", r, number(alloc, ok), number(total, known))
	}
	for _, p := range l.partitions() {
		fmt.Fprintf(&b, "  %s %s+%s", p, number(l.get("partition", p, "jobs.running")), number(l.get("partition", p, "jobs.pending")))
	}
	for _, r := range ranked(l.below("jobs.pending.reason", ".jobs"), 3) {
		f := strings.Fields(r)
		fmt.Fprintf(&b, "  %s=%s", f[0], f[1])
	}
	for c, ok := range l.below("agent.command", ".ok") {
		if ok == 0 {
			fmt.Fprintf(&b, "  %s FAILS", c)
		}
	}
	return b.String()
}

// without leaves names out.
func without(values map[string]float64, names ...string) map[string]float64 {
	for _, n := range names {
		delete(values, n)
	}
	return values
}

// ranked lists the largest values that are not zero, "name    17", the largest first.
func ranked(values map[string]float64, most int) []string {
	names := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(values[b], values[a]), cmp.Compare(a, b))
	})
	var rows []string
	for _, n := range names {
		if values[n] != 0 && len(rows) < most {
			rows = append(rows, fmt.Sprintf("%-18s %4s", cut(n, 18), number(values[n], true)))
		}
	}
	return rows
}

// columns draws lists side by side, the first of each its head.
func columns(lists ...[]string) string {
	var b strings.Builder
	for i := 0; ; i++ {
		var line strings.Builder
		more := false
		for _, l := range lists {
			cell := ""
			if i < len(l) {
				cell, more = l[i], true
			}
			fmt.Fprintf(&line, "  %-24s", cell)
		}
		if !more {
			return b.String()
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n-1] + "~"
}
