package aggregator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	load = &Desc{Template: "load", Unit: Count}
	sent = &Desc{Template: "net.{device}.sent", Kind: Counter, Unit: Bytes}
)

// function is an aggregator made of its Aggregate.
type function func(ctx context.Context, b *Batch) error

func (function) Describe() []*Desc                               { return []*Desc{load, sent} }
func (f function) Aggregate(ctx context.Context, b *Batch) error { return f(ctx, b) }

// collector is a sink that keeps what it gets.
type collector struct {
	mu sync.Mutex
	ms []Metric
}

func (c *collector) sink(ms []Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range ms {
		m.Labels = append([]string(nil), m.Labels...)
		c.ms = append(c.ms, m)
	}
}

// of returns the values of a template by their time, in the order of arrival as well.
func (c *collector) of(template string) (values map[int64]float64, times []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	values = map[int64]float64{}
	for _, m := range c.ms {
		if m.Desc.Template == template {
			values[m.Time] = m.Value
			times = append(times, m.Time)
		}
	}
	return values, times
}

func testLoop(t *testing.T) (*Loop, *collector, *bytes.Buffer) {
	var log bytes.Buffer
	c := &collector{}
	l := NewLoop("hpc1", c.sink, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(l.Close)
	return l, c, &log
}

func counting() function {
	n := 0.0
	return func(_ context.Context, b *Batch) error { n++; b.Add(load, n); return nil }
}

func TestTicksAreAligned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(3300 * time.Millisecond)
		start := time.Now()
		l, c, _ := testLoop(t)
		l.Start(Task{"ten", counting(), 10 * time.Second, 5 * time.Second})
		time.Sleep(40 * time.Second)
		l.Close()
		values, times := c.of("load")
		require.Len(t, times, 4)
		for i, at := range times {
			assert.Zero(t, at%10, "stamp %d", at)
			assert.Equal(t, float64(i+1), values[at])
		}
		assert.Equal(t, start.Add(6700*time.Millisecond).Unix(), times[0])
		assert.Equal(t, "hpc1", c.ms[0].Cluster)
	})
}

// A step of the wall clock moves the stamps, and neither repeats a tick nor leaves one out.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, time.Second, -time.Second, 4 * time.Second, -4 * time.Second} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var offset atomic.Int64
				var ran []time.Time
				total := 0.0
				l, c, _ := testLoop(t)
				l.now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
				l.Start(Task{"ten", function(func(_ context.Context, b *Batch) error {
					ran = append(ran, time.Now())
					total += 700
					b.Add(sent, total, "eth0")
					return nil
				}), 10 * time.Second, 5 * time.Second})
				time.Sleep(35 * time.Second)
				offset.Store(int64(step))
				time.Sleep(60 * time.Second)
				l.Close()

				require.InDelta(t, 9, len(ran), 1)
				for i := 1; i < len(ran); i++ {
					gap := ran[i].Sub(ran[i-1])
					assert.True(t, gap > 5*time.Second && gap <= 15*time.Second, "gap %s", gap)
				}
				_, times := c.of("net.{device}.sent")
				seen := map[int64]bool{}
				for _, at := range times {
					assert.Zero(t, at%10)
					assert.False(t, seen[at], "stamp %d twice", at)
					seen[at] = true
				}
				for _, m := range c.ms {
					assert.False(t, m.Rate < 0, "rate %v", m.Rate)
				}
			})
		})
	}
}

// A process that slept through many ticks runs once when it wakes.
func TestNoBurstAfterPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c, _ := testLoop(t)
		runs := 0
		l.Start(Task{"slow", function(func(_ context.Context, b *Batch) error {
			runs++
			if runs == 2 {
				time.Sleep(47 * time.Second)
			}
			b.Add(load, float64(runs))
			return nil
		}), 10 * time.Second, time.Minute})
		time.Sleep(95 * time.Second)
		l.Close()
		_, times := c.of("load")
		assert.Len(t, times, 5, "runs at 10, 20 (until 67), 70, 80, 90")
		skipped, _ := c.of("agent.aggregator.{aggregator}.skipped")
		assert.Equal(t, 4.0, skipped[times[len(times)-1]], "at 30, 40, 50, 60")
		for _, m := range c.ms {
			if m.Desc == runSkipped && m.Time == times[1] {
				assert.InDelta(t, 4.0/10, m.Rate, 1e-9, "the four, since the run that began 10 s before this one")
			}
		}
	})
}

// One that hangs without looking at its context is never started twice, says so every tick, and hurts no other; what it
// returns much later is thrown away.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c, log := testLoop(t)
		var inside, most atomic.Int64
		release := make(chan struct{})
		l.Start(Task{"good", counting(), 10 * time.Second, 5 * time.Second})
		l.Start(Task{"hung", function(hang(&inside, &most, release)), 10 * time.Second, 5 * time.Second})
		time.Sleep(65 * time.Second)
		run, known := l.Run("hung")
		assert.True(t, known)
		assert.Equal(t, "still runs after its deadline of 5s", run.Error)
		assert.Greater(t, run.Running, 45*time.Second)
		run, _ = l.Run("good")
		assert.Equal(t, Run{Frequency: 10 * time.Second}, run)
		close(release)
		synctest.Wait()
		_, good := c.of("load")
		assert.Len(t, good, 6)
		ok := map[int64]float64{}
		for _, m := range c.ms {
			if m.Desc == runOK && m.Labels[0] == "hung" {
				ok[m.Time] = m.Value
			}
		}
		assert.Len(t, ok, 6, "5 ticks that found it hanging, and its own end")
		for at, v := range ok {
			assert.Zero(t, v, "at %d", at)
		}
		values, _ := c.of("net.{device}.sent")
		assert.Empty(t, values, "what a run says long after its deadline is of another time")
		assert.EqualValues(t, 1, most.Load())
		time.Sleep(10 * time.Second)
		l.Close()
		assert.Equal(t, 1, strings.Count(log.String(), "still runs after its deadline"), log.String())
		assert.Contains(t, log.String(), "thrown away")
		assert.Contains(t, log.String(), "works again")
	})
}

func hang(inside, most *atomic.Int64, release chan struct{}) function {
	return func(_ context.Context, b *Batch) error {
		most.Store(max(most.Load(), inside.Add(1)))
		defer inside.Add(-1)
		<-release
		b.Add(sent, 1, "eth0")
		return nil
	}
}

func TestErrorsKeepWhatWasAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c, log := testLoop(t)
		runs := 0
		l.Start(Task{"flaky", function(func(ctx context.Context, b *Batch) error {
			runs++
			b.Add(load, float64(10*runs))
			switch runs {
			case 2, 3:
				return errors.New("sdiag: exit status 1")
			case 4:
				panic(fmt.Sprint("boom ", len("x")))
			case 5:
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}), 10 * time.Second, 5 * time.Second})
		time.Sleep(65 * time.Second)
		l.Close()
		values, _ := c.of("load")
		assert.Len(t, values, 6, "what was added before an error or a panic is kept")
		ok, times := c.of("agent.aggregator.{aggregator}.ok")
		var got []float64
		for _, at := range times {
			got = append(got, ok[at])
		}
		assert.Equal(t, []float64{1, 0, 0, 0, 0, 1}, got)
		assert.Equal(t, 1, strings.Count(log.String(), "sdiag: exit status 1"), "logged when it changes")
		assert.Contains(t, log.String(), "panic: boom 1")
		assert.Contains(t, log.String(), "works again")
	})
}

func TestMisuseOfBatch(t *testing.T) {
	var b Batch
	b.Reset(time.Unix(700, 0))
	b.Add(sent, 5)
	b.Add(load, math.NaN())
	b.Add(load, 3)
	assert.EqualError(t, b.Err(), `metric "net.{device}.sent": 0 labels [], want 1`)
	require.Len(t, b.Metrics(), 1)

	b.Reset(time.Unix(800, 0))
	b.Add(load, math.Inf(1))
	assert.EqualError(t, b.Err(), `metric "load" []: value +Inf is not finite`)
	assert.Empty(t, b.Metrics())
}

func TestBatchLabelsStayApart(t *testing.T) {
	var b Batch
	b.Reset(time.Unix(0, 0))
	want := map[string]float64{}
	for i := range 3 * labelBlock {
		name := fmt.Sprint("dev", i)
		b.Add(sent, float64(i), name)
		want[name] = float64(i)
	}
	got := map[string]float64{}
	for _, m := range b.Metrics() {
		got[m.Labels[0]] = m.Value
	}
	assert.True(t, maps.Equal(want, got))
}

func TestRates(t *testing.T) {
	var r rates
	at := time.Now()
	steps := []struct {
		after  time.Duration
		values map[string]float64
		want   map[string]float64 // absent: no rate
	}{
		{0, map[string]float64{"a": 1000, "b": 50}, nil},
		{10 * time.Second, map[string]float64{"a": 1200, "b": 50, "c": 7}, map[string]float64{"a": 20, "b": 0}},
		{5 * time.Second, map[string]float64{"a": 30, "c": 8}, map[string]float64{"a": 6, "c": 0.2}}, // a was reset
		{10 * time.Second, map[string]float64{"a": 30, "b": 900}, map[string]float64{"a": 0}},        // b came back
	}
	for i, step := range steps {
		at = at.Add(step.after)
		var b Batch
		b.Reset(at)
		for name, v := range step.values {
			b.Add(sent, v, name)
		}
		b.Add(load, 5)
		r.apply(b.Metrics(), at)
		got := map[string]float64{}
		for _, m := range b.Metrics() {
			if !math.IsNaN(m.Rate) {
				got[m.Labels[0]] = m.Rate
			}
		}
		if step.want == nil {
			step.want = map[string]float64{}
		}
		assert.InDeltaMapValues(t, step.want, got, 1e-12, "step %d", i)
		assert.Len(t, got, len(step.want), "step %d", i)
	}
}

// A stopped task writes nothing of the run that was cut short.
func TestStopCutsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c, _ := testLoop(t)
		l.Start(Task{"slow", function(func(ctx context.Context, b *Batch) error {
			b.Add(load, 4)
			<-ctx.Done()
			return ctx.Err()
		}), 10 * time.Second, time.Minute})
		time.Sleep(15 * time.Second)
		l.Stop("slow")
		assert.Empty(t, c.ms)
		assert.Empty(t, l.Names())
	})
}

func TestParts(t *testing.T) {
	tests := map[string][]Part{
		"load":                     {{"load", false}},
		"{partition}.jobs_num":     {{"partition", true}, {".jobs_num", false}},
		"user.{user}.jobs.{state}": {{"user.", false}, {"user", true}, {".jobs.", false}, {"state", true}},
	}
	for template, want := range tests {
		assert.Equal(t, want, (&Desc{Template: template}).Parts(), template)
	}
	assert.Equal(t, []string{"user", "state"}, (&Desc{Template: "user.{user}.jobs.{state}"}).Placeholders())
}

func TestOnce(t *testing.T) {
	ms, _, err := Once(t.Context(), "test", Task{"two", function(func(_ context.Context, b *Batch) error {
		b.Add(load, 6)
		return errors.New("half of it")
	}), 10 * time.Second, time.Second})
	assert.EqualError(t, err, "half of it")
	require.Len(t, ms, 4)
	assert.Equal(t, 6.0, ms[0].Value)
	assert.Equal(t, "test", ms[3].Cluster)
	assert.Zero(t, ms[0].Time%10)
}
