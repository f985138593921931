package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// ask gets a path from the socket in folder.
func ask(t *testing.T, folder, path, tag string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://agent"+path, nil)
	require.NoError(t, err)
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dial(ctx, filepath.Join(folder, socketName))
	}}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body), resp.Header
}

func reportOf(t *testing.T, folder string) report {
	t.Helper()
	code, body, _ := ask(t, folder, "/status", "")
	require.Equal(t, 200, code, body)
	var r report
	require.NoError(t, json.Unmarshal([]byte(body), &r))
	return r
}

const genToMem = "cluster = \"one\"\n[aggregator.g]\ntype=\"gen\"\nstep=7\n[database.m]\ntype=\"mem\"\nmax_queue=\"3MiB\"\n"

func TestSocket(t *testing.T) {
	w, folder := newWorld(), filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	left, err := net.Listen("unix", filepath.Join(folder, socketName)) // a killed agent leaves one
	require.NoError(t, err)
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, left.Close())
	require.FileExists(t, filepath.Join(folder, socketName))

	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, genToMem)))
	info, err := os.Stat(filepath.Join(folder, socketName))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o660), info.Mode().Perm())
	w.has(t, "m", "one agent.rss_bytes")
	w.has(t, "m", "one gen.{name}.run[g]")

	r := reportOf(t, folder)
	assert.Equal(t, os.Getpid(), r.Pid)
	assert.Equal(t, []any{"one", "f.toml", folder, 1.0, Version()}, []any{r.Cluster, r.Config, r.Folder, r.Frequency, r.Version})
	assert.Empty(t, r.Problems)
	assert.Positive(t, r.RSS)
	require.Len(t, r.Aggregators, 2)
	g := r.Aggregators[0]
	assert.Equal(t, "g", g.Name)
	assert.True(t, g.OK)
	assert.Equal(t, 1, g.Series)
	require.NotNil(t, g.Last)
	assert.Greater(t, g.Next, *g.Last)
	require.Len(t, r.Databases, 1)
	assert.Equal(t, "mem", r.Databases[0].Type)
	assert.True(t, r.Databases[0].OK)
	assert.Positive(t, r.Databases[0].Sent)
	assert.EqualValues(t, 3<<20, r.Databases[0].Queue.MaxBytes)

	_, body, head := ask(t, folder, "/metrics?prefix=gen.", "")
	var ms metricsReport
	require.NoError(t, json.Unmarshal([]byte(body), &ms), body)
	assert.Equal(t, "one", ms.Cluster)
	require.Len(t, ms.Metrics, 1)
	m := ms.Metrics[0]
	assert.Equal(t, []any{"one.gen.g.run", "gen.{name}.run", []string{"g"}}, []any{m.Path, m.Template, m.Labels})
	assert.Zero(t, int(m.Value)%7)
	assert.Nil(t, m.Rate)
	assert.NotZero(t, m.Time)
	assert.NotEmpty(t, head.Get("ETag"))

	for path, want := range map[string]int{"/nothing": 404, "/status/": 404} {
		code, _, _ := ask(t, folder, path, "")
		assert.Equal(t, want, code, path)
	}
	a.Stop(t.Context())
	assert.NoFileExists(t, filepath.Join(folder, socketName))
}

// Only new batches are sent again.
func TestMetricsETag(t *testing.T) {
	w, folder := newWorld(), t.TempDir()
	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, genToMem+"[aggregator.slow]\ntype=\"gen\"\nfrequency=\"1h\"\n")))
	w.has(t, "m", "one gen.{name}.run[g]")
	a.loop.Close() // no more batches
	a.loop = aggregator.NewLoop("one", a.take, quiet())
	_, _, head := ask(t, folder, "/metrics", "")
	code, body, _ := ask(t, folder, "/metrics", head.Get("ETag"))
	assert.Equal(t, http.StatusNotModified, code)
	assert.Empty(t, body)
	code, _, _ = ask(t, folder, "/metrics", `"1-1"`)
	assert.Equal(t, 200, code)
}

// What fails is said in words, and no longer once it works.
func TestReportProblems(t *testing.T) {
	w, folder := newWorld(), t.TempDir()
	w.down["m"] = true
	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, genToMem)))
	require.Eventually(t, func() bool { return len(reportOf(t, folder).Problems) > 0 }, time.Minute, 20*time.Millisecond)
	r := reportOf(t, folder)
	assert.Equal(t, []string{"database m: down"}, r.Problems)
	require.NotNil(t, r.Databases[0].Since)
	assert.Positive(t, r.Databases[0].Queue.Points)
	assert.Zero(t, r.Databases[0].Sent)

	w.mu.Lock()
	w.down["m"] = false
	w.mu.Unlock()
	require.Eventually(t, func() bool { return len(reportOf(t, folder).Problems) == 0 }, time.Minute, 20*time.Millisecond)
}

func TestProblems(t *testing.T) {
	now := time.Unix(1763676000, 0)
	ago := func(s int) *time.Time { t := now.Add(-time.Duration(s) * time.Second); return &t }
	fresh := aggregatorReport{Name: "fresh", Frequency: 10}
	tests := []struct {
		a    aggregatorReport
		want string
	}{
		{aggregatorReport{Name: "a", OK: true, Frequency: 10, Last: ago(12)}, ""},
		{aggregatorReport{Name: "b", Frequency: 10, Last: ago(12), Error: "queue: exit status 1\nnodes: gone"}, "aggregator b: queue: exit status 1; nodes: gone"},
		{aggregatorReport{Name: "c", Frequency: 10, Last: ago(12)}, "aggregator c: has not ended within its deadline"},
		{aggregatorReport{Name: "d", OK: true, Frequency: 10, Last: ago(47)}, "aggregator d: no run for 47s"},
		{aggregatorReport{Name: "e", OK: true, Frequency: 10, Last: ago(47), Running: 48}, ""},
		{aggregatorReport{Name: "f", OK: true, Frequency: 300, Last: ago(299)}, ""},
		{aggregatorReport{Name: "g", OK: true, Frequency: 1, Last: ago(5)}, ""},
	}
	for _, test := range tests {
		r := report{Started: *ago(3600), Aggregators: []aggregatorReport{test.a}}
		assert.Equal(t, test.want, strings.Join(r.problems(now), "|"), test.a.Name)
	}
	r := report{Started: *ago(9), Aggregators: []aggregatorReport{fresh}}
	assert.Empty(t, r.problems(now), "one that is about to run for the first time")
	r = report{Started: *ago(99), Aggregators: []aggregatorReport{fresh}}
	assert.Equal(t, []string{"aggregator fresh: no run for 1m39s"}, r.problems(now))
	r = report{Databases: []databaseReport{{Name: "x", OK: true, Queue: queueReport{Error: "disk full"}}, {Name: "y", Error: "refused"}}}
	assert.Equal(t, []string{"queue of x: disk full", "database y: refused"}, r.problems(now))
}

// The kernel takes paths of 107 bytes; a folder may be deeper.
func TestSocketInADeepFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), strings.Repeat("deep", 30))
	w := newWorld()
	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, genToMem)))
	assert.Equal(t, "one", reportOf(t, folder).Cluster)
	a.Stop(t.Context())
	assert.NoFileExists(t, filepath.Join(folder, socketName))
}

// A crowd of connections holds up nobody for longer than the idle ones may stay.
func TestSocketLimits(t *testing.T) {
	w, folder := newWorld(), t.TempDir()
	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, genToMem)))
	path := filepath.Join(folder, socketName)

	c, err := dial(t.Context(), path)
	require.NoError(t, err)
	_, err = io.WriteString(c, "GET /status HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	if err == nil || errors.Is(err, net.ErrClosed) { // it may be refused while it is written
		answer, _ := io.ReadAll(c)
		assert.Contains(t, string(answer), "431")
	}
	require.NoError(t, c.Close())

	var crowd []net.Conn
	for range maxConnections {
		c, err := dial(t.Context(), path)
		require.NoError(t, err)
		crowd = append(crowd, c)
	}
	for _, c := range crowd { // all are served: each gets an answer
		_, err := io.WriteString(c, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.NoError(t, err)
	}
	answered := make(chan int, 1)
	go func() {
		code, _, _ := ask(t, folder, "/status", "")
		answered <- code
	}()
	select {
	case <-answered:
		t.Fatal("one more than the limit was served")
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, crowd[0].Close())
	assert.Equal(t, 200, <-answered)
	for _, c := range crowd[1:] {
		_ = c.Close()
	}
}
