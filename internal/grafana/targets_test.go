package grafana

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const folder = "../../docs/grafana/dashboards"

// A file is what the tests read of a dashboard: the JSON that stands in the docs, as a user imports it.
type file struct {
	name        string
	UID, Title  string
	Panels      []filePanel
	Templating  struct{ List []fileVariable }
	Annotations struct {
		List []struct {
			Name   string
			Target struct {
				Target string
				Tags   []string
			}
		}
	}
}

type filePanel struct {
	ID                       int
	Type, Title, Description string
	Repeat                   string
	GridPos                  struct{ X, Y, W, H int }
	Collapsed                bool
	Panels                   []filePanel
	Targets                  []struct{ RefID, Target string }
	Transformations          []struct{ ID string }
	TimeFrom                 string
}

type fileVariable struct {
	Name, Type, Query, Regex, AllValue string
	Multi, IncludeAll                  bool
}

func files(t *testing.T) []file {
	t.Helper()
	names, err := filepath.Glob(folder + "/*.json")
	require.NoError(t, err)
	var all []file
	for _, name := range names {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		f := file{name: filepath.Base(name)}
		require.NoError(t, json.Unmarshal(b, &f), name)
		all = append(all, f)
	}
	require.Len(t, all, len(Dashboards()))
	return all
}

// all lists the panels, those of closed rows too. Those of a row that repeats say so themselves.
func (f *file) all() []filePanel {
	var list []filePanel
	repeat := ""
	for _, p := range f.Panels {
		if p.Type == "row" {
			repeat = p.Repeat
			list = append(list, p.Panels...)
		} else {
			p.Repeat = repeat
			list = append(list, p)
		}
	}
	return list
}

var dollar = regexp.MustCompile(`\$(\w+)`)

// fill replaces the variables of a target.
func fill(t *testing.T, target string, values map[string]string) string {
	t.Helper()
	return dollar.ReplaceAllStringFunc(target, func(name string) string {
		v, ok := values[name[1:]]
		require.True(t, ok, "%s of %s", name, target)
		return v
	})
}

// choices are what a reader may have chosen: everything, one of each, and several as Grafana writes them.
var choices = map[string]map[string]string{
	"all":     {"cluster": "hpc1", "partition": "*", "node": "*", "user": "*", "account": "*", "qos": "*", "host": "*"},
	"one":     {"cluster": "hpc1", "partition": "gpu", "node": "g1", "user": "bob", "account": "physics", "qos": "normal", "host": "n1"},
	"several": {"cluster": "hpc1", "partition": "{batch,gpu}", "node": "{c1,g2}", "user": "{alice,bob}", "account": "{physics,chemistry}", "qos": "{normal,high}", "host": "{n1,n2}"},
}

// testTargets asks both servers for every target of every panel as Grafana does in a browser: the targets of a panel in
// one request, each within a call that appends its letter to the names, by which the answers find their way back.
func testTargets(t *testing.T, servers []server) {
	for choice, values := range choices {
		t.Run(choice, func(t *testing.T) {
			for _, f := range files(t) {
				for _, p := range f.all() {
					values := maps.Clone(values)
					if p.Repeat != "" { // the row comes once for each choice
						values[p.Repeat] = choices["one"][p.Repeat]
					}
					form := url.Values{}
					for _, target := range p.Targets {
						form.Add("target", fmt.Sprintf(`aliasSub(%s, "(^.*$)", "\1 %s")`, fill(t, target.Target, values), target.RefID))
					}
					answers := make([]map[string][]series, len(servers))
					for i, s := range servers {
						answers[i] = s.panel(t, form)
						for _, target := range p.Targets {
							assert.True(t, hasData(answers[i][target.RefID]), "%s: %s: %q: %s gives no data for %s", f.name, choice, p.Title, s.name, fill(t, target.Target, values))
						}
					}
					if len(p.Transformations) > 0 {
						assert.Equal(t, "5m", p.TimeFrom, p.Title)
						for _, list := range answers[0] {
							assert.False(t, slices.ContainsFunc(list, func(s series) bool { return len(s.values()) == 0 }),
								"%s: %s: a series without values shifts the rows of the others", f.name, p.Title)
						}
					}
					same(t, f.name+": "+p.Title, answers[0], answers[1])
				}
			}
		})
	}
}

// panel asks for the targets of a panel and returns the series by the letter of their target, the letter cut off.
func (s *server) panel(t *testing.T, form url.Values) map[string][]series {
	t.Helper()
	list, err := s.render(t, maps.Clone(form), 0)
	require.NoError(t, err, "%q", form["target"])
	answers := map[string][]series{}
	for _, one := range list {
		at := strings.LastIndexByte(one.Target, ' ')
		require.Positive(t, at, one.Target)
		letter := one.Target[at+1:]
		one.Target = one.Target[:at]
		answers[letter] = append(answers[letter], one)
	}
	return answers
}

// hasData tells whether there is a series with a value.
func hasData(list []series) bool {
	return slices.ContainsFunc(list, func(s series) bool { return len(s.values()) > 0 })
}

// same checks that both servers give the same names and values.
func same(t *testing.T, what string, a, b map[string][]series) {
	t.Helper()
	for _, letter := range slices.Sorted(maps.Keys(a)) {
		names := func(list []series) []string {
			var names []string
			for _, s := range list {
				names = append(names, s.Target)
			}
			slices.Sort(names)
			assert.Len(t, slices.Compact(slices.Clone(names)), len(names), "%s: %s: two series of one name: %q", what, letter, names)
			return names
		}
		if !assert.Equal(t, names(b[letter]), names(a[letter]), "%s: %s: names", what, letter) {
			continue
		}
		values := map[string]map[int64]float64{}
		for _, s := range b[letter] {
			values[s.Target] = s.values()
		}
		for _, s := range a[letter] {
			want := values[s.Target]
			got := s.values()
			assert.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), "%s: %s: times of %s", what, letter, s.Target)
			for at, v := range want {
				assert.InDelta(t, v, got[at], 1e-9*math.Max(1, math.Abs(v)), "%s: %s: %s at %d", what, letter, s.Target, at)
			}
		}
	}
}

// testAnnotations checks that the target that marks a silent slurmctld can be read, and marks nothing where all is well.
func testAnnotations(t *testing.T, servers []server) {
	for _, f := range files(t) {
		for _, a := range f.Annotations.List {
			if a.Target.Target == "" {
				continue
			}
			for _, s := range servers {
				list, err := s.render(t, url.Values{"target": {fill(t, a.Target.Target, choices["all"])}}, 0)
				require.NoError(t, err)
				require.True(t, hasData(list), "%s: %s", f.name, s.name)
				for at, v := range list[0].values() {
					assert.Zero(t, v, "squeue answered at %d: nothing to mark", at) // what is not 0 becomes a mark
				}
			}
		}
	}
}

// testStates checks that the states of the nodes, together and of each partition, add up to the total that Slurm says.
func testStates(t *testing.T, servers []server) {
	values := choices["all"]
	for _, s := range servers {
		totals, err := s.render(t, url.Values{"target": {"aliasByNode(hpc1.nodes.total,0)", "aliasByNode(hpc1.partition.*.nodes.total,2)"}}, 0)
		require.NoError(t, err)
		require.Greater(t, len(totals), 8)
		sums := map[string]float64{}
		row := regexp.MustCompile(`^partition=(\S+) column="(\w+)"$`)
		for _, target := range append(nodeStates("", "$cluster.", 1).targets, partitionStates("", "*", 1).targets...) {
			list, err := s.render(t, url.Values{"target": {fill(t, target, values)}}, 0)
			require.NoError(t, err)
			for _, one := range list {
				name := "hpc1"
				if m := row.FindStringSubmatch(one.Target); m != nil {
					name = m[1]
				}
				v, known := one.values()[s.last]
				require.True(t, known, one.Target)
				assert.GreaterOrEqual(t, v, 0.0, "%s: %s", s.name, one.Target)
				sums[name] += v
			}
		}
		for _, total := range totals {
			want := total.values()[s.last]
			assert.Equal(t, want, sums[total.Target], "%s: nodes of %s", s.name, total.Target)
		}
	}
}
