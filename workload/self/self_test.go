package self_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/workload/self"
)

func TestAggregate(t *testing.T) {
	a := self.New(func() self.Stats {
		return self.Stats{Series: 4711, Lag: 30 * time.Millisecond, Interval: 10 * time.Second, Databases: []self.Database{
			{Name: "graphite", Bytes: 1001, Blocks: 2, Oldest: 7 * time.Second, Sent: 31, Rejected: 5, Dropped: 6, SendSeconds: 0.25, OK: true},
			{Name: "backup", Bytes: 1002},
		}}
	})
	var b aggregator.Batch
	b.Reset(time.Unix(1000, 0))
	require.NoError(t, a.Aggregate(t.Context(), &b))
	require.NoError(t, b.Err())

	declared := map[*aggregator.Desc]bool{}
	for _, d := range a.Describe() {
		assert.NotEmpty(t, d.Help, d.Template)
		assert.NotEmpty(t, d.Source, d.Template)
		assert.NotEmpty(t, d.Unit, d.Template)
		declared[d] = true
	}
	got := map[string]float64{}
	for _, m := range b.Metrics() {
		assert.True(t, declared[m.Desc], m.Desc.Template)
		key := m.Desc.Template
		if len(m.Labels) > 0 {
			key = m.Labels[0] + " " + key
		}
		got[key] = m.Value
	}
	for key, want := range map[string]float64{
		"agent.series": 4711, "agent.tick_lag_seconds": 0.03, "agent.interval_seconds": 10,
		"graphite agent.queue.{database}.bytes": 1001, "graphite agent.queue.{database}.blocks": 2, "graphite agent.queue.{database}.oldest_seconds": 7,
		"graphite agent.database.{database}.sent": 31, "graphite agent.database.{database}.rejected": 5, "graphite agent.database.{database}.dropped": 6,
		"graphite agent.database.{database}.send_seconds": 0.25, "graphite agent.database.{database}.ok": 1,
		"backup agent.queue.{database}.bytes": 1002, "backup agent.database.{database}.ok": 0,
	} {
		assert.Equal(t, want, got[key], key)
	}
	assert.Greater(t, got["agent.rss_bytes"], 1e6)
	assert.Greater(t, got["agent.cpu_seconds"], 0.0)
}
