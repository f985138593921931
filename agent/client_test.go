package agent

import (
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answering serves a socket with a handler and returns a client of it.
func answering(t *testing.T, handler http.HandlerFunc) *socketClient {
	t.Helper()
	path := filepath.Join(t.TempDir(), socketName)
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	s := &http.Server{Handler: handler}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return newSocketClient(path)
}

func TestClientErrors(t *testing.T) {
	c := newSocketClient(filepath.Join(t.TempDir(), socketName))
	_, err := c.status(t.Context())
	require.ErrorIs(t, err, errNotRunning)
	assert.EqualError(t, err, "no agent runs: nobody answers at "+c.path)

	c = answering(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) })
	_, err = c.status(t.Context())
	assert.EqualError(t, err, "agent at "+c.path+": 418 I'm a teapot")

	c = answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"pid": "many"}`) })
	_, err = c.status(t.Context())
	assert.ErrorContains(t, err, "agent at "+c.path+": answer: json: cannot unmarshal string")

	held := make(chan struct{})
	defer close(held)
	c = answering(t, func(http.ResponseWriter, *http.Request) { <-held })
	c.http.Timeout = 20 * time.Millisecond
	_, err = c.status(t.Context())
	require.ErrorIs(t, err, errNoAnswer)
	assert.EqualError(t, err, "the agent does not answer within 20ms at "+c.path)
}

// The client asks for what is new, and for all again once another agent answers.
func TestClientMetrics(t *testing.T) {
	tag := `"7-1"`
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		assert.Equal(t, []string{"jobs.", "nodes."}, r.URL.Query()["prefix"])
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, `{"cluster": "hpc1", "metrics": [{"template": "jobs.{state}", "labels": ["running"], "value": 17, "time": 1763676010}]}`)
	})
	feed := &topFeed{client: c}
	topPrefixes := []string{"jobs.", "nodes."}
	m, err := c.metrics(t.Context(), topPrefixes...)
	require.NoError(t, err)
	feed.take(m)
	assert.Equal(t, time.Unix(1763676010, 0), feed.load.At)
	assert.Contains(t, feed.load.Line(), "jobs 17 running")
	m, err = c.metrics(t.Context(), topPrefixes...)
	require.NoError(t, err)
	assert.Nil(t, m, "nothing new")
	tag = `"8-1"`
	m, err = c.metrics(t.Context(), topPrefixes...)
	require.NoError(t, err)
	assert.Len(t, m.Metrics, 1)
}
