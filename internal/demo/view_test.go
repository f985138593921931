package main

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func sample() load {
	return load{at: 1763676002, series: 412, values: map[string]float64{
		"jobs.running": 34, "jobs.pending": 21, "cpus.alloc": 71, "cpus.idle": 162, "cpus.total": 232, "gpus.alloc": 6, "gpus.total": 10,
		"partition.batch.jobs.running": 23, "partition.batch.jobs.pending": 11, "partition.batch.cpus.alloc": 48,
		"partition.batch.cpus.idle": 45, "partition.batch.cpus.total": 96, "partition.batch.gpus.total": 0, "partition.batch.gpus.alloc": 0,
		"partition.gpu.jobs.running": 9, "partition.gpu.jobs.pending": 10, "partition.gpu.cpus.alloc": 22, "partition.gpu.cpus.idle": 50,
		"partition.gpu.cpus.total": 72, "partition.gpu.gpus.alloc": 6, "partition.gpu.gpus.total": 10,
		"partition.with_a_long_name.jobs.pending":       1,
		"jobs.pending.reason.resources.jobs":            13,
		"jobs.pending.reason.priority.jobs":             7,
		"jobs.pending.reason.assoc_max_jobs_limit.jobs": 1,
		"jobs.pending.reason.dependency.jobs":           0,
		"jobs.pending.reason.resources.cpus":            99,
		"nodes.idle":                                    3, "nodes.mixed": 5, "nodes.allocated": 2, "nodes.total": 10, "nodes.flag.drain": 1,
		"jobs.recent.completed": 123, "jobs.recent.failed": 4, "jobs.recent.cancelled": 2,
		"agent.command.queue.ok": 1, "agent.command.queue.seconds": 0.0134, "agent.command.nodes.ok": 0, "agent.command.nodes.seconds": 5,
		"agent.rss_bytes": 14.4e6, "agent.cpu_seconds.per_second": 0.0042,
		"agent.database.graphite.sent.per_second": 206, "agent.queue.graphite.blocks": 1,
	}}
}

func TestTable(t *testing.T) {
	want := `
  PARTITION    RUNNING PENDING   CPUS IN USE         IDLE   GPUS IN USE
  batch             23      11     48/96 █████░░░░░    45   -
  gpu                9      10     22/72 ███░░░░░░░    50      6/10 ██████░░░░
  with_a_long~       -       1   -                      -   -
  cluster           34      21    71/232 ███░░░░░░░   162      6/10 ██████░░░░

  PENDING FOR               NODES                     JOBS ENDED
  resources            13   mixed                 5   completed           123
  priority              7   idle                  3   failed                4
  assoc_max_jobs_li~    1   allocated             2   cancelled             2

  AGENT  nodes FAILS  queue 13 ms
         14 MB  0.4 % of a CPU  412 series  206 points/s sent  1 blocks queued
`
	got := sample().table()
	var trimmed []string
	for _, line := range strings.Split(got, "\n") {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, " ")), 80, "%q", line)
		trimmed = append(trimmed, strings.TrimRight(line, " "))
	}
	assert.Equal(t, strings.TrimPrefix(want, "\n"), strings.Join(trimmed, "\n"))

	l := sample()
	l.bad = errors.New("oops")
	assert.Contains(t, l.table(), "BAD LINE  oops")
}

func TestLine(t *testing.T) {
	assert.Equal(t, "jobs 34 running 21 pending  cpus 71/232  gpus 6/10  batch 23+11  gpu 9+10  with_a_long_name -+1"+
		"  resources=13  priority=7  assoc_max_jobs_li~=1  nodes FAILS", sample().line()[len("15:04:05  "):])
	assert.Contains(t, load{}.line(), "jobs - running - pending  cpus -/-  gpus -/-")
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		used, total float64
		want        string
	}{{0, 7, "░░░░░░░░░░"}, {7, 7, "██████████"}, {3, 6, "█████░░░░░"}, {9, 6, "██████████"}, {-3, 6, "░░░░░░░░░░"}, {5, 0, "          "}} {
		assert.Equal(t, c.want, bar(c.used, c.total), "%v of %v", c.used, c.total)
	}
}
