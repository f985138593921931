package graphitebed

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Series is one line of a graph.
type Series struct {
	Target string
	Points []Point
}

// A Point is one slot of a series. Value is NaN where nothing is stored.
type Point struct {
	Time  int64 // Unix time in seconds, the slot's beginning
	Value float64
}

// At returns the value of the slot at a time, NaN where there is none.
func (s *Series) At(at int64) float64 {
	for _, p := range s.Points {
		if p.Time == at {
			return p.Value
		}
	}
	return math.NaN()
}

// Values returns the points that hold a value, by their time.
func (s *Series) Values() map[int64]float64 {
	values := map[int64]float64{}
	for _, p := range s.Points {
		if !math.IsNaN(p.Value) {
			values[p.Time] = p.Value
		}
	}
	return values
}

// Render asks graphite-web for the series of a target, a path with wildcards or a call of Graphite's functions, from one
// time to another. Like Graphite itself it leaves out the slot of from.
func (g *Graphite) Render(ctx context.Context, target string, from, until time.Time) ([]Series, error) {
	var answer []struct {
		Target     string       `json:"target"`
		Datapoints [][]*float64 `json:"datapoints"`
	}
	form := url.Values{"target": {target}, "format": {"json"}, "noCache": {"true"},
		"from": {strconv.FormatInt(from.Unix(), 10)}, "until": {strconv.FormatInt(until.Unix(), 10)}}
	if err := g.ask(ctx, "/render", form, &answer); err != nil {
		return nil, err
	}
	series := make([]Series, len(answer))
	for i, a := range answer {
		series[i] = Series{Target: a.Target, Points: make([]Point, len(a.Datapoints))}
		for j, d := range a.Datapoints {
			if len(d) != 2 || d[1] == nil {
				return nil, fmt.Errorf("render %q: %s: point %d: want [value, time]", target, a.Target, j)
			}
			series[i].Points[j] = Point{Time: int64(*d[1]), Value: math.NaN()}
			if d[0] != nil {
				series[i].Points[j].Value = *d[0]
			}
		}
	}
	return series, nil
}

// A Node is a step of the metric tree.
type Node struct {
	Path string `json:"path"`
	Leaf bool   `json:"is_leaf,string"`
}

// Find asks graphite-web for the nodes that a path with wildcards matches.
func (g *Graphite) Find(ctx context.Context, query string) ([]Node, error) {
	var answer struct {
		Metrics []struct {
			Path string          `json:"path"`
			Leaf json.RawMessage `json:"is_leaf"` // "1" or 1, by version
		} `json:"metrics"`
	}
	if err := g.ask(ctx, "/metrics/find", url.Values{"query": {query}, "format": {"completer"}}, &answer); err != nil {
		return nil, err
	}
	nodes := make([]Node, len(answer.Metrics))
	for i, m := range answer.Metrics {
		nodes[i] = Node{Path: strings.TrimSuffix(m.Path, "."), Leaf: strings.Contains(string(m.Leaf), "1")}
	}
	return nodes, nil
}

// ask posts a form, since targets can be longer than a URL, and decodes the JSON of the answer.
func (g *Graphite) ask(ctx context.Context, path string, form url.Values, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("graphite-web: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("graphite-web %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("graphite-web %s: %s: %.500s", path, response.Status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("graphite-web %s: %w in %.500q", path, err, body)
	}
	return nil
}
