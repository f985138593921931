package main_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The series of sdiag. They change while the cluster keeps still, so that checkScheduler sees to them.
var ofScheduler = regexp.MustCompile(`^(ctld|sched)\.`)

// Those of them that only grow until the statistics start again.
var schedulerGrows = regexp.MustCompile(`^ctld\.jobs\.\w+$|\.max_seconds$|^sched\.backfill\.(jobs|het_components|cycles)$`)

// statisticsSince is the key under which readScheduler has the time at which the statistics began.
const statisticsSince = "since"

// schedulerPatterns are where sdiag's text, all of it, has each number.
var schedulerPatterns = func() map[string]*regexp.Regexp {
	patterns := map[string]string{statisticsSince: `(?m)^Data since .*\((\d+)\)$`}
	for name, label := range map[string]string{"threads": "Server thread count", "agent_queue": "Agent queue size", "agent_count": "Agent count",
		"dbd_queue": "DBD Agent queue size", "jobs.submitted": "Jobs submitted", "jobs.started": "Jobs started",
		"jobs.completed": "Jobs completed", "jobs.canceled": "Jobs canceled"} {
		patterns["ctld."+name] = `(?m)^` + label + `: +(\d+)$`
	}
	cycles := map[string]string{"last_seconds": "Last cycle", "mean_seconds": "Mean cycle", "max_seconds": "Max cycle", "queue_len": "Last queue length"}
	for name, label := range cycles {
		patterns["sched.main."+name] = `(?s)\nMain schedule statistics[^\n]*\n(?:\t[^\n]*\n)*?\t` + label + `: +(\d+)\n`
		patterns["sched.backfill."+name] = `(?s)\nBackfilling stats[^\n]*\n(?:\t[^\n]*\n)*?\t` + label + `: +(\d+)\n`
	}
	for path, label := range map[string]string{"main.cycles_per_minute": "Cycles per minute", "main.depth_mean": "Mean depth cycle",
		"backfill.depth_mean": "Depth Mean", "backfill.try_depth_mean": `Depth Mean \(try depth\)`,
		"backfill.jobs":           `Total backfilled jobs \(since last slurm start\)`,
		"backfill.het_components": "Total backfilled heterogeneous job components"} {
		patterns["sched."+path] = `(?m)^\t` + label + `: +(\d+)$`
	}
	patterns["sched.backfill.cycles"] = `(?s)\nBackfilling stats.*?\tTotal cycles: +(\d+)\n`
	compiled := map[string]*regexp.Regexp{}
	for path, pattern := range patterns {
		compiled[path] = regexp.MustCompile(pattern)
	}
	return compiled
}()

// readScheduler reads the answer of sdiag.
func readScheduler(t testing.TB, text string) snapshot {
	t.Helper()
	said := snapshot{}
	for path, pattern := range schedulerPatterns {
		if m := pattern.FindStringSubmatch(text); m != nil {
			said[path] = number(t, m[1])
			if strings.HasSuffix(path, "_seconds") {
				said[path] /= 1_000_000
			}
		}
	}
	return said
}

// checkScheduler takes the series of sdiag out of a tick's, and returns what is wrong with them, given what sdiag said
// before the tick and after it: a total or maximum lies between the two, the rest is there and possible.
func checkScheduler(tick, before, after snapshot) (wrong []string) {
	complain := func(path, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("%s is %v, want %s", path, tick[path], fmt.Sprintf(format, args...)))
	}
	for path, v := range tick {
		if !ofScheduler.MatchString(path) {
			continue
		}
		total, rate := strings.CutSuffix(path, ".per_second")
		_, said := after[total]
		counts := schedulerGrows.MatchString(total) && !strings.HasSuffix(total, "_seconds")
		switch {
		case !said:
			complain(path, "none: sdiag does not say it")
		case rate && (!counts || v < 0 || v > 0 && tick[total] == 0):
			complain(path, "a rate of %v", tick[total])
		case rate:
		case schedulerGrows.MatchString(path) && (v < before[path] || v > after[path]):
			complain(path, "%v to %v", before[path], after[path])
		case v < 0:
			complain(path, "no less than 0")
		}
	}
	for path := range before {
		if _, there := tick[path]; !there && path != statisticsSince {
			wrong = append(wrong, path+" is not there")
		}
	}
	for _, which := range []string{"sched.main.", "sched.backfill."} {
		for _, of := range []string{"last_seconds", "mean_seconds"} {
			if tick[which+of] > tick[which+"max_seconds"] {
				complain(which+of, "at most the longest, %v", tick[which+"max_seconds"])
			}
		}
	}
	if tick["ctld.threads"] < 1 {
		complain("ctld.threads", "the one that answers sdiag at least")
	}
	for path := range tick {
		if ofScheduler.MatchString(path) {
			delete(tick, path)
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestReadScheduler(t *testing.T) {
	text := "Data since      Sat Nov 21 00:00:00 2026 (1795219200)\n****\nServer thread count:  3\nRPC queue enabled:    0\nAgent queue size:     4\n" +
		"Agent count:          2\nDBD Agent queue size: 5\n\nJobs submitted: 1006\nJobs started:   34\nJobs completed: 14\nJobs canceled:  6\n\n" +
		"Main schedule statistics (microseconds):\n\tLast cycle:   197\n\tMax cycle:    6687\n\tTotal cycles: 20\n\tMean depth cycle:  10\n" +
		"\tLast queue length: 11\n\nMain scheduler exit:\n\tEnd of job queue: 2\n\nBackfilling stats (WARNING: busy)\n" +
		"\tTotal backfilled jobs (since last slurm start): 13\n\tTotal backfilled jobs (since last stats cycle start): 15\n" +
		"\tTotal backfilled heterogeneous job components: 12\n\tTotal cycles: 17\n\tLast cycle when: Sat Nov 21 00:08:13 2026 (1795219693)\n" +
		"\tLast cycle: 302\n\tMax cycle:  2085\n\tMean cycle: 682\n\tDepth Mean: 8\n\tDepth Mean (try depth): 1\n\tLast queue length: 9\n\n"
	said := readScheduler(t, text)
	assert.Equal(t, snapshot{"since": 1795219200, "ctld.threads": 3, "ctld.agent_queue": 4, "ctld.agent_count": 2, "ctld.dbd_queue": 5,
		"ctld.jobs.submitted": 1006, "ctld.jobs.started": 34, "ctld.jobs.completed": 14, "ctld.jobs.canceled": 6,
		"sched.main.last_seconds": 0.000197, "sched.main.max_seconds": 0.006687, "sched.main.depth_mean": 10, "sched.main.queue_len": 11,
		"sched.backfill.jobs": 13, "sched.backfill.het_components": 12, "sched.backfill.cycles": 17, "sched.backfill.last_seconds": 0.000302,
		"sched.backfill.max_seconds": 0.002085, "sched.backfill.mean_seconds": 0.000682, "sched.backfill.depth_mean": 8,
		"sched.backfill.try_depth_mean": 1, "sched.backfill.queue_len": 9}, said)

	tick := func(change snapshot, without ...string) snapshot {
		s := snapshot{"jobs.running": 7, "ctld.jobs.started.per_second": 0.5}
		for path, v := range said {
			if path != statisticsSince && !slices.Contains(without, path) {
				s[path] = v
			}
		}
		for path, v := range change {
			s[path] = v
		}
		return s
	}
	fine := tick(nil)
	require.Empty(t, checkScheduler(fine, said, said))
	assert.Equal(t, snapshot{"jobs.running": 7}, fine)
	for _, bad := range []snapshot{
		tick(snapshot{"ctld.jobs.started": 35}), tick(snapshot{"sched.main.max_seconds": 6687}), tick(nil, "sched.backfill.jobs"),
		tick(snapshot{"sched.main.mean_seconds": 0}), tick(snapshot{"ctld.threads.per_second": 0}), tick(snapshot{"ctld.jobs.started.per_second": -1}),
		tick(snapshot{"sched.backfill.last_seconds": 302}), tick(snapshot{"ctld.threads": 0}), tick(snapshot{"ctld.agent_queue": -1}),
	} {
		assert.Len(t, checkScheduler(bad, said, said), 1)
	}
}
