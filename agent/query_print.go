package agent

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/clusterload/clusterload/internal/terminal"
	"github.com/clusterload/clusterload/internal/terminal/chart"
)

// printSeries prints what a Graphite answered.
func (p *program) printSeries(series []chart.Series, o queryOptions) error {
	paint := terminal.Painter(p.colours())
	switch o.format {
	case formatJSON:
		return seriesJSON(p.out, series)
	case formatCSV:
		if f, ok := p.out.(*os.File); ok && terminal.Is(f) {
			for i := range series {
				series[i].Name = terminal.Plain(series[i].Name)
			}
		}
		return seriesCSV(p.out, series)
	case formatTable:
		_, err := io.WriteString(p.out, seriesTable(series).text(paint))
		return err
	}
	const most = 12 // more lines than colours tell nothing
	shown := series[:min(len(series), most)]
	text := chart.Draw(shown, chart.Options{Columns: o.width, Rows: o.height, Paint: paint})
	if more := len(series) - len(shown); more > 0 {
		text += fmt.Sprintf("and %s: choose fewer, as with highestAverage(…, %d), or --format table\n", pluralSeries(more), most)
	}
	_, err := io.WriteString(p.out, text)
	return err
}

func pluralSeries(n int) string { return fmt.Sprintf("%d more series", n) }

// seriesTable has a line for each series.
func seriesTable(series []chart.Series) *table {
	const sparkline = 24
	var t table
	t.head("SERIES", ">LAST", ">MIN", ">MEAN", ">MAX", ">VALUES", "")
	for _, s := range series {
		f := chart.Sum(s.Points)
		t.row(s.Name, chart.Number(f.Last), chart.Number(f.Min), chart.Number(f.Mean), chart.Number(f.Max), f.Values, chart.Spark(s.Points, sparkline))
	}
	return &t
}

// jsonSeries is a series as Graphite's own JSON has it.
type jsonSeries struct {
	Target string   `json:"target"`
	Points [][2]any `json:"datapoints"` // value or null, Unix seconds
}

func seriesJSON(w io.Writer, series []chart.Series) error {
	all := make([]jsonSeries, len(series))
	for i, s := range series {
		all[i] = jsonSeries{Target: s.Name, Points: make([][2]any, len(s.Points))}
		for j, p := range s.Points {
			all[i].Points[j] = [2]any{p.Value, p.Time}
			if p.Value-p.Value != 0 {
				all[i].Points[j][0] = nil
			}
		}
	}
	return json.NewEncoder(w).Encode(all)
}

// seriesCSV writes a line for each point: the series, the time in RFC 3339 (UTC), the value, which is empty for none.
func seriesCSV(w io.Writer, series []chart.Series) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"series", "time", "value"}) // an error stays until Flush
	for _, s := range series {
		for _, p := range s.Points {
			value := ""
			if !math.IsNaN(p.Value) {
				value = strconv.FormatFloat(p.Value, 'f', -1, 64)
			}
			_ = out.Write([]string{s.Name, time.Unix(p.Time, 0).UTC().Format(time.RFC3339), value})
		}
	}
	out.Flush()
	return out.Error()
}
