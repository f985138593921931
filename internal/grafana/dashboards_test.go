package grafana

import (
	"encoding/json"
	"image"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFiles checks that the files in the docs are those of the description: `go generate ./internal/grafana` writes them.
func TestFiles(t *testing.T) {
	for _, d := range Dashboards() {
		want, err := d.JSON()
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(folder, d.Name+".json"))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "%s.json: run go generate ./internal/grafana", d.Name)
	}
}

// TestShape checks what Grafana needs of a dashboard, and what makes one good to read.
func TestShape(t *testing.T) {
	uids := map[string]bool{}
	for _, f := range files(t) {
		assert.False(t, uids[f.UID], "%s: uid %q twice", f.name, f.UID)
		assert.LessOrEqual(t, len(f.UID), 40, f.name) // Grafana's limit
		uids[f.UID] = true
		declared := map[string]bool{}
		for _, v := range f.Templating.List {
			declared[v.Name] = true
			for _, used := range dollar.FindAllStringSubmatch(v.Query, -1) {
				assert.True(t, declared[used[1]], "%s: variable %s uses %s before it is chosen", f.name, v.Name, used[1])
			}
		}
		assert.True(t, declared["DS_GRAPHITE"] && declared["cluster"], f.name)
		ids := map[int]bool{}
		var taken []image.Rectangle
		for _, p := range append(f.Panels, f.all()...) {
			if p.Type != "row" {
				continue
			}
			assert.False(t, ids[p.ID], "%s: id %d twice", f.name, p.ID)
			ids[p.ID] = true
			if p.Repeat != "" {
				assert.True(t, declared[p.Repeat], "%s: repeats by %s", f.name, p.Repeat)
			}
		}
		for _, p := range f.all() {
			what := f.name + ": " + p.Title
			assert.False(t, ids[p.ID], "%s: id %d twice", what, p.ID)
			ids[p.ID] = true
			assert.True(t, strings.HasSuffix(p.Description, "."), "%s: %q", what, p.Description)
			place := image.Rect(p.GridPos.X, p.GridPos.Y, p.GridPos.X+p.GridPos.W, p.GridPos.Y+p.GridPos.H)
			assert.True(t, place.In(image.Rect(0, 0, gridWidth, 1000)) && p.GridPos.H >= 3, "%s: at %v", what, place)
			for _, other := range taken {
				assert.False(t, place.Overlaps(other), "%s: at %v, over another at %v", what, place, other)
			}
			taken = append(taken, place)
			letters := map[string]bool{}
			for _, target := range p.Targets {
				assert.False(t, letters[target.RefID], "%s: %s twice", what, target.RefID)
				letters[target.RefID] = true
				assert.True(t, strings.Contains(target.Target, "$cluster."), "%s: %s", what, target.Target)
				for _, used := range dollar.FindAllStringSubmatch(target.Target, -1) {
					assert.True(t, declared[used[1]], "%s: %s is not declared", what, used[1])
				}
			}
		}
	}
}

// TestVariables checks that the variable of clusters finds what an agent sends, and no branch of anyone else.
func TestVariables(t *testing.T) {
	v := clusters.json()
	body, ok := strings.CutPrefix(v["regex"].(string), "/")
	require.True(t, ok)
	r := regexp.MustCompile(strings.TrimSuffix(body, "/"))
	assert.Equal(t, []string{"hpc1.agent", "hpc1"}, r.FindStringSubmatch("hpc1.agent"))
	assert.Nil(t, r.FindStringSubmatch("carbon.agents"))
	assert.Nil(t, r.FindStringSubmatch("a.b.agent"))
}

// TestColours checks that states which stand next to one another stay apart for readers with each kind of colour vision.
func TestColours(t *testing.T) {
	stack := []string{"allocated", "mixed", "idle", "drained", "down"}
	for kind, see := range visions {
		for i, a := range stack {
			for _, b := range stack[i+1:] {
				d := distance(lab(see, stateColours[a]), lab(see, stateColours[b]))
				assert.Greater(t, d, 14.0, "%s and %s, %s", a, b, kind)
			}
		}
		d := distance(lab(see, stateColours["running"]), lab(see, stateColours["pending"]))
		assert.Greater(t, d, 30.0, "running and pending, %s", kind)
	}
	css, err := os.ReadFile("../../web/static/style/base.css")
	require.NoError(t, err)
	for _, name := range []string{"allocated", "mixed", "draining", "drained", "down", "running", "pending", "good"} {
		assert.Contains(t, string(css), "--"+name+": "+stateColours[name]+";", "the pages' colour of %s", name)
	}
}

// visions are linear-light matrices of colour vision without one kind of cone: Viénot, Brettel and Mollon, 1999.
var visions = map[string][3][3]float64{
	"all cones": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"no red":    {{0.11238, 0.88762, 0}, {0.11238, 0.88762, 0}, {0.00401, -0.00401, 1}},
	"no green":  {{0.29275, 0.70725, 0}, {0.29275, 0.70725, 0}, {-0.02234, 0.02234, 1}},
}

// lab is a colour, "#rrggbb", as someone sees it, in CIE Lab.
func lab(see [3][3]float64, hex string) [3]float64 {
	var light, seen [3]float64
	for i := range light {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			panic(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			light[i] = c / 12.92
		} else {
			light[i] = math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	for i, r := range see {
		seen[i] = r[0]*light[0] + r[1]*light[1] + r[2]*light[2]
	}
	f := func(v float64) float64 {
		if v > 0.008856 {
			return math.Cbrt(v)
		}
		return 7.787*v + 16.0/116
	}
	x := f((0.4124*seen[0] + 0.3576*seen[1] + 0.1805*seen[2]) / 0.9505)
	y := f(0.2126*seen[0] + 0.7152*seen[1] + 0.0722*seen[2])
	z := f((0.0193*seen[0] + 0.1192*seen[1] + 0.9505*seen[2]) / 1.089)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func distance(a, b [3]float64) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

// TestLayOut checks that panels without what a reader or Grafana needs are refused.
func TestLayOut(t *testing.T) {
	good := chart("title", "Help.", 8, count, "$cluster.a")
	for name, change := range map[string]func(p *panel){
		"no title": func(p *panel) { p.title = "" }, "no help": func(p *panel) { p.help = "" }, "too wide": func(p *panel) { p.width = 25 },
		"no width": func(p *panel) { p.width = 0 }, "no target": func(p *panel) { p.targets = nil },
		"too many targets": func(p *panel) { p.targets = slices.Repeat([]string{"$cluster.a"}, 27) },
	} {
		p := good
		change(&p)
		d := Dashboard{Name: "x", rows: []row{{height: 4, panels: []panel{p}}}}
		_, err := d.JSON()
		assert.ErrorContains(t, err, "want a title", name)
	}
	d := Dashboard{Name: "x", rows: []row{{title: "r", height: 4, closed: true, panels: []panel{good, good, good, good}}}}
	b, err := d.JSON()
	require.NoError(t, err)
	var f file
	require.NoError(t, json.Unmarshal(b, &f))
	require.Len(t, f.Panels, 1)
	require.Len(t, f.Panels[0].Panels, 4)
	last := f.Panels[0].Panels[3].GridPos
	assert.Equal(t, [4]int{0, 5, 8, 4}, [4]int{last.X, last.Y, last.W, last.H}, "the fourth of a third's width begins a line")
}
