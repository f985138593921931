package grafana

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/graphitebed"
)

// A server is a Graphite with the recorded points.
type server struct {
	name, url, line string
	last            int64 // the time of the last tick
}

// startServers starts the embedded Graphite and a real one and feeds both. What the agent measures is recorded from a real
// one; what it is yet to measure is made up, in testdata/made-up.lines.
func startServers(t *testing.T) []server {
	t.Helper()
	bed.Need(t, graphitebed.Programs...)
	web := graphitebed.StartTest(t, graphitebed.Options{Retention: "10s:1h"})
	servers := []server{startStore(t), {name: "graphite-web", url: web.URL, line: web.Line}}
	last := time.Now().Unix()/tick*tick - tick
	lines := append(recorded(t, last), madeUp(t, last)...)
	lines = append(lines, []byte(strings.ReplaceAll(tagged, "NOW", strconv.FormatInt(last, 10)))...)
	for i := range servers {
		servers[i].last = last
		c, err := net.Dial("tcp", servers[i].line)
		require.NoError(t, err)
		_, err = c.Write(lines)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	for _, s := range servers {
		s.await(t, lines)
	}
	// What carbon would tell graphite-web by itself, some time later.
	paths := url.Values{}
	for line := range strings.Lines(tagged) {
		path, _, _ := strings.Cut(line, " ")
		paths.Add("path", path)
	}
	body, status := servers[1].post(t, "/tags/tagMultiSeries", paths.Encode())
	require.Equal(t, http.StatusOK, status, "%s", body)
	return servers
}

// TestServers is all that needs them; they are started once.
func TestServers(t *testing.T) {
	servers := startServers(t)
	t.Run("targets", func(t *testing.T) { testTargets(t, servers) })
	t.Run("annotations", func(t *testing.T) { testAnnotations(t, servers) })
	t.Run("states add up", func(t *testing.T) { testStates(t, servers) })
	t.Run("requests", func(t *testing.T) { testRequests(t, servers) })
}

// tagged are series with tags.
const tagged = `disk.used;host=n1;mount=_scratch 41 NOW
disk.used;host=n2;mount=_scratch 43 NOW
disk.used;host=n2;mount=_home 47 NOW
`

func startStore(t *testing.T) server {
	t.Helper()
	program := build(t, "clusterload-store")
	ports, err := bed.Ports(2)
	require.NoError(t, err)
	s := server{name: "clusterload-store", url: fmt.Sprintf("http://127.0.0.1:%d", ports[0]), line: fmt.Sprintf("127.0.0.1:%d", ports[1])}
	folder := t.TempDir()
	p := bed.StartTest(t, bed.Options{Path: program, Log: filepath.Join(folder, "log"),
		Args: []string{"--path", filepath.Join(folder, "store"), "--listen", s.url[len("http://"):], "--line", s.line}})
	for _, address := range []string{s.url[len("http://"):], s.line} {
		require.NoError(t, p.WaitFor(t.Context(), "the store to listen", bed.Dials("tcp", address)))
	}
	return s
}

// build builds one of the project's programs and returns its path.
func build(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	c := exec.CommandContext(t.Context(), "go", "build", "-o", path, "github.com/clusterload/clusterload/cmd/"+name)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// recorded returns the lines of the recording, as if its last tick had been at a time.
func recorded(t *testing.T, last int64) []byte {
	t.Helper()
	f, err := os.Open(recording)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	return dated(t, z, last)
}

// madeUp returns the lines of metrics that no aggregator makes yet, a copy for each tick.
func madeUp(t *testing.T, last int64) []byte {
	t.Helper()
	f, err := os.Open("testdata/made-up.lines")
	require.NoError(t, err)
	defer f.Close()
	var b bytes.Buffer
	for s := bufio.NewScanner(f); s.Scan(); {
		for i := range recordedTicks {
			fmt.Fprintf(&b, "%s %d\n", s.Text(), i*tick)
		}
	}
	return dated(t, &b, last)
}

// dated replaces the age at the end of each line by the time.
func dated(t *testing.T, r io.Reader, last int64) []byte {
	t.Helper()
	var b bytes.Buffer
	for s := bufio.NewScanner(r); s.Scan(); {
		fields := strings.Fields(s.Text())
		require.Len(t, fields, 3)
		age, err := strconv.ParseInt(fields[2], 10, 64)
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s %s %d\n", fields[0], fields[1], last-age)
	}
	return b.Bytes()
}

// await waits until all points can be read: carbon writes what it took about a second later, in an order of its own.
func (s *server) await(t *testing.T, lines []byte) {
	t.Helper()
	want := map[string]int{}
	for line := range strings.Lines(string(lines)) {
		path, _, _ := strings.Cut(line, " ")
		want[path]++
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var missing string
	err := bed.WaitFor(ctx, s.name+" to have all points", func() (bool, error) {
		list, err := s.render(t, url.Values{"target": {"hpc1.*", "hpc1.*.*", "hpc1.*.*.*", "hpc1.*.*.*.*", "hpc1.*.*.*.*.*", "hpc1.*.*.*.*.*.*", "hpc1.*.*.*.*.*.*.*"}}, 0)
		if err != nil { // graphite-web cannot read a file that carbon has not finished to make
			missing = err.Error()
			return false, nil
		}
		have := map[string]int{}
		for _, one := range list {
			have[one.Target] = len(one.values())
		}
		missing = ""
		for path, n := range want {
			if !strings.Contains(path, ";") && have[path] != n {
				missing = fmt.Sprintf("%s has %d of %d points, and others may miss some", path, have[path], n)
			}
		}
		return missing == "", nil
	})
	require.NoError(t, err, missing)
}

// A series is what /render says of one.
type series struct {
	Target     string
	Tags       map[string]any
	Datapoints [][2]*float64
}

// values are those points that have one, by their time.
func (s *series) values() map[int64]float64 {
	values := map[int64]float64{}
	for _, p := range s.Datapoints {
		if p[0] != nil {
			values[int64(*p[1])] = *p[0]
		}
	}
	return values
}

// render posts a form to /render as Grafana does, for the quarter of an hour up to the last tick and the given time after it.
func (s *server) render(t *testing.T, form url.Values, after int64) ([]series, error) {
	t.Helper()
	form.Set("from", strconv.FormatInt(s.last-900, 10))
	form.Set("until", strconv.FormatInt(s.last+after, 10))
	form.Set("format", "json")
	form.Set("maxDataPoints", "1113")
	body, status := s.post(t, "/render", form.Encode())
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d: %.600s", s.name, status, body)
	}
	var list []series
	return list, json.Unmarshal(body, &list)
}

func (s *server) post(t *testing.T, path, form string) (body []byte, status int) {
	t.Helper()
	return s.ask(t, http.MethodPost, path, form, "application/x-www-form-urlencoded")
}

func (s *server) get(t *testing.T, path string) (body []byte, status int) {
	t.Helper()
	return s.ask(t, http.MethodGet, path, "", "")
}

// ask sends what Grafana's proxy of data sources sends.
func (s *server) ask(t *testing.T, method, path, content, kind string) (body []byte, status int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(content))
	require.NoError(t, err)
	for name, value := range map[string]string{"Content-Type": kind, "User-Agent": "Grafana/11.6.0", "Accept": "application/json, text/plain, */*",
		"X-Grafana-Org-Id": "1", "X-Dashboard-Uid": "clusterload-cluster", "X-Panel-Id": "3", "X-Forwarded-For": "127.0.0.1"} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	response, err := http.DefaultClient.Do(r) // asks for gzip, as Grafana does
	require.NoError(t, err)
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	require.NoError(t, err)
	return body, response.StatusCode
}
