package api

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-graphite/carbonapi/expr/types"
	chart "github.com/wcharczuk/go-chart/v2"
	"github.com/wcharczuk/go-chart/v2/drawing"
)

// A picture is a graph as /render's parameters describe it, drawn by hand on go-chart's canvas, whose own charts know neither
// gaps nor Graphite's ways to stack.
type picture struct {
	canvas        chart.Renderer
	escape        func(string) string
	width, height int
	title, vtitle string
	areaMode      string // none, first, all, stacked
	lineMode      string // slope, staircase, connected
	lineWidth     float64
	fontSize      float64
	back, fore    drawing.Color
	colors        []drawing.Color
	legend, axes  bool
	grid          bool
	nullAsZero    bool
	yMin, yMax    float64 // NaN: as the values need
	from, until   int64
	zone          *time.Location

	lines []line
	box   struct{ left, top, right, bottom int } // of the plot
	axis  [2]yAxis
}

// A line is one series to draw.
type line struct {
	*types.MetricData
	color    drawing.Color
	base     []float64 // what it stands on when stacked; nil: zero
	filled   bool
	hidden   bool
	infinite bool
	second   bool
	dashed   float64
	width    float64
}

const (
	maxWidth, maxHeight = 4000, 4000
	pictureDPI          = 92
)

func (q *request) renderPNG(r *renderRequest, list []*types.MetricData) error {
	return q.draw(r, list, chart.PNG, "image/png", func(s string) string { return s })
}

func (q *request) renderSVG(r *renderRequest, list []*types.MetricData) error {
	return q.draw(r, list, chart.SVG, "image/svg+xml", html.EscapeString)
}

func (q *request) draw(r *renderRequest, list []*types.MetricData, canvas chart.RendererProvider, kind string, escape func(string) string) error {
	p, err := q.picture(r)
	if err != nil {
		return err
	}
	p.escape = escape
	if p.canvas, err = canvas(p.width, p.height); err != nil {
		return err
	}
	font, err := chart.GetDefaultFont()
	if err != nil {
		return err
	}
	p.canvas.SetDPI(pictureDPI)
	p.canvas.SetFont(font)
	p.take(list)
	p.paint()
	var b bytes.Buffer
	if err := p.canvas.Save(&b); err != nil {
		return err
	}
	return q.write(http.StatusOK, kind, b.Bytes())
}

// picture reads the parameters.
func (q *request) picture(r *renderRequest) (*picture, error) {
	p := &picture{width: 330, height: 250, areaMode: "none", lineMode: "slope", lineWidth: 1.5, fontSize: 8, back: drawing.ColorWhite,
		fore: rgb(0x30, 0x38, 0x41), colors: palette, yMin: math.NaN(), yMax: math.NaN(), from: r.from.Unix(), until: r.until.Unix(), zone: r.zone}
	f := q.Form
	p.title, p.vtitle = f.Get("title"), f.Get("vtitle")
	for name, to := range map[string]*int{"width": &p.width, "height": &p.height} {
		n, err := q.number(name, *to)
		if err != nil {
			return nil, err
		}
		if n < 20 || n > maxWidth {
			return nil, bad(fmt.Sprintf("%s %d: want 20 to %d pixels", name, n, maxWidth))
		}
		*to = n
	}
	for name, to := range map[string]*float64{"lineWidth": &p.lineWidth, "fontSize": &p.fontSize, "yMin": &p.yMin, "yMax": &p.yMax} {
		if v, err := strconv.ParseFloat(f.Get(name), 64); err == nil && !math.IsInf(v, 0) {
			*to = v
		}
	}
	p.lineWidth, p.fontSize = min(max(p.lineWidth, 0.25), 20), min(max(p.fontSize, 4), 40)
	for name, to := range map[string]*string{"areaMode": &p.areaMode, "lineMode": &p.lineMode} {
		if v := f.Get(name); v != "" {
			*to = v
		}
	}
	if c, ok := parseColor(f.Get("bgcolor")); ok {
		p.back = c
	}
	if c, ok := parseColor(f.Get("fgcolor")); ok {
		p.fore = c
	}
	if names := f.Get("colorList"); names != "" {
		p.colors = nil
		for name := range strings.SplitSeq(names, ",") {
			if c, ok := parseColor(strings.TrimSpace(name)); ok {
				p.colors = append(p.colors, c)
			}
		}
		if len(p.colors) == 0 {
			p.colors = palette
		}
	}
	yes := func(name string) bool { return f.Get(name) == "1" || strings.EqualFold(f.Get(name), "true") }
	bare := yes("graphOnly")
	p.legend = !bare && !yes("hideLegend")
	p.axes = !bare && !yes("hideAxes")
	p.grid = !bare && !yes("hideGrid")
	p.nullAsZero = yes("drawNullAsZero")
	if bare {
		p.title, p.vtitle = "", ""
	}
	return p, nil
}

// take decides how each series is drawn. A stack that a function has summed up already is filled down to the one below.
func (p *picture) take(list []*types.MetricData) {
	stacks := map[string][]float64{}
	n := 0
	for i, s := range list {
		l := line{MetricData: s, hidden: s.Tags[drawHidden] != "", infinite: s.Tags[drawInfinite] != "", second: s.Tags[drawSecond] != "", width: p.lineWidth}
		l.color = p.colors[n%len(p.colors)]
		if c, ok := parseColor(s.Tags[drawColor]); ok {
			l.color = c
		} else {
			n++
		}
		if a, err := strconv.ParseFloat(s.Tags[drawAlpha], 64); err == nil {
			l.color = l.color.WithAlpha(uint8(255 * min(max(a, 0), 1)))
		}
		if w, err := strconv.ParseFloat(s.Tags[drawWidth], 64); err == nil {
			l.width = min(max(w, 0.25), 20)
		}
		l.dashed, _ = strconv.ParseFloat(s.Tags[drawDashed], 64)
		l.Values = p.pixels(s)
		switch stack := s.Tags[drawStacked]; {
		case stack != "":
			l.filled, l.base = true, stacks[stack]
			if stack == "areaBetween" && i > 0 {
				l.base = p.lines[len(p.lines)-1].Values
			}
			stacks[stack] = l.Values
		case p.areaMode == "stacked" && !l.second && !l.infinite:
			l.filled, l.base = true, stacks[""]
			stacks[""] = added(l.Values, l.base)
			for i, v := range l.Values {
				if known(v) {
					l.Values[i] = stacks[""][i]
				}
			}
		default:
			l.filled = p.areaMode == "all" || p.areaMode == "first" && i == 0
		}
		p.lines = append(p.lines, l)
	}
}

// pixels gives a series as many points as there are pixels, or its own where these are fewer.
func (p *picture) pixels(s *types.MetricData) []float64 {
	c := s.CopyLinkTags()
	if p.nullAsZero {
		c.Values = make([]float64, len(s.Values))
		for i, v := range s.Values {
			if known(v) {
				c.Values[i] = v
			}
		}
	}
	if n := (len(c.Values) + p.width - 1) / p.width; n > 1 {
		together(c, n)
		s.StepTime = c.StepTime
		return c.Values
	}
	return slices.Clone(c.Values)
}

// added is the top of a stack once values stand on base. Where there is no value the top stays.
func added(values, base []float64) []float64 {
	sums := make([]float64, len(values))
	for i, v := range values {
		sums[i] = v
		if i < len(base) && known(base[i]) {
			sums[i] += base[i]
			if !known(v) {
				sums[i] = base[i]
			}
		}
	}
	return sums
}

func rgb(r, g, b uint8) drawing.Color { return drawing.Color{R: r, G: g, B: b, A: 255} }

// palette can be told apart by eyes that see red and green alike (after Okabe and Ito), on white.
var palette = []drawing.Color{rgb(0, 114, 178), rgb(230, 159, 0), rgb(0, 158, 115), rgb(204, 121, 167), rgb(86, 180, 233), rgb(213, 94, 0),
	rgb(110, 90, 160), rgb(120, 130, 140), rgb(150, 120, 0), rgb(0, 95, 85), rgb(160, 40, 60), rgb(70, 70, 70)}

var colorNames = map[string]drawing.Color{
	"black": rgb(0, 0, 0), "white": rgb(255, 255, 255), "blue": rgb(100, 100, 255), "green": rgb(0, 200, 0), "red": rgb(255, 0, 0),
	"yellow": rgb(255, 255, 0), "orange": rgb(255, 165, 0), "purple": rgb(200, 100, 255), "brown": rgb(150, 100, 50), "cyan": rgb(0, 255, 255),
	"aqua": rgb(0, 150, 150), "gray": rgb(175, 175, 175), "grey": rgb(175, 175, 175), "magenta": rgb(255, 0, 255), "pink": rgb(255, 100, 100),
	"gold": rgb(200, 200, 0), "rose": rgb(200, 150, 200), "darkblue": rgb(0, 0, 255), "darkgreen": rgb(0, 255, 0), "darkred": rgb(255, 0, 50),
	"darkgray": rgb(111, 111, 111), "darkgrey": rgb(111, 111, 111),
}

// parseColor reads a name, or hexadecimal digits: RGB, RRGGBB, RRGGBBAA, with # or without.
func parseColor(s string) (drawing.Color, bool) {
	if c, ok := colorNames[strings.ToLower(s)]; ok {
		return c, true
	}
	s = strings.TrimPrefix(s, "#")
	if len(s) == 3 {
		s = string([]byte{s[0], s[0], s[1], s[1], s[2], s[2]})
	}
	if len(s) == 6 {
		s += "ff"
	}
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 8 {
		return drawing.Color{}, false
	}
	return drawing.Color{R: uint8(n >> 24), G: uint8(n >> 16), B: uint8(n >> 8), A: uint8(n)}, true
}
