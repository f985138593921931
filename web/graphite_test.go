package web

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A fake is a Graphite over a history: render as json and csv, find, expand, functions, and events, as graphite-web 1.1.8
// answers them. It knows few functions: the pages ask for plain paths, and only Explore sends what the user typed.
type fake struct {
	history *history
	now     func() time.Time
	broken  atomic.Bool  // answers 503 to everything, as a proxy does whose database has stopped
	renders atomic.Int64 // requests to /render so far
	points  atomic.Int64 // points that they were answered with

	once  sync.Once
	index []entry
}

// An entry is a path of the history with its elements.
type entry struct {
	path     string
	elements []string
}

// entries are the paths, sorted.
func (f *fake) entries() []entry {
	f.once.Do(func() {
		for _, p := range f.history.paths() {
			f.index = append(f.index, entry{p, strings.Split(p, ".")})
		}
	})
	return f.index
}

// serve serves the pages and the fake behind them for the length of a test.
func serve(t testing.TB, f *fake) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(f.handler())
	t.Cleanup(s.Close)
	return s
}

func (f *fake) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", Handler())
	api := func(pattern string, h http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if f.broken.Load() {
				http.Error(w, "no database", http.StatusServiceUnavailable)
				return
			}
			h(w, r)
		})
	}
	api("/render", f.render)
	api("/metrics/find", f.find)
	api("/metrics/expand", f.expand)
	api("/functions", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"sumSeries":      map[string]any{"name": "sumSeries", "group": "Combine", "function": "sumSeries(*seriesLists)", "description": "Adds metrics together."},
			"scale":          map[string]any{"name": "scale", "group": "Transform", "function": "scale(seriesList, factor)", "description": "Multiplies each point."},
			"consolidateBy":  map[string]any{"name": "consolidateBy", "group": "Special", "function": "consolidateBy(seriesList, consolidationFunc)", "description": "Changes the consolidation function."},
			"highestAverage": map[string]any{"name": "highestAverage", "group": "Filter Series", "function": "highestAverage(seriesList, n)", "description": "The n series with the highest average."},
		})
	})
	api("/events/get_data", func(w http.ResponseWriter, _ *http.Request) { answer(w, []any{}) })
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// match tells whether a path matches a pattern of as many elements, each a glob with braces.
func match(pattern, name string) bool { return matcher(pattern)(strings.Split(name, ".")) }

// matcher returns a check of a path's elements against a pattern.
func matcher(pattern string) func(elements []string) bool {
	var choices [][]string
	for p := range strings.SplitSeq(pattern, ".") {
		choices = append(choices, braces(p))
	}
	return func(elements []string) bool {
		if len(elements) != len(choices) {
			return false
		}
		for i, globs := range choices {
			if !slices.ContainsFunc(globs, func(glob string) bool {
				if glob == "*" || glob == elements[i] {
					return true
				}
				ok, _ := path.Match(glob, elements[i])
				return ok
			}) {
				return false
			}
		}
		return true
	}
}

// braces turns a{b,c}d into abd and acd.
func braces(p string) []string {
	open, end := strings.IndexByte(p, '{'), strings.IndexByte(p, '}')
	if open < 0 || end < open { // Graphite expands braces within one element only
		return []string{p}
	}
	var all []string
	for one := range strings.SplitSeq(p[open+1:end], ",") {
		all = append(all, braces(p[:open]+one+p[end+1:])...)
	}
	return all
}

type fakeSeries struct {
	Target string         `json:"target"`
	Tags   map[string]any `json:"tags"`
	Points [][2]any       `json:"datapoints"`

	values []float64
	start  int64
	step   int64
}

func (f *fake) render(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.renders.Add(1)
	now := f.now().Unix()
	from, until := moment(r.Form.Get("from"), now, now-86400), moment(r.Form.Get("until"), now, now)
	all := []fakeSeries{}
	for _, target := range r.Form["target"] {
		series, err := f.eval(target, from, until)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		all = append(all, series...)
	}
	most, _ := strconv.Atoi(r.Form.Get("maxDataPoints"))
	for i := range all {
		all[i].consolidate(most)
		f.points.Add(int64(len(all[i].Points)))
	}
	if r.Form.Get("format") == "csv" {
		w.Header().Set("Content-Type", "text/csv")
		for _, s := range all {
			for _, p := range s.Points {
				v := ""
				if p[0] != nil {
					v = fmt.Sprint(p[0])
				}
				fmt.Fprintf(w, "%s,%s,%s\r\n", s.Target, time.Unix(p[1].(int64), 0).UTC().Format(time.DateTime), v)
			}
		}
		return
	}
	answer(w, all)
}

// moment reads Graphite's times as far as the pages use them: seconds of the epoch, "now", "-6h".
func moment(s string, now, otherwise int64) int64 {
	if s == "" {
		return otherwise
	}
	if s == "now" {
		return now
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return n
	}
	for unit, seconds := range map[string]int64{"s": 1, "min": 60, "h": 3600, "d": 86400} {
		if n, err := strconv.ParseInt(strings.TrimSuffix(s, unit), 10, 64); err == nil && strings.HasSuffix(s, unit) {
			return now + n*seconds
		}
	}
	return otherwise
}

// eval returns the series of a target: a path, or a function of one.
func (f *fake) eval(target string, from, until int64) ([]fakeSeries, error) {
	target = strings.TrimSpace(target)
	name, inner, call := strings.Cut(target, "(")
	if !call {
		return f.fetch(target, from, until), nil
	}
	inner, _ = strings.CutSuffix(inner, ")")
	argument, rest := inner, ""
	if i := strings.LastIndexByte(inner, ','); i >= 0 && !strings.ContainsAny(inner[i:], "})") {
		argument, rest = inner[:i], strings.Trim(inner[i+1:], ` "'`)
	}
	series, err := f.eval(argument, from, until)
	if err != nil {
		return nil, err
	}
	switch name {
	case "consolidateBy":
		for i := range series {
			series[i].Target = fmt.Sprintf("consolidateBy(%s,%q)", series[i].Target, rest)
		}
		return series, nil
	case "sumSeries":
		if len(series) == 0 {
			return nil, nil
		}
		sum := series[0]
		sum.Target, sum.values = target, slices.Clone(sum.values)
		for _, s := range series[1:] {
			for i, v := range s.values {
				sum.values[i] += v
			}
		}
		return []fakeSeries{sum}, nil
	}
	return nil, fmt.Errorf("Invalid input: unknown function %q", name)
}

func (f *fake) fetch(pattern string, from, until int64) []fakeSeries {
	var found []fakeSeries
	step := f.history.step
	start := from - from%step + step // (from, until], as Whisper has it
	for _, p := range f.matching(pattern) {
		s := fakeSeries{Target: p, Tags: map[string]any{"name": p}, start: start, step: step}
		for t := start; t <= until; t += step {
			s.values = append(s.values, f.history.at(p, t))
		}
		found = append(found, s)
	}
	return found
}

func (f *fake) matching(pattern string) []string {
	if _, ok := f.history.series[pattern]; ok {
		return []string{pattern}
	}
	if !strings.ContainsAny(pattern, "*?{[") {
		return nil
	}
	var found []string
	matches := matcher(pattern)
	for _, e := range f.entries() {
		if matches(e.elements) {
			found = append(found, e.path)
		}
	}
	return found
}

// consolidate makes at most so many points of the series, each the average of what it stands for.
func (s *fakeSeries) consolidate(most int) {
	every := 1
	if most > 0 && len(s.values) > most {
		every = (len(s.values) + most - 1) / most
	}
	s.Points = [][2]any{}
	for i := 0; i < len(s.values); i += every {
		sum, n := 0.0, 0
		for _, v := range s.values[i:min(i+every, len(s.values))] {
			if !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		point := [2]any{nil, s.start + int64(i)*s.step}
		if n > 0 {
			point[0] = sum / float64(n)
		}
		s.Points = append(s.Points, point)
	}
}

// branches returns what stands at a query's depth below the paths that match it: the path so far, and whether it ends there.
func (f *fake) branches(query string) (names []string, leaf, branch map[string]bool) {
	depth := strings.Count(query, ".") + 1
	leaf, branch = map[string]bool{}, map[string]bool{}
	matches := matcher(query)
	for _, e := range f.entries() {
		if len(e.elements) < depth || !matches(e.elements[:depth]) {
			continue
		}
		head := strings.Join(e.elements[:depth], ".")
		if !leaf[head] && !branch[head] {
			names = append(names, head)
		}
		leaf[head] = leaf[head] || len(e.elements) == depth
		branch[head] = branch[head] || len(e.elements) > depth
	}
	return names, leaf, branch
}

func (f *fake) find(w http.ResponseWriter, r *http.Request) {
	names, leaf, branch := f.branches(r.FormValue("query"))
	found := []map[string]any{}
	bit := map[bool]int{true: 1}
	for _, n := range names {
		for _, isLeaf := range []bool{false, true} {
			if isLeaf && leaf[n] || !isLeaf && branch[n] {
				found = append(found, map[string]any{"text": n[strings.LastIndexByte(n, '.')+1:], "id": n, "context": map[string]any{},
					"leaf": bit[isLeaf], "expandable": bit[!isLeaf], "allowChildren": bit[!isLeaf]})
			}
		}
	}
	answer(w, found)
}

func (f *fake) expand(w http.ResponseWriter, r *http.Request) {
	names, leaf, _ := f.branches(r.FormValue("query"))
	if r.FormValue("leavesOnly") == "1" {
		names = slices.DeleteFunc(names, func(n string) bool { return !leaf[n] })
	}
	answer(w, map[string]any{"results": append([]string{}, names...)})
}
