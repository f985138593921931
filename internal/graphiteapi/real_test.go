package graphiteapi

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/graphitebed"
	"github.com/clusterload/clusterload/internal/terminal/chart"
)

// What the real graphite-web answers is understood.
func TestGraphiteWeb(t *testing.T) {
	g := graphitebed.StartTest(t, graphitebed.Options{Retention: "1s:1h"})
	now := time.Now().Unix()
	c, err := net.Dial("tcp", g.Line)
	require.NoError(t, err)
	for i := range 5 {
		_, err = fmt.Fprintf(c, "hpc1.jobs.running %d %d\nhpc1.jobs.pending %d.5 %d\n", 3+i, now-60+int64(i), 17+i, now-60+int64(i))
		require.NoError(t, err)
	}
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	_, _ = io.ReadAll(c) // carbon has read it all
	require.NoError(t, c.Close())

	u, err := url.Parse(g.URL)
	require.NoError(t, err)
	client := &Client{URL: u, Timeout: 30 * time.Second}
	var series []chart.Series
	render := Render{Targets: []string{"hpc1.jobs.*"}, From: "-2min", Until: "now"}
	require.Eventually(t, func() bool {
		series, err = client.Render(t.Context(), render)
		return err == nil && len(series) == 2 && chart.Sum(series[0].Points).Values == 5 && chart.Sum(series[1].Points).Values == 5
	}, time.Minute, 100*time.Millisecond, "%v %v", &err, &series)
	assert.Equal(t, "hpc1.jobs.pending", series[0].Name)
	assert.Equal(t, chart.Figures{Values: 5, Last: 21.5, Min: 17.5, Mean: 19.5, Max: 21.5}, chart.Sum(series[0].Points))
	assert.Equal(t, chart.Figures{Values: 5, Last: 7, Min: 3, Mean: 5, Max: 7}, chart.Sum(series[1].Points))

	render.MaxPoints = 12
	series, err = client.Render(t.Context(), render)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(series[0].Points), 12)

	render.Targets = []string{"sumSeries(hpc1.jobs.*)", "hpc1.jobs.running"}
	render.MaxPoints = 0
	series, err = client.Render(t.Context(), render)
	require.NoError(t, err)
	require.Len(t, series, 2)
	assert.InDelta(t, 28.5, chart.Sum(series[0].Points).Last, 1e-9)

	render.Targets = []string{"hpc1.jobs.running", "aliasByNode(hpc1.jobs.{" + strings.Repeat("running,", 300) + "pending},2)"}
	series, err = client.Render(t.Context(), render) // too long for an address: a POST
	require.NoError(t, err)
	assert.NotEmpty(t, series)

	nodes, err := client.Find(t.Context(), "hpc1.*")
	require.NoError(t, err)
	assert.Equal(t, []Node{{"jobs", false}}, nodes)
	nodes, err = client.Find(t.Context(), "hpc1.jobs.p*")
	require.NoError(t, err)
	assert.Equal(t, []Node{{"pending", true}}, nodes)

	_, err = client.Render(t.Context(), Render{Targets: []string{"noSuchFunction(hpc1.jobs.*)"}, From: "-2min", Until: "now"})
	assert.ErrorContains(t, err, "graphite "+g.URL+": ")
}
