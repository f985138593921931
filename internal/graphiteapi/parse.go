package graphiteapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/clusterload/clusterload/internal/terminal/chart"
)

// parseRender reads the answer of /render?format=json:
//
//	[{"target": "hpc1.jobs.running", "tags": {…}, "datapoints": [[17, 1763676000], [null, 1763676010]]}]
func parseRender(r io.Reader) ([]chart.Series, error) {
	var answer []struct {
		Target string      `json:"target"`
		Points [][]*number `json:"datapoints"`
	}
	if err := decode(r, &answer); err != nil {
		return nil, err
	}
	series := make([]chart.Series, len(answer))
	for i, a := range answer {
		series[i] = chart.Series{Name: a.Target, Points: make([]chart.Point, len(a.Points))}
		for j, p := range a.Points {
			if len(p) != 2 || p[1] == nil || math.Abs(float64(*p[1])) > 1<<53 {
				return nil, fmt.Errorf("series %q: point %d: want a value and a time", a.Target, j)
			}
			value := math.NaN()
			if p[0] != nil {
				value = float64(*p[0])
			}
			series[i].Points[j] = chart.Point{Time: int64(*p[1]), Value: value}
		}
	}
	return series, nil
}

// parseFind reads the answer of /metrics/find?format=treejson:
//
//	[{"text": "jobs", "leaf": 0, "expandable": 1, "id": "hpc1.jobs", "allowChildren": 1}]
func parseFind(r io.Reader) ([]Node, error) {
	var answer []struct {
		Text string          `json:"text"`
		Leaf json.RawMessage `json:"leaf"` // 0 or 1, or a boolean
	}
	if err := decode(r, &answer); err != nil {
		return nil, err
	}
	nodes := make([]Node, len(answer))
	for i, a := range answer {
		nodes[i] = Node{a.Text, string(a.Leaf) == "1" || string(a.Leaf) == "true"}
	}
	return nodes, nil
}

// decode reads one JSON value.
func decode(r io.Reader, v any) error {
	err := json.NewDecoder(r).Decode(v)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return fmt.Errorf("byte %d: no JSON: %w", syntax.Offset, err)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("is empty: want JSON")
	}
	return err
}

// A number is a value in JSON. Graphite writes null for none and 1e9999 for what is beyond all numbers.
type number float64

func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%q: want a number or null", b)
	}
	*n = number(v)
	return nil
}
