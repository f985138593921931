package grafana

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A request is one that Grafana's Graphite data source sends, from the browser through Grafana's proxy (9 to 12) or, in its
// newer mode, from Grafana's own server.
type request struct {
	name string
	get  string // the address with its parameters; empty: a post
	post string
	form string // what is posted
	// same says what of the answer is equal in both servers; nil: its shape.
	same func(t *testing.T, body []byte) any
	// own, where set, is why only the embedded Graphite is asked.
	own string
}

// requests are all kinds that the data source sends. Ranges come as Graphite's words where the dashboard's are relative, and
// as seconds where they are not. The escaping is that of each sender: a browser's encodeURIComponent spells a space %20.
func requests(now int64) []request {
	from, until := strconv.FormatInt(now-900, 10), strconv.FormatInt(now+10, 10)
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	render := func(targets ...string) string {
		var form []string
		for i, target := range targets {
			form = append(form, "target="+escape(fmt.Sprintf(`aliasSub(%s, "(^.*$)", "\1 %s")`, target, refIDs[i:i+1])))
		}
		return strings.Join(append(form, "from=-15min", "until=now", "format=json", "maxDataPoints=1113"), "&")
	}
	return []request{
		{name: "test of the data source, from a browser", post: "/metrics/find", form: "query=*", same: texts},
		{name: "test of the data source, from the server", post: "/render",
			form: url.Values{"target": {"constantLine(100)"}, "from": {strconv.FormatInt(now-3600, 10)}, "until": {until}, "format": {"json"}, "maxDataPoints": {"100"}}.Encode()},
		{name: "version", get: "/version", same: version},
		{name: "functions", get: "/functions", same: functionShapes,
			own: "Debian 12's graphite-web 1.1.8 answers 500: its Python 3.11 has no inspect.getargspec any more"},

		{name: "variable of clusters", get: "/metrics/expand?query=*.agent&from=-15min&until=now", same: results},
		{name: "variable of clusters, at once", get: "/metrics/expand?query=" + escape("*.agent"), same: results},
		{name: "variable of partitions", post: "/metrics/find?from=-15min&until=now", form: "query=hpc1.partition.*", same: texts},
		{name: "variable of partitions, from the server", post: "/metrics/find?from=" + from + "&until=" + until, form: "query=" + url.QueryEscape("hpc1.partition.*"), same: texts},
		{name: "variable of nothing", post: "/metrics/find?from=-15min&until=now", form: "query=hpc1.no.such.*", same: texts},
		{name: "variable with a search", post: "/metrics/find?from=-15min&until=now", form: "query=hpc1.user.al*", same: texts},
		{name: "variable of leaves", post: "/metrics/find?from=" + from + "&until=" + until, form: "query=hpc1.jobs.{running,pending}", same: texts},
		{name: "variable of whole paths", get: "/metrics/expand?query=" + escape("hpc1.partition.{batch,gpu}.jobs.*") + "&from=" + from + "&until=" + until, same: results},
		{name: "query editor, a level of the tree", post: "/metrics/find?from=-15min&until=now", form: "query=hpc1.partition.gpu.*", same: texts},

		{name: "panel", post: "/render", form: render("aliasByNode(hpc1.jobs.{running,pending},-1)", "alias(hpc1.nodes.total,'all nodes')"), same: seriesOf},
		{name: "panel without data", post: "/render", form: render("hpc1.no.such.path"), same: seriesOf},
		{name: "panel, from the server", post: "/render", form: url.Values{"target": {"hpc1.jobs.running"}, "from": {from}, "until": {until}, "format": {"json"}, "maxDataPoints": {"1113"}}.Encode(), same: seriesOf},
		{name: "panel of tagged series", post: "/render", form: render("aliasByTags(seriesByTag('name=disk.used','host=~n.*'),'host','mount')"), same: seriesOf},

		{name: "annotations", get: "/events/get_data?from=-15min&until=now&tags=clusterload", same: marks},
		{name: "annotations, two tags, from the server", get: "/events/get_data?from=" + from + "&tags=" + url.QueryEscape("clusterload maintenance") + "&until=" + until, same: marks},
		{name: "annotations of any tag", get: "/events/get_data?from=" + from + "&until=" + until, same: marks},
		{name: "annotations that do not exist", get: "/events/get_data?from=-15min&until=now&tags=nonesuch", same: marks},

		{name: "tags", get: "/tags/autoComplete/tags?from=-15min&until=now", same: words("host", "mount")},
		{name: "tags with a prefix", get: "/tags/autoComplete/tags?expr=" + escape("name=disk.used") + "&tagPrefix=ho&from=-15min&until=now", same: words("host")},
		{name: "tags of a variable", get: "/tags/autoComplete/tags?expr=" + escape("name=disk.used") + "&limit=10000", same: words("host", "mount")},
		{name: "values of a tag", get: "/tags/autoComplete/values?tag=host&limit=10000", same: words("n1", "n2")},
		{name: "values of a tag, of some series", get: "/tags/autoComplete/values?expr=" + escape("name=disk.used") + "&expr=" + escape("mount=_home") + "&tag=host&limit=10000", same: words("n2")},
		{name: "values of a tag with a prefix", get: "/tags/autoComplete/values?expr=" + escape("name=disk.used") + "&tag=mount&valuePrefix=_s&from=-15min&until=now", same: words("_scratch")},
	}
}

// testRequests replays what Grafana sends to both servers and compares their answers.
func testRequests(t *testing.T, servers []server) {
	for _, s := range servers {
		for _, e := range []string{
			fmt.Sprintf(`{"what":"upgrade","tags":["clusterload","maintenance"],"data":"Slurm 24.11","when":%d}`, servers[0].last-60),
			fmt.Sprintf(`{"what":"power","tags":["clusterload"],"data":"","when":%d}`, servers[0].last-30),
			fmt.Sprintf(`{"what":"other","tags":["elsewhere"],"data":"x","when":%d}`, servers[0].last-20),
		} {
			body, status := s.ask(t, http.MethodPost, "/events/", e, "application/x-www-form-urlencoded") // as curl -d calls what it sends
			require.Equal(t, http.StatusOK, status, "%s: %s", s.name, body)
		}
	}
	for _, r := range requests(servers[0].last) {
		t.Run(r.name, func(t *testing.T) {
			if r.same == nil {
				r.same = shapeOf
			}
			answers := make([]any, len(servers))
			for i, s := range servers {
				if r.own != "" && i > 0 {
					answers[i] = answers[0]
					continue
				}
				var body []byte
				var status int
				if r.get != "" {
					body, status = s.get(t, r.get)
				} else {
					body, status = s.post(t, r.post, r.form)
				}
				require.Equal(t, http.StatusOK, status, "%s: %s", s.name, body)
				answers[i] = r.same(t, body)
			}
			assert.Equal(t, answers[1], answers[0], "%s, against %s", servers[0].name, servers[1].name)
		})
	}
}

func decode[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(body, &v), "%.500s", body)
	return v
}

// shapeOf is a JSON value with all values replaced by the names of their types.
func shapeOf(t *testing.T, body []byte) any { return shape(decode[any](t, body)) }

func shape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			m[k] = shape(e)
		}
		return m
	case []any:
		var kinds []any
		for _, e := range v {
			s := shape(e)
			if !slices.ContainsFunc(kinds, func(k any) bool { return assert.ObjectsAreEqual(k, s) }) {
				kinds = append(kinds, s)
			}
		}
		return kinds
	default:
		return fmt.Sprintf("%T", v)
	}
}

// texts are the choices of a variable: what Grafana reads of /metrics/find.
func texts(t *testing.T, body []byte) any {
	type node struct {
		Text       string `json:"text"`
		Expandable any    `json:"expandable"`
	}
	list := slices.DeleteFunc(decode[[]node](t, body), func(n node) bool { return n.Text == "_tagged" }) // where carbon keeps series with tags
	slices.SortFunc(list, func(a, b node) int { return strings.Compare(a.Text, b.Text) })
	return list
}

func results(t *testing.T, body []byte) any {
	list := decode[struct{ Results []string }](t, body).Results
	require.NotEmpty(t, list)
	slices.Sort(list)
	return list
}

var semantic = regexp.MustCompile(`^"?(\d+\.\d+)\.\d+"?\s*$`)

// version is what Grafana reads of /version: two numbers, whether quoted as JSON or bare.
func version(t *testing.T, body []byte) any {
	m := semantic.FindSubmatch(body)
	require.NotNil(t, m, "%q", body)
	return string(m[1])
}

// A knownFunction is what Grafana's query editor reads of one of /functions.
type knownFunction struct {
	Name, Function, Description, Module, Group string
	Params                                     []struct {
		Name, Type         string
		Required, Multiple bool
		Default            any
		Options            []any
		Suggestions        []any
	}
}

// parameterTypes are those that Grafana's query editor knows; it offers the others as plain text.
var parameterTypes = []string{"aggFunc", "aggOrSeriesFunc", "any", "boolean", "date", "float", "integer", "integerOrInf", "integerOrInterval", "interval", "intOrInterval",
	"intOrInf", "node", "nodeOrTag", "seriesList", "seriesLists", "series", "seriesNames", "string", "tag"}

// functionShapes reads the functions as Grafana does, and returns the names of those that the dashboards call.
func functionShapes(t *testing.T, body []byte) any {
	finite := regexp.MustCompile(`"default": ?-?(Infinity|1e9999)`).ReplaceAll(body, []byte(`"default": null`)) // a browser reads the latter, and Grafana puts it for the former
	all := decode[map[string]knownFunction](t, finite)
	require.Greater(t, len(all), 100)
	for name, f := range all {
		require.NotEmpty(t, f.Name, name)
		require.NotEmpty(t, f.Function, name)
		require.NotEmpty(t, f.Group, name)
		for _, p := range f.Params {
			require.NotEmpty(t, p.Name, name)
			if p.Type != "" { // names of functions have none in the embedded Graphite: plain text, too
				assert.Contains(t, parameterTypes, p.Type, "%s: %s", name, p.Name)
			}
		}
	}
	called := map[string]bool{}
	for _, f := range files(t) {
		for _, p := range f.all() {
			for _, target := range p.Targets {
				for _, m := range regexp.MustCompile(`([A-Za-z]+)\(`).FindAllStringSubmatch(target.Target, -1) {
					require.Contains(t, all, m[1], "%s: %s", f.name, target.Target)
					called[m[1]] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(called))
}

// seriesOf is names and values, without the slots that are empty in both: until is now, and servers are asked one after the
// other.
func seriesOf(t *testing.T, body []byte) any {
	values := map[string]map[int64]float64{}
	for _, s := range decode[[]series](t, body) {
		require.NotNil(t, s.Tags["name"], s.Target)
		require.NotEmpty(t, s.Datapoints, s.Target)
		values[s.Target] = s.values()
	}
	return values
}

// marks are what Grafana reads of events.
func marks(t *testing.T, body []byte) any {
	type mark struct {
		When       int64
		What, Data string
		Tags       any
	}
	list := decode[[]mark](t, body)
	slices.SortFunc(list, func(a, b mark) int { return int(a.When - b.When) })
	return list
}

// words checks that a list has some words, and returns the list.
func words(want ...string) func(t *testing.T, body []byte) any {
	return func(t *testing.T, body []byte) any {
		list := decode[[]string](t, body)
		require.Subset(t, list, want)
		return list
	}
}
