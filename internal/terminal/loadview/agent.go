package loadview

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clusterload/clusterload/internal/terminal"
)

// agent draws what the agent says about itself: its commands, itself, and its databases.
func (v *View) agent(l *Load) []string {
	var b strings.Builder
	b.WriteString(v.Paint.Paint(terminal.Bold, "AGENT"))
	oks := l.below("agent.command", ".ok")
	for _, c := range slices.Sorted(maps.Keys(oks)) {
		seconds, timed := l.get("agent.command", c, "seconds")
		switch {
		case oks[c] == 0:
			b.WriteString("  " + v.Paint.Paint(terminal.Red, shown(c)+" FAILS"))
		case timed:
			fmt.Fprintf(&b, "  %s %.0f ms", shown(c), seconds*1000)
		default:
			b.WriteString("  " + shown(c) + " ok")
		}
	}
	if rss, ok := l.get("agent.rss_bytes"); ok {
		b.WriteString("  " + terminal.Bytes(int64(rss)))
	}
	if cpu, ok := l.get("agent.cpu_seconds.per_second"); ok {
		fmt.Fprintf(&b, "  %.1f %% of a CPU", cpu*100)
	}
	if series, ok := l.get("agent.series"); ok {
		fmt.Fprintf(&b, "  %s series", number(series, true))
	}
	return append([]string{b.String()}, v.databases(l)...)
}

// databases draws a line for each database, three at most.
func (v *View) databases(l *Load) []string {
	const most = 3
	var lines []string
	oks := l.below("agent.database", ".ok")
	names := slices.Sorted(maps.Keys(oks))
	for i, d := range names {
		if i == most {
			return append(lines, fmt.Sprintf("      and %d more databases", len(names)-most))
		}
		line := "      " + shown(d)
		if oks[d] == 0 {
			line += v.Paint.Paint(terminal.Red, " FAILS")
		}
		if sent, ok := l.get("agent.database", d, "sent.per_second"); ok {
			line += fmt.Sprintf("  %.0f points/s sent", sent)
		}
		if blocks, ok := l.get("agent.queue", d, "blocks"); ok {
			bytes, _ := l.get("agent.queue", d, "bytes")
			line += fmt.Sprintf("  %s blocks queued, %s", number(blocks, true), terminal.Bytes(int64(bytes)))
		}
		lines = append(lines, line)
	}
	return lines
}

// Line is the load in one line, for a log file.
func (l *Load) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  jobs %s running %s pending", l.At.Format("15:04:05"), number(l.get("jobs.running")), number(l.get("jobs.pending")))
	for _, r := range []string{"cpus", "gpus"} {
		alloc, ok := l.get(r, "alloc")
		total, known := l.get(r, "total")
		fmt.Fprintf(&b, "  %s %s/%s", r, number(alloc, ok), number(total, known))
	}
	for _, p := range l.partitions() {
		fmt.Fprintf(&b, "  %s %s+%s", shown(p), number(l.get("partition", p, "jobs.running")), number(l.get("partition", p, "jobs.pending")))
	}
	reasons := l.below("jobs.pending.reason", ".jobs")
	for i, r := range ranked(reasons, nodeColour) {
		if f := strings.Fields(r.text); i < 3 {
			fmt.Fprintf(&b, "  %s=%s", f[0], f[1])
		}
	}
	oks := l.below("agent.command", ".ok")
	for _, c := range slices.Sorted(maps.Keys(oks)) {
		if oks[c] == 0 {
			fmt.Fprintf(&b, "  %s FAILS", shown(c))
		}
	}
	return b.String()
}
