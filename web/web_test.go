package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// most is what all pages together may weigh on the wire.
const most = 150_000

func TestSizeOfAllPages(t *testing.T) {
	files, err := load(static)
	require.NoError(t, err)
	total := 0
	seen := map[*file]bool{}
	for _, f := range files {
		if !seen[f] {
			seen[f] = true
			total += min(len(f.plain), len(f.zipped))
		}
	}
	t.Logf("%d files, %d bytes gzipped", len(seen), total)
	assert.LessOrEqual(t, total, most)
	assert.Greater(t, total, 22_000, "uPlot alone is more")
}

func get(t *testing.T, method, url string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, url, nil)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestServing(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/partition", 200, "text/html; charset=utf-8"},
		{"HEAD", "/nodes?from=-1h", 200, "text/html; charset=utf-8"},
		{"GET", "/hosts", 200, "text/html; charset=utf-8"},
		{"GET", "/explore", 200, "text/html; charset=utf-8"},
		{"GET", "/agent", 200, "text/html; charset=utf-8"},
		{"GET", "/script/main.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/style/base.css", 200, "text/css; charset=utf-8"},
		{"GET", "/icon.svg", 200, "image/svg+xml"},
		{"GET", "/index.html", 404, "text/plain; charset=utf-8"},
		{"GET", "/script/", 404, "text/plain; charset=utf-8"},
		{"GET", "/script/../web.go", 404, "text/plain; charset=utf-8"},
		{"GET", "/render", 404, "text/plain; charset=utf-8"},
		{"GET", "/nodes/", 404, "text/plain; charset=utf-8"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
	} {
		r := get(t, c.method, c.path, nil)
		assert.Equal(t, c.status, r.StatusCode, "%s %s", c.method, c.path)
		assert.Equal(t, c.kind, r.Header.Get("Content-Type"), "%s %s", c.method, c.path)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		assert.Equal(t, c.method == "HEAD", len(body) == 0, "%s %s", c.method, c.path)
		if c.status == 200 {
			assert.Contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'")
			assert.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
		}
	}
	assert.Equal(t, "GET, HEAD", get(t, "DELETE", "/agent", nil).Header.Get("Allow"))
}

func TestEncodingAndCaching(t *testing.T) {
	const script = "/vendor/uplot.js"
	want, err := static.ReadFile("static" + script)
	require.NoError(t, err)
	for _, c := range []struct {
		accept string
		zipped bool
	}{{"", false}, {"gzip, deflate, br", true}, {"br", false}, {"gzip;q=0", false}, {"deflate, gzip; q=0.3", true}, {"*", true}, {"gzip;q=x", false}} {
		r := get(t, "GET", script, http.Header{"Accept-Encoding": {c.accept}})
		got, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(len(got)), r.Header.Get("Content-Length"))
		assert.Equal(t, c.zipped, r.Header.Get("Content-Encoding") == "gzip", c.accept)
		if c.zipped {
			z, err := gzip.NewReader(bytes.NewReader(got))
			require.NoError(t, err)
			got, err = io.ReadAll(z)
			require.NoError(t, err)
		}
		assert.Equal(t, want, got, c.accept)
		tag := r.Header.Get("ETag")
		again := get(t, "GET", script, http.Header{"Accept-Encoding": {c.accept}, "If-None-Match": {`"other", W/` + tag}})
		assert.Equal(t, http.StatusNotModified, again.StatusCode, c.accept)
		rest, err := io.ReadAll(again.Body)
		require.NoError(t, err)
		assert.Empty(t, rest)
	}
	assert.Equal(t, 200, get(t, "GET", script, http.Header{"If-None-Match": {`"other"`}}).StatusCode)
}

// TestNoOutsideHost looks at every address that the files name.
func TestNoOutsideHost(t *testing.T) {
	allowed := []string{"http://www.w3.org/2000/svg", "https://github.com/leeoniya/uPlot"} // a name of a kind of element, a comment
	address := regexp.MustCompile(`(?:https?:)?//[a-zA-Z0-9-]+\.[a-zA-Z0-9./_-]+`)
	n := 0
	require.NoError(t, fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		b, err := static.ReadFile(name)
		for _, found := range address.FindAllString(string(b), -1) {
			assert.True(t, slices.ContainsFunc(allowed, func(a string) bool { return strings.TrimSuffix(found, ".") == a }), "%s names %s", name, found)
		}
		return err
	}))
	assert.Greater(t, n, 15)
}

// TestModulesAreThere follows the imports of every script.
func TestModulesAreThere(t *testing.T) {
	imports := regexp.MustCompile(`(?m)^import .* from '([^']+)';|^} from '([^']+)';`)
	n := 0
	require.NoError(t, fs.WalkDir(static, "static/script", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := static.ReadFile(name)
		for _, m := range imports.FindAllStringSubmatch(string(b), -1) {
			n++
			_, missing := fs.Stat(static, path.Join(path.Dir(name), m[1]+m[2]))
			assert.NoError(t, missing, name)
		}
		assert.LessOrEqual(t, bytes.Count(b, []byte("\n")), 400, "%s is long", name)
		return err
	}))
	assert.Greater(t, n, 40)
}

func TestVendoredAsTheLockSays(t *testing.T) {
	var lock struct {
		Packages map[string]struct{ Version, Resolved string }
	}
	b, err := os.ReadFile("package-lock.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &lock))
	version := lock.Packages["node_modules/uplot"].Version
	require.NotEmpty(t, version)
	for name, p := range lock.Packages {
		assert.Empty(t, p.Resolved, "%s: the lock is to hold no addresses", name)
	}
	for _, name := range []string{"uplot.js", "uplot.css"} {
		b, err := static.ReadFile("static/vendor/" + name)
		require.NoError(t, err)
		assert.Contains(t, string(b), "uPlot "+version+",", "npm ci && npm run vendor")
		assert.Contains(t, string(b), "Permission is hereby granted", "the licence goes with it")
	}
}

var variable = regexp.MustCompile(`(--[a-z0-9-]+): (#[0-9a-f]{6});`)

// themes reads the colours of base.css: the light ones, the dark ones of the system's choice and of the reader's.
func themes(t *testing.T) (light, system, chosen map[string]string) {
	b, err := static.ReadFile("static/style/base.css")
	require.NoError(t, err)
	colours := func(begin string) map[string]string {
		_, block, found := strings.Cut(string(b), "\n"+begin+" {\n")
		require.True(t, found, begin)
		block, _, _ = strings.Cut(block, "}")
		all := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(block, -1) {
			assert.NotContains(t, all, m[1], "set twice")
			all[m[1]] = m[2]
		}
		return all
	}
	return colours(":root"), colours(`  :root:not([data-theme="light"])`), colours(`:root[data-theme="dark"]`)
}

func TestThemesHaveTheSameColours(t *testing.T) {
	light, system, chosen := themes(t)
	assert.Equal(t, system, chosen)
	assert.Greater(t, len(light), 40)
	assert.Equal(t, slices.Sorted(maps.Keys(light)), slices.Sorted(maps.Keys(system)))
}

// TestContrast holds text to what WCAG 2 asks for at AA: 4.5 to 1 on what is behind it.
func TestContrast(t *testing.T) {
	light, dark, _ := themes(t)
	for theme, c := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, pair := range [][2]string{
			{"--ink", "--panel"}, {"--ink-2", "--panel"}, {"--ink-3", "--panel"}, {"--ink-3", "--paper"}, {"--ink-2", "--paper"}, {"--accent", "--panel"},
			{"--panel", "--accent"}, {"--down", "--bad-back"}, {"--down", "--panel"}, {"--warn-ink", "--warn-back"}, {"--panel", "--ink"}, {"--accent", "--accent-soft"},
		} {
			assert.GreaterOrEqual(t, contrast(t, c[pair[0]], c[pair[1]]), 4.5, "%s: %s on %s", theme, pair[0], pair[1])
		}
		// States stand beside one another: each differs from its neighbours in lightness.
		for _, pair := range [][2]string{{"--allocated", "--mixed"}, {"--mixed", "--idle"}, {"--idle", "--drained"}, {"--drained", "--down"}} {
			assert.GreaterOrEqual(t, contrast(t, c[pair[0]], c[pair[1]]), 1.4, "%s: %s beside %s", theme, pair[0], pair[1])
		}
	}
}

// contrast is WCAG's ratio of two colours, #rrggbb.
func contrast(t *testing.T, a, b string) float64 {
	luminance := func(c string) float64 {
		require.Len(t, c, 7)
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			v, err := strconv.ParseUint(c[1+2*i:3+2*i], 16, 8)
			require.NoError(t, err)
			x := float64(v) / 255
			if x <= 0.04045 {
				x /= 12.92
			} else {
				x = math.Pow((x+0.055)/1.055, 2.4)
			}
			sum += weight * x
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
