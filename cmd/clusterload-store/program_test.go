package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o600))
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("sesame\n"), 0o600))
	tests := []struct{ args, want string }{
		{"", "--path"},
		{"--path x --listen 0.0.0.0:8080", "reached from other machines"},
		{"--path x --listen :8080", "reached from other machines"},
		{"--path x --listen [::]:8080", "reached from other machines"},
		{"--path x --listen 0.0.0.0:8080 --anyone-may-read", ""},
		{"--path x --listen 0.0.0.0:8080 --token-file " + token, ""},
		{"--path x --listen [::1]:8080", ""},
		{"--path x --listen localhost:8080", ""},
		{"--path x --token t", "unknown flag"}, // secrets are in files
		{"--path x --retention 52w --max-size 20GiB", ""},
		{"--path x --token-file " + empty, "is empty"},
		{"--path x --tls-cert c", "both or none"},
		{"--graphite ftp://x", "http://host"},
		{"--graphite http://x", ""},
		{"--path x --retention soon", "retention"},
		{"--path x --max-size many", "max-size"},
		{"--path x extra", "unknown command"},
	}
	for _, test := range tests {
		c, o := flags()
		err := c.ParseFlags(strings.Fields(test.args))
		if err == nil {
			if err = c.ValidateArgs(c.Flags().Args()); err == nil {
				err = o.check()
			}
		}
		if test.want == "" {
			assert.NoError(t, err, test.args)
		} else {
			assert.ErrorContains(t, err, test.want, test.args)
		}
	}
}

// get asks with an Authorization header and returns the status and the body.
func get(t *testing.T, address, authorization string) (int, string) {
	t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestProgram(t *testing.T) {
	at := start(t, &options{path: t.TempDir(), line: "127.0.0.1:0", pickle: "127.0.0.1:0", token: "sesame"})
	base := "http://" + at.http.String()
	now := time.Now().Unix()
	send(t, at.line.String(), fmt.Appendf(nil, "hpc1.jobs.running 17.5 %d\n", now))
	body := fmt.Sprintf("(lp0\n(Vhpc1.jobs.pending\np1\n(I%d\nF4.25\ntp2\ntp3\na.", now)
	send(t, at.pickle.String(), append([]byte{0, 0, 0, byte(len(body))}, body...))
	query := base + "/render?format=raw&target=hpc1.jobs.*&from=-20s"
	for authorization, want := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer sesame": 200,
		"Basic " + base64.StdEncoding.EncodeToString([]byte("anyone:sesame")): 200, "Basic " + base64.StdEncoding.EncodeToString([]byte("sesame:x")): 401} {
		status, text := get(t, query, authorization)
		assert.Equal(t, want, status, authorization)
		if want == 200 {
			assert.Contains(t, text, "17.5")
			assert.Contains(t, text, "4.25")
		}
	}
	status, _ := get(t, base+"/", "Bearer sesame")
	assert.Equal(t, 200, status, "the pages")
	for _, path := range []string{"/../../etc/passwd", "/static/../../etc/passwd", "/tags/..%2f..%2fetc", "/events/..%2f1", "/lock", "/events.jsonl"} {
		status, text := get(t, base+path, "Bearer sesame")
		assert.NotContains(t, text, "root:", path)
		assert.Contains(t, []int{200, 404}, status, path)
	}
}

func TestProxy(t *testing.T) {
	graphite := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.Path, r.FormValue("target"), user, password)
	}))
	defer graphite.Close()
	u, err := url.Parse(graphite.URL)
	require.NoError(t, err)
	u.User = url.UserPassword("reader", "secret")
	at := start(t, &options{graphite: u.String() + "/prefix", token: "sesame"})
	base := "http://" + at.http.String()
	status, text := get(t, base+"/render?target=a.b", "Bearer sesame")
	assert.Equal(t, 200, status)
	assert.Equal(t, "GET /prefix/render a.b reader secret", text)
	status, text = get(t, base+"/", "Bearer sesame")
	assert.Equal(t, 200, status)
	assert.Contains(t, text, "<html")
	graphite.Close()
	status, text = get(t, base+"/metrics/find", "Bearer sesame")
	assert.Equal(t, 502, status)
	assert.NotContains(t, text, "secret")
}

// TestEndWithStdin ends the store when standard input does: whoever started it has ended. A keeper's processes read an empty
// one.
func TestEndWithStdin(t *testing.T) {
	ports := freePorts(t, 2)
	c := startChild(t, t.TempDir(), ports[0], ports[1], "--end-with-stdin")
	<-c.Exited()
	assert.NoError(t, c.Err())
}
