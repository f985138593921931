package graphite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	marpaia "github.com/marpaia/graphite-golang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database/databasetest"
	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/graphitebed"
)

// carbon is a real carbon-cache, read through graphite-web.
type carbon struct {
	*graphitebed.Graphite
	address string // of the receiver, or of the TLS server before it
}

func (c carbon) Address() string { return c.address }

func (c carbon) Stored(ctx context.Context, name string) (map[databasetest.Key]float64, error) {
	prefix := databasetest.Cluster + ".suite." + name + "."
	now := time.Now()
	series, err := c.Render(ctx, prefix+"*", now.Add(-3500*time.Second), now)
	if err != nil {
		return nil, err
	}
	stored := map[databasetest.Key]float64{}
	for _, s := range series {
		for at, v := range s.Values() {
			stored[databasetest.Key{Series: strings.TrimPrefix(s.Target, prefix), Time: at}] = v
		}
	}
	return stored, nil
}

// The suite against a real carbon, end to end into Whisper.
func TestCarbon(t *testing.T) {
	bed.Need(t, graphitebed.Programs...)
	start := func(address func(t testing.TB, g *graphitebed.Graphite) string) func(testing.TB) databasetest.Database {
		return func(t testing.TB) databasetest.Database {
			g := graphitebed.StartTest(t, graphitebed.Options{})
			return carbon{g, address(t, g)}
		}
	}
	t.Run("line", func(t *testing.T) {
		t.Parallel()
		databasetest.Run(t, databasetest.Server{Open: opener(""), Bad: bad, Spell: spellPath,
			Start: start(func(_ testing.TB, g *graphitebed.Graphite) string { return g.Line })})
	})
	t.Run("pickle", func(t *testing.T) {
		t.Parallel()
		databasetest.Run(t, databasetest.Server{Open: opener(`protocol = "pickle"`), Bad: bad, Spell: spellPath,
			Start: start(func(_ testing.TB, g *graphitebed.Graphite) string { return g.Pickle })})
	})
	t.Run("udp", func(t *testing.T) {
		t.Parallel()
		databasetest.Run(t, databasetest.Server{Open: opener(`protocol = "udp"`), Bad: bad, Spell: spellPath, Lossy: true,
			Start: start(func(_ testing.TB, g *graphitebed.Graphite) string { return g.UDP })})
	})
	t.Run("tls", func(t *testing.T) {
		t.Parallel()
		ca := databasetest.NewAuthority(t)
		cert, key := ca.Issue("head.hpc1")
		settings := fmt.Sprintf("tls = {ca = %q, cert = %q, key = %q}", ca.File(), cert, key)
		databasetest.Run(t, databasetest.Server{Open: opener(settings), Bad: bad, Spell: spellPath,
			Start: start(func(t testing.TB, g *graphitebed.Graphite) string {
				return databasetest.Terminate(t, g.Line, ca.Config("127.0.0.1"))
			})})
	})
}

// Tagged series are found by their tags, and an independent sender's series stand beside them.
func TestCarbonTags(t *testing.T) {
	g := graphitebed.StartTest(t, graphitebed.Options{Tags: true})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at := time.Now().Unix() - 100
	c := opener(`style = "tags"`)(t, g.Line, patient)
	d := &aggregator.Desc{Template: "partition.{partition}.jobs.{state}"}
	require.NoError(t, c.Send(ctx, []aggregator.Metric{
		{Desc: d, Cluster: "hpc1", Labels: []string{"gpu", "running"}, Time: at, Value: 17},
		{Desc: d, Cluster: "hpc1", Labels: []string{"gpu", "pending"}, Time: at, Value: 5},
		{Desc: d, Cluster: "hpc2", Labels: []string{"~big mem", "running"}, Time: at, Value: 3},
	}))
	require.NoError(t, c.(*Client).Confirm(ctx))
	require.NoError(t, c.Close())

	host, port := split(t, g.Line)
	sender, err := marpaia.NewGraphite(host, port)
	require.NoError(t, err)
	require.NoError(t, sender.SendMetric(marpaia.NewMetric("independent.sender", "9", at)))
	require.NoError(t, sender.Disconnect())

	for target, want := range map[string]map[string]float64{
		"seriesByTag('cluster=hpc1')": {
			"partition.jobs;cluster=hpc1;partition=gpu;state=running": 17, "partition.jobs;cluster=hpc1;partition=gpu;state=pending": 5},
		"seriesByTag('name=partition.jobs','state=running')": {
			"partition.jobs;cluster=hpc1;partition=gpu;state=running": 17, "partition.jobs;cluster=hpc2;partition=_big_mem;state=running": 3},
		"independent.sender": {"independent.sender": 9},
	} {
		got := map[string]float64{}
		err := bed.WaitFor(ctx, target, func() (bool, error) {
			series, err := g.Render(ctx, target, time.Unix(at-5, 0), time.Unix(at+5, 0))
			clear(got)
			for _, s := range series {
				got[s.Target] = s.At(at)
			}
			return assert.ObjectsAreEqual(want, got), err
		})
		require.NoError(t, err, "%v", got)
	}
}
