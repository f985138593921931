package api

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-graphite/carbonapi/expr/interfaces"
	"github.com/go-graphite/carbonapi/expr/types"
)

// A mending puts right what one of carbonapi's functions answers: the names of its series, or their values.
type mending struct {
	name   string
	marker func(c *call) string               // what follows the inner name in carbonapi's, from its last place on; nil: ")"
	rename func(c *call, inner string) string // nil: names stay
	value  func(v float64) float64            // nil: values stay
}

// around returns the function that calls base and mends its answer.
func (m mending) around(base interfaces.Function, description types.FunctionDescription) function {
	return function{description: description, do: func(c *call) ([]*types.MetricData, error) {
		list, err := base.Do(c.ctx, c.eval, c.e, c.from, c.until, c.values)
		if err != nil {
			return nil, err
		}
		list = slices.Clone(list)
		for i, s := range list {
			s = s.CopyLink()
			if m.rename != nil {
				s.Name = m.rename(c, m.inner(c, s.Name))
			}
			if m.value != nil {
				s.Values = slices.Clone(s.Values)
				for j, v := range s.Values {
					s.Values[j] = m.value(v)
				}
			}
			list[i] = s
		}
		return list, nil
	}}
}

// inner cuts "function(inner,arguments)" down to inner.
func (m mending) inner(c *call, name string) string {
	_, rest, ok := strings.Cut(name, "(")
	if !ok {
		return name
	}
	marker := ")"
	if m.marker != nil {
		marker = m.marker(c)
	}
	if i := strings.LastIndex(rest, marker); i >= 0 {
		return rest[:i]
	}
	return strings.TrimSuffix(rest, ")")
}

// quoted is carbonapi's spelling of the argument n: ,'10min'
func quoted(n int) func(c *call) string {
	return func(c *call) string {
		w, _ := c.word(n, "")
		return ",'" + w + "'"
	}
}

// moment reads an argument that is a time, in seconds.
func (c *call) moment(n int, name string, fallback int64) (int64, error) {
	w, ok := c.word(n, name)
	r := c.rendering()
	if !ok || w == "None" || r == nil {
		return fallback, nil
	}
	t, err := parseTime(w, r.options.zone, r.api.config.Now())
	if err != nil {
		return 0, bad(c.e.Target() + ": " + err.Error())
	}
	return t.Unix(), nil
}

// or returns an argument's text, or another one where it is not given.
func (c *call) or(n int, name, fallback string) string {
	if w, ok := c.word(n, name); ok {
		return w
	}
	return fallback
}

// isTrue tells whether an argument is given and true.
func (c *call) isTrue(n int, name string) bool { return strings.EqualFold(c.or(n, name, ""), "true") }

// formatGeneral spells a number as %g of C does, with six digits.
func formatGeneral(v float64) string {
	s := strconv.FormatFloat(v, 'g', 6, 64)
	if i := strings.IndexByte(s, 'e'); i >= 0 {
		mantissa, exponent := s[:i], s[i:]
		if x, err := strconv.Atoi(exponent[1:]); err == nil && x >= -5 && x < 6 {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return mantissa + exponent
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// six rounds to six decimals, as perSecond and scaleToSeconds do.
func six(v float64) float64 {
	if r := math.RoundToEven(v*1e6) / 1e6; !math.IsInf(r, 0) {
		return r
	}
	return v
}

var mendings = []mending{
	{name: "summarize", marker: quoted(1), rename: func(c *call, inner string) string {
		name := "summarize(" + inner + `, "` + c.or(1, "intervalString", "") + `", "` + c.or(2, "func", "sum") + `"`
		if c.isTrue(3, "alignToFrom") {
			name += ", true"
		}
		return name + ")"
	}},
	{name: "smartSummarize", marker: quoted(1), rename: func(c *call, inner string) string {
		return "smartSummarize(" + inner + `, "` + c.or(1, "intervalString", "") + `", "` + c.or(2, "func", "sum") + `")`
	}},
	{name: "hitcount", marker: quoted(1), rename: func(c *call, inner string) string {
		name := "hitcount(" + inner + `, "` + c.or(1, "intervalString", "") + `"`
		if c.isTrue(2, "alignToInterval") {
			name += ", true"
		}
		return name + ")"
	}},
	{name: "timeShift", marker: func(*call) string { return ",'" }, rename: func(c *call, inner string) string {
		shift := c.or(1, "timeShift", "")
		if shift != "" && shift[0] >= '0' && shift[0] <= '9' {
			shift = "-" + shift
		}
		return "timeShift(" + inner + `, "` + shift + `")`
	}},
	{name: "log", marker: logMarker, rename: func(c *call, inner string) string {
		return "log(" + inner + ", " + c.or(1, "base", "10") + ")"
	}},
	{name: "weightedAverage", marker: nil, rename: func(_ *call, inner string) string {
		return "weightedAverage(" + strings.ReplaceAll(inner, ",", ", ") + ")"
	}},
	{name: "avg", marker: nil, rename: func(_ *call, inner string) string { return "averageSeries(" + inner + ")" }},
	{name: "identity", marker: nil, rename: func(_ *call, inner string) string { return inner }},
	{name: "perSecond", value: six},
	{name: "scaleToSeconds", value: six},
}

// logMarker finds the base, which carbonapi spells only where it is given.
func logMarker(c *call) string {
	if w, ok := c.word(1, "base"); ok {
		return "," + w
	}
	return ")"
}
