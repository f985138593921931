package graphiteapi

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/terminal/chart"
)

// client asks a server that answers so.
func client(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL + "/graphite/")
	require.NoError(t, err)
	return &Client{URL: u, Timeout: 10 * time.Second}
}

func TestRender(t *testing.T) {
	var asked []string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		asked = append(asked, fmt.Sprint(r.Method, " ", r.URL.Path, " ", len(r.Form["target"]), " ", r.Form.Get("from"), " ", r.Form.Get("until"), " ", r.Form.Get("maxDataPoints"), " ", r.Form.Get("format"), " ", r.Header.Get("Authorization")))
		_, _ = io.WriteString(w, `[{"target": "a.b", "tags": {"name": "a.b"}, "datapoints": [[17, 100], [null, 110], [1e9999, 120], [-2.5e-3, 130.0]]}, {"target": "c", "datapoints": []}]`)
	})
	c.Token = "secret7"
	var done int64
	c.Progress = func(n, _ int64) { done = n }
	got, err := c.Render(t.Context(), Render{Targets: []string{"a.*", "c"}, From: "-6h", Until: "now", MaxPoints: 160})
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.Equal(t, "a.b", got[0].Name)
	points := got[0].Points
	require.Len(t, points, 4)
	assert.Equal(t, chart.Point{Time: 100, Value: 17}, points[0])
	assert.True(t, math.IsNaN(points[1].Value))
	assert.True(t, math.IsInf(points[2].Value, 1))
	assert.Equal(t, chart.Point{Time: 130, Value: -0.0025}, points[3])
	assert.Equal(t, chart.Series{Name: "c", Points: []chart.Point{}}, got[1])
	assert.Greater(t, done, int64(150))

	_, err = c.Render(t.Context(), Render{Targets: []string{strings.Repeat("long.", 500)}, From: "1", Until: "2"})
	require.NoError(t, err)
	assert.Equal(t, []string{"GET /graphite/render 2 -6h now 160 json Bearer secret7", "POST /graphite/render 1 1 2  json Bearer secret7"}, asked)
}

func TestFind(t *testing.T) {
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/graphite/metrics/find", r.URL.Path)
		assert.Equal(t, "hpc1.*", r.FormValue("query"))
		_, _ = io.WriteString(w, `[{"text": "jobs", "leaf": 0, "expandable": 1, "id": "hpc1.jobs"}, {"text": "up", "leaf": 1, "id": "hpc1.up"}, {"text": "on", "leaf": true}]`)
	})
	got, err := c.Find(t.Context(), "hpc1.*")
	require.NoError(t, err)
	assert.Equal(t, []Node{{"jobs", false}, {"up", true}, {"on", true}}, got)
}

// Every way in which there is no answer is said in one line that says what would be right.
func TestErrors(t *testing.T) {
	answer := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	tests := map[string]http.HandlerFunc{
		": 401 Unauthorized: want --token-file with a token that it takes":                 answer(401, "text/plain", "no"),
		": 403 Forbidden: want --token-file with a token that it takes":                    answer(403, "text/html", "<p>no"),
		": 404 Not Found: want the address of Graphite's HTTP API":                         answer(404, "text/plain", "no"),
		": 400 Bad Request: unknown function  [31m\"sum\"":                                 answer(400, "text/plain", "\n unknown function \x1b[31m\"sum\"\nmore"),
		": 500 Internal Server Error":                                                      answer(500, "text/html; charset=utf-8", "<html>a long page</html>"),
		": answer: a page came, no data: want the address of Graphite's HTTP API":          answer(200, "text/html; charset=utf-8", "<html>log in</html>"),
		": answer: is empty: want JSON":                                                    answer(200, "application/json", ""),
		": answer: byte 9: no JSON: invalid character 'x' in literal true (expecting 'r')": answer(200, "application/json", `[{"a": tx`),
		`: answer: series "a": point 1: want a value and a time`:                           answer(200, "application/json", `[{"target": "a", "datapoints": [[1, 2], [3]]}]`),
		`: answer: series "b": point 0: want a value and a time`:                           answer(200, "application/json", `[{"target": "b", "datapoints": [[1, null]]}]`),
		`: answer: "\"7\"": want a number or null`:                                         answer(200, "application/json", `[{"target": "b", "datapoints": [["7", 1]]}]`),
	}
	for want, handler := range tests {
		c := client(t, handler)
		_, err := c.Render(t.Context(), Render{Targets: []string{"a"}})
		assert.EqualError(t, err, "graphite "+c.URL.String()+want)
	}

	c := client(t, answer(200, "", ""))
	c.URL, _ = url.Parse("http://reader:secret7@127.0.0.1:1")
	_, err := c.Render(t.Context(), Render{})
	assert.EqualError(t, err, "graphite http://reader:xxxxx@127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused")

	held := make(chan struct{})
	c = client(t, func(http.ResponseWriter, *http.Request) { <-held })
	defer close(held)
	c.Timeout = 20 * time.Millisecond
	_, err = c.Render(t.Context(), Render{})
	assert.EqualError(t, err, "graphite "+c.URL.String()+": no answer within 20ms")
}

func FuzzParseRender(f *testing.F) {
	f.Add(`[{"target": "a.b", "datapoints": [[17, 100], [null, 110], [1e9999, 120], [-2.5e-3, 130.0]]}]`)
	f.Add(`[{"target": "a", "datapoints": [[1, 1e300], [], [1]]}]`)
	f.Fuzz(func(t *testing.T, text string) {
		series, err := parseRender(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range series {
			for _, p := range s.Points {
				assert.LessOrEqual(t, math.Abs(float64(p.Time)), float64(1<<53))
			}
		}
	})
}

func FuzzParseFind(f *testing.F) {
	f.Add(`[{"text": "jobs", "leaf": 0}, {"text": "up", "leaf": true}]`)
	f.Fuzz(func(_ *testing.T, text string) { _, _ = parseFind(strings.NewReader(text)) })
}

func BenchmarkParseRender(b *testing.B) {
	for _, points := range []int{100, 100_000} {
		var text strings.Builder
		text.WriteString(`[{"target": "hpc1.jobs.running", "datapoints": [`)
		for i := range points {
			fmt.Fprintf(&text, "[%d.5, %d], ", i%977, 1763650000+10*i)
		}
		text.WriteString(`[null, 1]]}]`)
		b.Run(fmt.Sprint(points), func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseRender(strings.NewReader(text.String())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
