package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const noon = 1_760_011_200

// shelf is a storage with a few series: any pattern finds those whose path begins like it, up to its first *.
type shelf struct{ fault error }

var shelved = []string{"hpc1.jobs.pending", "hpc1.jobs.running", "hpc1.nodes.idle"}

func (s shelf) Fetch(ctx context.Context, pattern string, from, until int64, _ string, yield func(string, int64, int64, []float64) bool) error {
	if s.fault != nil {
		return s.fault
	}
	prefix, _, _ := strings.Cut(pattern, "*")
	for n, path := range shelved {
		if !strings.HasPrefix(path, prefix) {
			continue
		}
		start := from - from%10 + 10
		values := make([]float64, (until-until%10+10-start)/10)
		for i := range values {
			values[i] = float64(i) + float64(n)/4
		}
		if len(values) > 2 {
			values[2] = math.NaN()
		}
		yield(path, start, 10, values)
	}
	return nil
}

func (s shelf) FetchTagged(ctx context.Context, expressions []string, from, until int64, _ string, yield func(string, int64, int64, []float64) bool) error {
	if len(expressions) == 1 && expressions[0] == "name=disk" {
		yield("disk;host=n1", from+10, 10, []float64{7.5})
	}
	return nil
}

func (s shelf) Find(_ context.Context, pattern string, _, _ int64, yield func(string, bool, bool) bool) error {
	if pattern == "hpc1.*" {
		_ = yield("hpc1.jobs", true, true) && yield("hpc1.nodes", false, true)
	}
	return nil
}
func (s shelf) FindTagged(_ context.Context, _ []string, yield func(string) bool) error {
	yield("disk;host=n1")
	return nil
}
func (s shelf) Paths(_ context.Context, yield func(string) bool) error {
	for _, p := range shelved {
		yield(p)
	}
	return nil
}
func (s shelf) TagNames(context.Context, []string, string, int) ([]string, error) {
	return []string{"host", "name"}, nil
}
func (s shelf) TagValues(context.Context, string, []string, string, int) ([]string, error) {
	return []string{"n1", "n2"}, nil
}

type statusFault struct{}

func (statusFault) Error() string   { return "too many points" }
func (statusFault) HTTPStatus() int { return 422 }

func newAPI(t testing.TB, s Storage) *API {
	log := slog.New(slog.DiscardHandler)
	events, err := OpenEvents(filepath.Join(t.TempDir(), "events"), log)
	require.NoError(t, err)
	return New(Config{Storage: func() Storage { return s }, Events: events, Logger: log, Now: func() time.Time { return time.Unix(noon, 0) }})
}

func ask(h http.Handler, method, address, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAddresses(t *testing.T) {
	a := newAPI(t, shelf{})
	tests := []struct {
		method, address, body string
		status                int
		want                  string
	}{
		{"GET", "/render?target=hpc1.jobs.running&from=-30s&format=json", "", 200,
			`[{"target": "hpc1.jobs.running", "tags": {"name": "hpc1.jobs.running"}, "datapoints": [[0.25, 1760011180], [1.25, 1760011190], [null, 1760011200]]}]`},
		{"POST", "/render/", "target=hpc1.jobs.r*&from=-30s&format=json&noNullPoints=1", 200,
			`[{"target": "hpc1.jobs.running", "tags": {"name": "hpc1.jobs.running"}, "datapoints": [[0.25, 1760011180], [1.25, 1760011190]]}]`},
		{"GET", "/render?target=hpc1.jobs.running&from=-20s&format=raw", "", 200, "hpc1.jobs.running,1760011190,1760011210,10|0.25,1.25\n"},
		{"GET", "/render?target=hpc1.jobs.running&from=-20s&format=csv&tz=Europe/Berlin", "", 200,
			"hpc1.jobs.running,2025-10-09 14:00:00,1.25"},
		{"GET", "/render?target=seriesByTag('name=disk')&from=-20s&format=json", "", 200, `"tags": {"host": "n1", "name": "disk"}`},
		{"GET", "/render?target=hpc1.jobs.running&from=-20s&format=json&jsonp=cb", "", 200, "cb([{"},
		{"GET", "/render?target=hpc1.jobs.running&from=-20s&format=json&jsonp=alert(1)", "", 400, "jsonp"},
		{"GET", "/render?target=template(hpc1.jobs.$x)&template[x]=running&from=-20s&format=raw", "", 200, "hpc1.jobs.running,"},
		{"GET", "/render?target=x&from=-20s&format=json", "", 200, "[]"},
		{"GET", "/render?format=json", "", 200, "[]"},
		{"GET", "/render?target=sumSeries(&from=-20s&format=json", "", 400, "sumSeries("},
		{"GET", "/render?target=nope(hpc1.jobs.running)&format=json", "", 400, "nope"},
		{"GET", "/render?target=hpc1.*&from=now&until=now&format=json", "", 400, "Invalid empty time range"},
		{"GET", "/render?target=hpc1.*&from=whenever&format=json", "", 400, "from"},
		{"GET", "/render?target=hpc1.*&width=99999", "", 400, "width"},
		{"GET", "/render?target=hpc1.*&format=pdf", "", 400, "pdf"},
		{"DELETE", "/render?target=hpc1.*", "", 405, "GET or POST"},
		{"GET", "/metrics/find?query=hpc1.*", "", 200,
			`[{"text":"jobs","id":"hpc1.jobs","allowChildren":1,"expandable":1,"leaf":0,"context":{}},{"text":"nodes","id":"hpc1.nodes","allowChildren":1,"expandable":1,"leaf":0,"context":{}}]`},
		{"POST", "/metrics/find/", "query=hpc1.*&format=completer", 200, `{"path":"hpc1.jobs","name":"jobs","is_leaf":"1"}`},
		{"GET", "/metrics/find?query=hpc1.*&leavesOnly=1&format=json", "", 200, `"path":"hpc1.jobs"`},
		{"GET", "/metrics/find?query=hpc1.*&format=nodelist&position=0", "", 200, `{"nodes":["hpc1"]}`},
		{"GET", "/metrics/find", "", 400, "query"},
		{"GET", "/metrics/find?query=hpc1.*&format=x", "", 400, "format"},
		{"GET", "/metrics/expand?query=hpc1.*", "", 200, `{"results":["hpc1.jobs","hpc1.nodes"]}`},
		{"GET", "/metrics/expand?query=hpc1.*&groupByExpr=1", "", 200, `{"results":{"hpc1.*":["hpc1.jobs","hpc1.nodes"]}}`},
		{"GET", "/metrics/index.json", "", 200, `["hpc1.jobs.pending", "hpc1.jobs.running", "hpc1.nodes.idle"]`},
		{"GET", "/tags", "", 200, `[{"tag":"host"},{"tag":"name"}]`},
		{"GET", "/tags/host?limit=1", "", 200, `{"tag":"host","values":[{"count":1,"value":"n1"}]}`},
		{"GET", "/tags/findSeries?expr=name%3Ddisk", "", 200, `["disk;host=n1"]`},
		{"GET", "/tags/findSeries", "", 400, "no tag expressions"},
		{"GET", "/tags/autoComplete/tags?expr=name%3Ddisk", "", 200, `["host"]`},
		{"GET", "/tags/autoComplete/values?tag=host", "", 200, `["n1","n2"]`},
		{"GET", "/tags/autoComplete/values", "", 400, "no tag"},
		{"POST", "/tags/tagSeries", "path=disk%3Bz%3D1%3Ba%3D2", 200, `"disk;a=2;z=1"`},
		{"GET", "/version", "", 200, `"1.1.8"`},
		{"GET", "/functions/sumSeries", "", 200, `"name":"sumSeries"`},
		{"GET", "/functions/nope", "", 404, "not found"},
		{"GET", "/functions?grouped=1", "", 200, `"Graph":{`},
		{"GET", "/_health", "", 200, `{"status":"ok"}`},
		{"GET", "/etc/passwd", "", 404, ""},
	}
	for _, test := range tests {
		w := ask(a, test.method, strings.ReplaceAll(test.address, " ", "%20"), test.body)
		assert.Equal(t, test.status, w.Code, "%s %s: %s", test.method, test.address, w.Body)
		assert.Contains(t, w.Body.String(), test.want, test.address)
		if test.status == 200 && strings.Contains(w.Header().Get("Content-Type"), "json") {
			assert.True(t, json.Valid(w.Body.Bytes()), "%s: %s", test.address, w.Body)
		}
	}
}

func TestFaults(t *testing.T) {
	w := ask(newAPI(t, shelf{fault: statusFault{}}), "GET", "/render?target=hpc1.*&format=json", "")
	assert.Equal(t, 422, w.Code)
	assert.Contains(t, w.Body.String(), "too many points")
	closed := New(Config{Storage: func() Storage { return nil }, Logger: slog.New(slog.DiscardHandler)})
	assert.Equal(t, 503, ask(closed, "GET", "/render?target=a&format=json", "").Code)
	assert.Equal(t, 503, ask(closed, "GET", "/events", "").Code)
}

// TestHostile asks for what would take a machine's memory: each is refused, and nothing ends.
func TestHostile(t *testing.T) {
	a := newAPI(t, shelf{})
	for _, target := range []string{
		"sin('x',1,1)", "randomWalk('x',1)", "time('x',1)", "summarize(hpc1.jobs.running,'1s')", "hitcount(hpc1.jobs.running,'1s')",
		"timeStack(hpc1.jobs.running,'1d',0,1000000)", "delay(hpc1.jobs.running,1000000000000)", "movingAverage(hpc1.jobs.running,1000000000)",
		strings.Repeat("scale(", 500) + "hpc1.jobs.running" + strings.Repeat(",2)", 500),
		"events('x')", "sin('x',1,0)", "sin('x',1,-5)", "stdev(hpc1.jobs.running,0)", "aliasByRedis(hpc1.jobs.running,'a','b')",
		"graphiteWeb(hpc1.jobs.running)", "movingWindow(hpc1.jobs.running,5,'nope')", "polyfit(hpc1.jobs.running,500)",
	} {
		w := ask(a, "POST", "/render", url.Values{"target": {target}, "format": {"json"}, "from": {"-300d"}}.Encode())
		assert.Equal(t, 400, w.Code, "%.80s: %.200s", target, w.Body)
	}
	for _, target := range []string{"aliasSub(hpc1.jobs.running,'(','x')", "grep(hpc1.*,'[')", "limit(hpc1.*,-5)", "substr(hpc1.jobs.running,5,1)",
		"aliasByNode(hpc1.jobs.running,99999999)", "nPercentile(hpc1.*,-5)", "mostDeviant(hpc1.*,-1)", "legendValue(hpc1.*,'x')", "smartSummarize(hpc1.*,'0s')"} {
		w := ask(a, "POST", "/render", url.Values{"target": {target}, "format": {"json"}, "from": {"-5min"}}.Encode())
		assert.Less(t, w.Code, 501, "%s: %s", target, w.Body)
	}
}

func TestEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	log := slog.New(slog.DiscardHandler)
	for round := range 2 { // the second time they are read from the file
		events, err := OpenEvents(path, log)
		require.NoError(t, err)
		a := New(Config{Storage: func() Storage { return shelf{} }, Events: events, Logger: log, Now: func() time.Time { return time.Unix(noon, 0) }})
		if round == 0 {
			for _, e := range []string{`{"what":"upgrade","tags":["slurm","deploy"],"when":1760011000,"data":"24.11"}`,
				`{"what":"outage","tags":"slurm down","when":1760011100}`, `{"what":"now"}`} {
				w := ask(a, "POST", "/events/", e)
				require.Equal(t, 200, w.Code, "%s", w.Body)
			}
			assert.Equal(t, 400, ask(a, "POST", "/events", `{"tags":5}`).Code)
			assert.Equal(t, 400, ask(a, "POST", "/events", `x`).Code)
		}
		for query, want := range map[string]string{"": "now outage upgrade", "tags=slurm": "outage upgrade", "tags=slurm+deploy": "upgrade",
			"tags=deploy+down&set=union": "outage upgrade", "from=1760011050&until=1760011150": "outage", "tags=nope": ""} {
			w := ask(a, "GET", "/events/get_data?"+query, "")
			var list []event
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
			var what []string
			for _, e := range list {
				what = append(what, e.What)
			}
			assert.Equal(t, want, strings.Join(what, " "), query)
		}
		assert.Contains(t, ask(a, "GET", "/events/1", "").Body.String(), `"data":"24.11"`)
		assert.Equal(t, 404, ask(a, "GET", "/events/99", "").Code)
		w := ask(a, "GET", "/render?target=events('slurm')&format=raw&from=1760011099&until=1760011102", "")
		assert.Equal(t, "events(\"slurm\"),1760011099,1760011102,1|None,1.0,None\n", w.Body.String())
	}
}

func TestPictures(t *testing.T) {
	a := newAPI(t, shelf{})
	for _, query := range []string{"", "&areaMode=stacked&title=Jobs&vtitle=n", "&areaMode=all&lineMode=staircase", "&lineMode=connected&graphOnly=true",
		"&bgcolor=black&fgcolor=white&colorList=red,0f0,0000ff80", "&hideLegend=1&hideAxes=1", "&yMin=0&yMax=1e9", "&yMin=5&yMax=5", "&width=20&height=20",
		"&drawNullAsZero=1&fontSize=20&lineWidth=5", "&target=stacked(hpc1.jobs.*)", "&target=areaBetween(hpc1.jobs.*)", "&target=drawAsInfinite(hpc1.jobs.running)",
		"&target=dashed(color(hpc1.nodes.idle,'red'))", "&target=secondYAxis(hpc1.nodes.idle)", "&target=threshold(5)", "&from=-300d"} {
		w := ask(a, "GET", "/render?target=hpc1.*&from=-1h"+query, "")
		assert.Equal(t, 200, w.Code, "%s: %s", query, w.Body)
		assert.Equal(t, "image/png", w.Header().Get("Content-Type"))
		assert.True(t, strings.HasPrefix(w.Body.String(), "\x89PNG"), query)
		w = ask(a, "GET", "/render?target=hpc1.*&from=-1h&format=svg"+query, "")
		assert.True(t, strings.HasPrefix(w.Body.String(), "<svg") && strings.HasSuffix(strings.TrimSpace(w.Body.String()), "</svg>"), query)
	}
	w := ask(a, "GET", "/render?target=alias(hpc1.jobs.running,'<script>')&from=-1h&format=svg", "")
	assert.NotContains(t, w.Body.String(), "<script>")
}

func BenchmarkRenderJSON(b *testing.B) {
	a := newAPI(b, shelf{})
	b.ReportAllocs()
	for b.Loop() {
		w := ask(a, "GET", "/render?target=hpc1.jobs.running&format=json&from=-24h", "")
		b.SetBytes(int64(w.Body.Len()))
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"hpc1.*", "sumSeries(hpc1.*)", "alias(hpc1.jobs.running,'x')|scale(2)", "movingAverage(hpc1.*,'5min')", "seriesByTag('a=b')",
		"template(hpc1.$1,'x')", "asPercent(hpc1.*,None,1)", "aliasSub(hpc1.*,'(.)','\\1')", "timeShift(hpc1.*,'1h')", "stacked(hpc1.*)"} {
		f.Add(s)
	}
	a := newAPI(f, shelf{})
	f.Fuzz(func(t *testing.T, target string) {
		w := ask(a, "POST", "/render", url.Values{"target": {target}, "format": {"json"}, "from": {"-5min"}}.Encode())
		if w.Code == 200 && !json.Valid([]byte(strings.ReplaceAll(w.Body.String(), "1e9999", "1"))) {
			t.Fatalf("%q: %s", target, w.Body)
		}
	})
}
