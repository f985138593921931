package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/graphitebed"
	"github.com/clusterload/clusterload/internal/setting"
)

// fidelityHours is how much history the targets are evaluated on.
const fidelityHours = 3

// fidelityPoints makes the same points for both: every value is another one, with what makes functions differ: gaps, an
// outage, resets of counters, negative, tiny and huge values, and series of a longer step.
func fidelityPoints(begin int64) []byte {
	var b bytes.Buffer
	seed := uint64(88172645463325252)
	random := func() float64 {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		return float64(seed>>11) / (1 << 53)
	}
	put := func(path string, at int64, v float64) { fmt.Fprintf(&b, "%s %.17g %d\n", path, v, at) }
	counter := []float64{100, 2e6, 3e9}
	for i := int64(0); i < fidelityHours*360; i++ {
		at := begin + 10*i
		x := float64(i)
		for h, host := range []string{"a", "b", "c"} {
			for k, kind := range []string{"user", "system", "idle"} {
				put("srv."+host+".cpu."+kind, at, 30*float64(h+1)+10*float64(k)+5*math.Sin(x/(20+float64(3*h+k)))+random())
			}
			counter[h] += math.Floor(random() * 100)
			if i%(200+10*int64(h)) == 199 {
				counter[h] = float64(h)
			}
			put("srv."+host+".requests", at, counter[h])
			if random() < 0.7 {
				put("srv."+host+".gappy", at, 1000*float64(h+1)+x+random())
			}
		}
		if i < 300 || i > 500 {
			put("odd.outage", at, x*1.5+random())
		}
		put("odd.negative", at, -x/3-random())
		put("odd.tiny", at, (x+random())*1e-9)
		put("odd.huge", at, (x+random())*1e15)
		put("odd.constant", at, 42.25)
		put("odd.zero", at, 0)
		put("odd.steps", at, math.Floor(x/50))
		if i > 700 {
			put("odd.late", at, 7+x+random())
		}
		put("name.with-dash.under_score.x1", at, x+0.125)
		put("name.with-dash.under_score.x10", at, x+0.375)
		put("name.with-dash.under_score.x2", at, x+0.625)
		if i%6 == 0 {
			put("slow.m.one", at, x+random())
			put("slow.m.two", at, 500-x+random())
		}
	}
	return b.Bytes()
}

// slowSeries have a step of a minute in Whisper too.
var slowSeries = []string{"slow/m/one.wsp", "slow/m/two.wsp"}

// A pair is our store and a real Graphite that hold the same points.
type pair struct {
	ours, theirs string // URLs
	begin, end   int64
}

func startPair(t *testing.T) *pair {
	bed.Need(t, "carbon-cache", "python3", "graphite-manage")
	g := graphitebed.StartTest(t, graphitebed.Options{Retention: "10s:10d", Tags: true})
	for _, name := range slowSeries {
		file := filepath.Join(g.Folder, "whisper", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		out, err := exec.Command("/usr/bin/python3", "-c", "import sys, whisper; whisper.create(sys.argv[1], [(60, 2880)], 0.0, 'average')", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	p := &pair{theirs: g.URL}
	p.end = time.Now().Unix()/3600*3600 - 1800
	p.begin = p.end - fidelityHours*3600
	at := start(t, &options{path: t.TempDir(), line: "127.0.0.1:0"})
	p.ours = "http://" + at.http.String()
	points := fidelityPoints(p.begin)
	send(t, at.line.String(), points)
	send(t, g.Line, points)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	left := "not asked"
	err := bed.WaitFor(ctx, "Graphite to write all points", func() (bool, error) {
		form := url.Values{"target": {"srv.c.gappy", "srv.c.requests", "slow.m.two", "odd.huge", "name.with-dash.under_score.x2"}}
		ours, err := p.ask(p.ours, form)
		if err != nil {
			return false, err
		}
		theirs, err := p.ask(p.theirs, form)
		if err != nil {
			return false, err
		}
		left = difference(ours, theirs)
		return left == "", nil
	})
	require.NoError(t, err, left)
	return p
}

// start runs the program's own run in this process.
func start(t testing.TB, o *options) addresses {
	t.Helper()
	c := command()
	require.NoError(t, c.ParseFlags(nil))
	if o.listen == "" {
		o.listen = "127.0.0.1:0"
	}
	if o.retention == 0 {
		o.retention = setting.Duration(400 * 24 * time.Hour)
	}
	listening := make(chan addresses, 1)
	ended := make(chan error, 1)
	ctx, stop := withCancel(t)
	go func() { ended <- run(ctx, o, func(a addresses) { listening <- a }) }()
	t.Cleanup(func() {
		stop()
		if ended != nil {
			assert.NoError(t, <-ended)
		}
	})
	select {
	case at := <-listening:
		return at
	case err := <-ended:
		ended = nil
		require.NoError(t, err)
		panic("ended before it listened")
	}
}

// send sends lines and waits for the receiver's end of stream.
func send(t testing.TB, address string, lines []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write(lines)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	_, err = io.ReadAll(conn)
	require.NoError(t, err)
}

// A rendered is what /render has answered.
type rendered struct {
	status int
	text   string
	series []renderedSeries
}

type renderedSeries struct {
	Target     string
	Tags       map[string]any
	Datapoints [][2]*float64
}

func (p *pair) ask(server string, form url.Values) (rendered, error) {
	v := url.Values{"format": {"json"}, "from": {fmt.Sprint(p.begin + 600)}, "until": {fmt.Sprint(p.end - 10)}, "now": {fmt.Sprint(p.end)}, "noCache": {"1"}}
	for key, values := range form {
		v[key] = values
	}
	resp, err := http.PostForm(server+"/render", v)
	if err != nil {
		return rendered{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r := rendered{status: resp.StatusCode, text: string(body)}
	if err != nil || r.status != http.StatusOK || v.Get("format") != "json" {
		return r, err
	}
	return r, json.Unmarshal(bytes.ReplaceAll(body, []byte("1e9999"), []byte("1e308")), &r.series)
}

// difference says how two answers differ first, or "".
func difference(ours, theirs rendered) string {
	if ours.status != theirs.status {
		return fmt.Sprintf("status %d, Graphite %d: %.300s | %.300s", ours.status, theirs.status, ours.text, theirs.text)
	}
	if len(ours.series) != len(theirs.series) {
		return fmt.Sprintf("%d series, Graphite %d: %q | %q", len(ours.series), len(theirs.series), names(ours), names(theirs))
	}
	for i, o := range ours.series {
		th := theirs.series[i]
		if o.Target != th.Target {
			return fmt.Sprintf("series %d is named %q, Graphite %q", i, o.Target, th.Target)
		}
		if len(o.Datapoints) != len(th.Datapoints) {
			return fmt.Sprintf("%q: %d points %s, Graphite %d %s", o.Target, len(o.Datapoints), span(o), len(th.Datapoints), span(th))
		}
		for j, d := range o.Datapoints {
			e := th.Datapoints[j]
			if *d[1] != *e[1] {
				return fmt.Sprintf("%q: point %d is at %.0f, Graphite %.0f", o.Target, j, *d[1], *e[1])
			}
			if !same(d[0], e[0]) {
				return fmt.Sprintf("%q: point %d of %d at %.0f is %s, Graphite %s", o.Target, j, len(o.Datapoints), *d[1], spell(d[0]), spell(e[0]))
			}
		}
	}
	return ""
}

func names(r rendered) (list []string) {
	for _, s := range r.series {
		list = append(list, s.Target)
	}
	return list
}

func span(s renderedSeries) string {
	if len(s.Datapoints) == 0 {
		return "none"
	}
	return fmt.Sprintf("from %.0f to %.0f", *s.Datapoints[0][1], *s.Datapoints[len(s.Datapoints)-1][1])
}

func spell(v *float64) string {
	if v == nil {
		return "null"
	}
	return fmt.Sprintf("%.12g", *v)
}

// same tells whether two values are equal but for the last digits, which depend on the order of a sum.
func same(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9*max(math.Abs(*a), math.Abs(*b), 1e-3)
}

// TestFidelity compares what the store makes of each target with what graphite-web makes of it.
func TestFidelity(t *testing.T) {
	p := startPair(t)
	listed := listedDifferences(t)
	seen := map[string]bool{}
	equal := 0
	for _, c := range fidelityCases() {
		key := c.key()
		require.False(t, seen[key], "twice: %s", key)
		seen[key] = true
		ours, err := p.ask(p.ours, c.form(p))
		require.NoError(t, err, key)
		theirs, err := p.ask(p.theirs, c.form(p))
		require.NoError(t, err, key)
		d := difference(ours, theirs)
		reason, known := listed[key]
		switch {
		case d == "" && known:
			t.Errorf("%s: equal, but docs/graphite-differences.md lists it: %s", key, reason)
		case d != "" && !known:
			t.Errorf("%s: %s", key, d)
		case d == "":
			equal++
		}
	}
	for key := range listed {
		assert.True(t, seen[key], "docs/graphite-differences.md lists %s, which is not compared", key)
	}
	t.Logf("%d of %d targets are equal", equal, len(seen))
}
