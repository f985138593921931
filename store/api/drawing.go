package api

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/go-graphite/carbonapi/expr/types"
	"github.com/go-graphite/carbonapi/pkg/parser"
)

// The functions that say how a series is drawn. What they say travels among the tags of the series, under names that no tag
// can have and that no answer shows.
const (
	drawColor    = "\x00color"
	drawAlpha    = "\x00alpha"
	drawDashed   = "\x00dashed"
	drawInfinite = "\x00infinite"
	drawSecond   = "\x00second"
	drawWidth    = "\x00width"
	drawStacked  = "\x00stacked"
	drawHidden   = "\x00hidden"
)

var seriesParam = types.FunctionParam{Name: "seriesList", Required: true, Type: types.SeriesList}

func drawn(name, signature, help string, do func(c *call) ([]*types.MetricData, error), params ...types.FunctionParam) function {
	return function{do: do, description: types.FunctionDescription{
		Name: name, Function: name + signature, Group: "Graph", Description: help, Params: params,
	}}
}

var styling = []function{
	drawn("color", "(seriesList, theColor)", "Draws the series in a color: a name, or hexadecimal digits.",
		func(c *call) ([]*types.MetricData, error) { return c.draw(drawColor, "", "", "") },
		seriesParam, types.FunctionParam{Name: "theColor", Required: true, Type: types.String}),
	drawn("alpha", "(seriesList, alpha)", "Draws the series with a transparency from 0 to 1.",
		func(c *call) ([]*types.MetricData, error) { return c.draw(drawAlpha, "", "", "") },
		seriesParam, types.FunctionParam{Name: "alpha", Required: true, Type: types.Float}),
	drawn("lineWidth", "(seriesList, width)", "Draws the series with lines of a width in pixels.",
		func(c *call) ([]*types.MetricData, error) { return c.draw(drawWidth, "", "", "") },
		seriesParam, types.FunctionParam{Name: "width", Required: true, Type: types.Float}),
	drawn("dashed", "(seriesList, dashLength=5)", "Draws the series with dashes of a length in pixels.",
		func(c *call) ([]*types.MetricData, error) { return c.draw(drawDashed, "5", "dashed", "") },
		seriesParam, types.FunctionParam{Name: "dashLength", Default: types.NewSuggestion(5), Type: types.Integer}),
	drawn("drawAsInfinite", "(seriesList)", "Draws a vertical line wherever the series is above zero.",
		func(c *call) ([]*types.MetricData, error) { return c.draw(drawInfinite, "1", "drawAsInfinite", "1") }, seriesParam),
	drawn("secondYAxis", "(seriesList)", "Draws the series against an axis of its own at the right.",
		func(c *call) ([]*types.MetricData, error) { return c.draw(drawSecond, "1", "secondYAxis", "1") }, seriesParam),
	drawn("stacked", "(seriesLists, stackName='__DEFAULT__')", "Stacks the series on those before it that share its stack.",
		(*call).stacked, types.FunctionParam{Name: "seriesLists", Required: true, Type: types.SeriesList},
		types.FunctionParam{Name: "stackName", Default: types.NewSuggestion(defaultStack), Type: types.String}),
	drawn("areaBetween", "(seriesList)", "Fills the area between two series.", (*call).areaBetween, seriesParam),
	drawn("threshold", "(value, label=None, color=None)", "Draws a horizontal line.", (*call).threshold,
		types.FunctionParam{Name: "value", Required: true, Type: types.Float}, types.FunctionParam{Name: "label", Type: types.String},
		types.FunctionParam{Name: "color", Type: types.String}),
}

// withDrawing returns the series with something said about how it is drawn. Its values stay shared.
func withDrawing(s *types.MetricData, key, value string) *types.MetricData {
	c := s.CopyLink()
	c.Tags[key] = value
	return c
}

// word is the argument n or the named one, spelled as text.
func (c *call) word(n int, name string) (string, bool) {
	arg, ok := c.e.NamedArg(name)
	if !ok {
		if c.e.ArgsLen() <= n {
			return "", false
		}
		arg = c.e.Arg(n)
	}
	switch {
	case arg.IsConst():
		return strconv.FormatFloat(arg.FloatValue(), 'g', -1, 64), true
	case arg.IsString():
		return arg.StringValue(), true
	default:
		return arg.Target(), true
	}
}

// draw says something about each series: the second argument, or fallback. Where tag is given, the function shows in the
// names and tags, as it does in graphite-web.
func (c *call) draw(key, fallback, tag, value string) ([]*types.MetricData, error) {
	list, err := c.series(0)
	if err != nil {
		return nil, err
	}
	word, given := fallback, false
	if value == "" {
		for _, name := range []string{"theColor", "alpha", "width", "dashLength"} {
			if word, given = c.word(1, name); given {
				break
			}
		}
	}
	if !given {
		if fallback == "" {
			return nil, parser.ErrMissingArgument
		}
		word = fallback
	}
	results := make([]*types.MetricData, len(list))
	for i, s := range list {
		s = withDrawing(s, key, word)
		switch {
		case tag == "dashed":
			s.Name = tag + "(" + s.Name + ", " + word + ")"
			s.Tags[tag] = word
		case tag != "":
			s.Name = tag + "(" + s.Name + ")"
			s.Tags[tag] = value
		}
		results[i] = s
	}
	return results, nil
}

const defaultStack = "__DEFAULT__"

type stacksKey struct{}

// withStacks gives a request the sums that its calls of stacked share.
func withStacks(ctx context.Context) context.Context {
	return context.WithValue(ctx, stacksKey{}, map[string][]float64{})
}

// stacked adds each series to those before it with the same stack's name.
func (c *call) stacked() ([]*types.MetricData, error) {
	list, err := c.series(0)
	if err != nil {
		return nil, err
	}
	name, ok := c.word(1, "stackName")
	if !ok {
		name = defaultStack
	}
	stacks, ok := c.ctx.Value(stacksKey{}).(map[string][]float64)
	if !ok {
		stacks = map[string][]float64{}
	}
	total := stacks[name]
	var results []*types.MetricData
	for _, s := range list {
		s = withDrawing(s, drawStacked, name)
		s.Values = slices.Clone(s.Values)
		for i, v := range s.Values {
			if len(total) <= i {
				total = append(total, 0)
			}
			if !math.IsNaN(v) {
				total[i] += v
				s.Values[i] = total[i]
			}
		}
		if name == defaultStack {
			s.Name = "stacked(" + s.Name + ")"
			s.Tags["stacked"] = name
		}
		results = append(results, s)
	}
	stacks[name] = total
	return results, nil
}

// areaBetween marks the second of two series to be filled down to the first.
func (c *call) areaBetween() ([]*types.MetricData, error) {
	list, err := c.series(0)
	if err != nil {
		return nil, err
	}
	if len(list) != 2 {
		return nil, bad("areaBetween: want exactly 2 series")
	}
	lower, upper := withDrawing(list[0], drawHidden, "1"), withDrawing(list[1], drawStacked, "areaBetween")
	name := "areaBetween(" + upper.PathExpression + ")"
	upper.Tags["areaBetween"] = "1"
	delete(upper.Tags, drawHidden)
	hidden := maps.Clone(upper.Tags)
	hidden[drawHidden] = "1"
	lower.Name, upper.Name, lower.Tags = name, name, hidden
	return []*types.MetricData{lower, upper}, nil
}

// threshold is a constant line with a name and a color.
func (c *call) threshold() ([]*types.MetricData, error) {
	word, ok := c.word(0, "value")
	value, err := strconv.ParseFloat(word, 64)
	if !ok || err != nil {
		return nil, parser.ErrBadType
	}
	line, _, err := parser.ParseExpr("constantLine(" + strconv.FormatFloat(value, 'f', -1, 64) + ")")
	if err != nil {
		return nil, err
	}
	list, err := c.eval.Eval(c.ctx, line, c.from, c.until, c.values)
	if err != nil || len(list) != 1 {
		return nil, err
	}
	s := list[0].CopyLink()
	s.Name = string(appendFloat(nil, value))
	if label, ok := c.word(1, "label"); ok && label != "None" {
		s.Name = label
	}
	if color, ok := c.word(2, "color"); ok && color != "None" {
		s = withDrawing(s, drawColor, color)
	}
	return []*types.MetricData{s}, nil
}
