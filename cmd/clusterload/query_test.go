package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rendered = `[{"target": "hpc1.jobs.running", "datapoints": [[3, 1763676000], [null, 1763676010], [5.25, 1763676020], [7, 1763676030]]},
 {"target": "sum(\"a\u001b[2J,b\")", "datapoints": [[11, 1763676000], [13000, 1763676030]]}]`

// graphite answers as one does.
func graphite(t *testing.T) (url string, asked *[]string) {
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch r.URL.Path {
		case "/render":
			*asked = append(*asked, strings.Join(r.Form["target"], " ")+" "+r.Form.Get("from")+" "+r.Form.Get("until")+" "+r.Form.Get("maxDataPoints")+" "+r.Header.Get("Authorization"))
			if r.Form.Get("target") == "nothing" {
				_, _ = io.WriteString(w, "[]")
				return
			}
			_, _ = io.WriteString(w, rendered)
		case "/metrics/find":
			*asked = append(*asked, r.Form.Get("query"))
			_, _ = io.WriteString(w, `[{"text": "jobs", "leaf": 0}, {"text": "jitter", "leaf": 1}]`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestQueryFormats(t *testing.T) {
	s := &site{t: t, folder: t.TempDir()}
	url, asked := graphite(t)
	query := func(args ...string) (string, string, int) {
		return s.run(program(t), append([]string{"query", "--url", url}, args...)...)
	}
	out, errs, code := query("hpc1.jobs.running", "b.*")
	require.Zero(t, code, errs)
	assert.Equal(t, `SERIES             LAST  MIN    MEAN  MAX  VALUES
hpc1.jobs.running     7    3   5.083    7       3  ▁ ▅█
sum("a?[2J,b")      13k   11  6505.5  13k       2  ▁█
`, out)

	out, _, code = query("hpc1.jobs.running", "--format", "csv", "--from", "-2d", "--until", "-1d", "--points", "7")
	require.Zero(t, code)
	assert.Equal(t, "series,time,value\n"+
		"hpc1.jobs.running,2025-11-20T22:00:00Z,3\nhpc1.jobs.running,2025-11-20T22:00:10Z,\nhpc1.jobs.running,2025-11-20T22:00:20Z,5.25\nhpc1.jobs.running,2025-11-20T22:00:30Z,7\n"+
		"\"sum(\"\"a\x1b[2J,b\"\")\",2025-11-20T22:00:00Z,11\n\"sum(\"\"a\x1b[2J,b\"\")\",2025-11-20T22:00:30Z,13000\n", out)

	out, _, code = query("hpc1.jobs.running", "--format=json")
	require.Zero(t, code)
	assert.JSONEq(t, rendered, out)

	token := filepath.Join(s.folder, "token")
	require.NoError(t, os.WriteFile(token, []byte("secret7\n"), 0o600))
	out, _, code = query("hpc1.jobs.running", "--format=chart", "--width=50", "--height=8", "--token-file", token)
	require.Zero(t, code)
	lines := strings.Split(out, "\n")
	require.Len(t, lines, 8+2+1, out)
	assert.Contains(t, lines[0], "20k ┤")
	assert.Regexp(t, `^\* hpc1\.jobs\.ru~  last 7  min 3  mean 5\.08\d  max 7$`, lines[8])
	assert.NotContains(t, out, "\x1b", "no colours and no foreign codes where there is no terminal")
	assert.Equal(t, []string{"hpc1.jobs.running b.* -6h now  ", "hpc1.jobs.running -2d -1d 7 ", "hpc1.jobs.running -6h now  ", "hpc1.jobs.running -6h now 100 Bearer secret7"}, *asked)
}

func TestQueryErrors(t *testing.T) {
	s := &site{t: t, folder: t.TempDir()}
	url, _ := graphite(t)
	empty := filepath.Join(s.folder, "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	for want, test := range map[string]struct {
		code int
		args []string
	}{
		"clusterload: no series: nothing at " + url + " matches nothing from -6h until now\n":                   {1, []string{"nothing"}},
		"clusterload: graphite " + url + "/elsewhere: 404 Not Found: want the address of Graphite's HTTP API\n": {1, []string{"a", "--url", url + "/elsewhere"}},
		"clusterload: graphite http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused\n":         {1, []string{"a", "--url", "http://127.0.0.1:1"}},
		"clusterload: --url: \"graphite.example.org\": want http://host or https://host\n":                      {2, []string{"a", "--url", "graphite.example.org"}},
		"clusterload: --format: \"xml\": want chart, table, json, csv\n":                                        {2, []string{"a", "--format", "xml"}},
		"clusterload: --timeout: 0s: want more than 0\n":                                                        {2, []string{"a", "--timeout", "0s"}},
		"clusterload: --token-file: open " + filepath.Join(s.folder, "none") + ": no such file or directory\n":  {2, []string{"a", "--token-file", filepath.Join(s.folder, "none")}},
		"clusterload: --token-file: " + empty + ": want one line with the token\n":                              {2, []string{"a", "--token-file", empty}},
		"clusterload: requires at least 1 arg(s), only received 0\n":                                            {2, nil},
	} {
		out, errs, code := s.run(program(t), append([]string{"query", "--url", url}, test.args...)...)
		assert.Equal(t, want, errs)
		assert.Equal(t, test.code, code, want)
		assert.Empty(t, out)
	}
	out, _, code := s.run(program(t), "query", "--url", url, "nothing", "--format", "json")
	assert.Zero(t, code, "no series are an answer to a program")
	var none []any
	require.NoError(t, json.Unmarshal([]byte(out), &none))
	assert.Empty(t, none)
}

// On a terminal it is a chart in colours, as wide as that.
func TestQueryOnTerminal(t *testing.T) {
	url, _ := graphite(t)
	x := openTerminal(t, 64, 30, []string{"CLUSTERLOAD_URL=" + url}, "query", "hpc1.jobs.running")
	require.NoError(t, <-x.ended)
	text := x.shows(`max 13k`)
	assert.Contains(t, text, "\x1b[36m⣀\x1b[0m hpc1.jobs.running")
	assert.Contains(t, text, "\x1b[33m⣀\x1b[0m sum")
	assert.NotContains(t, text, "\x1b[2J")
	for _, line := range strings.Split(text, "\r\n") {
		if strings.Contains(line, "└") {
			assert.Len(t, []rune(line), 64)
		}
	}
}

func TestCompletion(t *testing.T) {
	s := &site{t: t, folder: t.TempDir()}
	url, asked := graphite(t)
	out, _, code := s.run(program(t), "__complete", "query", "--url", url, "hpc1.j")
	assert.Zero(t, code)
	assert.Equal(t, "hpc1.jobs.\nhpc1.jitter\n:6\n", out)
	out, _, _ = s.run(program(t), "__complete", "query", "--url", url, "sumSeries(a.b,hpc1.")
	assert.Equal(t, "sumSeries(a.b,hpc1.jobs.\nsumSeries(a.b,hpc1.jitter\n:6\n", out)
	assert.Equal(t, []string{"hpc1.j*", "hpc1.*"}, *asked)
	out, _, _ = s.run(program(t), "__complete", "query", "--url", "http://127.0.0.1:1", "hpc1.")
	assert.Equal(t, ":4\n", out, "nobody answers: nothing, and no files")
	out, _, _ = s.run(program(t), "__complete", "query", "--format", "")
	assert.Equal(t, "chart\ntable\njson\ncsv\n:4\n", out)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		out, errs, code := s.run(program(t), "completion", shell)
		assert.Zero(t, code, errs)
		assert.Contains(t, out, "clusterload")
	}
}

func TestHelpOfQuestions(t *testing.T) {
	s := &site{t: t, folder: t.TempDir()}
	for _, command := range []string{"status", "top", "query"} {
		out, _, code := s.run(program(t), command, "--help")
		assert.Zero(t, code)
		assert.Contains(t, out, "Examples:\n  clusterload "+command)
	}
}
