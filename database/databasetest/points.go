package databasetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// Points are the points of the suite: case is the test's name, series a number or something worse.
var Points = &aggregator.Desc{Template: "suite.{case}.{series}", Unit: aggregator.Count, Help: "a number of its own"}

// Cluster is their prefix.
const Cluster = "hpc1"

// begin is the time of the first block: old enough that a thousand blocks of a second each are in the past, and young
// enough for a database that keeps an hour.
var begin = time.Now().Unix() - 2000

// block makes the next block of points, one for each of the first n series. No two points of a case have the same value.
func (k *kase) block(n int) []aggregator.Metric {
	labels := make([]string, n)
	for i := range labels {
		labels[i] = fmt.Sprintf("s%04d", i)
	}
	return k.labelled(labels)
}

func (k *kase) labelled(labels []string) []aggregator.Metric {
	k.blocks++
	ms := make([]aggregator.Metric, len(labels))
	for i, l := range labels {
		ms[i] = aggregator.Metric{Desc: Points, Cluster: Cluster, Labels: []string{k.name, l}, Time: begin + int64(k.blocks),
			Value: float64(k.blocks) + float64(i)/8192, Rate: math.NaN()}
	}
	return ms
}

// some makes count blocks of n points each.
func (k *kase) some(count, n int) [][]aggregator.Metric {
	blocks := make([][]aggregator.Metric, count)
	for i := range blocks {
		blocks[i] = k.block(n)
	}
	return blocks
}

// expect notes what the database is to hold.
func (k *kase) expect(blocks ...[]aggregator.Metric) {
	for _, m := range slices.Concat(blocks...) {
		if m.Desc == Points {
			k.sent[Key{k.spell(m.Labels[1]), m.Time}] = m.Value
		}
	}
}

func (k *kase) spell(label string) string {
	if k.server.Spell == nil {
		return label
	}
	return k.server.Spell(label)
}

// stored waits until the database holds all that was sent, and checks that it holds nothing else of the case.
func (k *kase) stored() {
	k.Helper()
	var wrong string
	for nap := 10 * time.Millisecond; ; nap = min(2*nap, 500*time.Millisecond) {
		got, err := k.database.Stored(k.ctx, k.name)
		if err == nil {
			wrong = k.compare(got)
		} else {
			wrong = err.Error()
		}
		if wrong == "" {
			return
		}
		if sleep(k.ctx, nap) != nil {
			require.Fail(k, "not stored as sent", wrong)
		}
	}
}

// compare names the points that differ, "" for none.
func (k *kase) compare(got map[Key]float64) string {
	var lines []string
	for key, want := range k.sent {
		v, ok := got[key]
		switch {
		case !ok:
			lines = append(lines, fmt.Sprintf("lost: %q at %d, value %v", key.Series, key.Time, want))
		case v != want:
			lines = append(lines, fmt.Sprintf("altered: %q at %d is %v, was sent as %v", key.Series, key.Time, v, want))
		}
	}
	for key, v := range got {
		if _, ok := k.sent[key]; !ok {
			lines = append(lines, fmt.Sprintf("never sent: %q at %d, value %v", key.Series, key.Time, v))
		}
	}
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d of %d points are wrong\n%s", len(lines), len(k.sent), strings.Join(lines[:min(len(lines), 20)], "\n"))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
