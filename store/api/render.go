package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ansel1/merry"
	"github.com/go-graphite/carbonapi/expr"
	"github.com/go-graphite/carbonapi/expr/types"
	"github.com/go-graphite/carbonapi/pkg/parser"
)

const (
	maxTargets = 1000
	maxTarget  = 64 << 10 // bytes
)

// A renderRequest is what /render was asked for.
type renderRequest struct {
	targets       []string
	from, until   time.Time
	now           time.Time
	format        string
	maxDataPoints int64
	noNullPoints  bool
	xFilesFactor  float64
	zone          *time.Location
}

// renderFormats are the formats and what writes them.
var renderFormats = map[string]func(q *request, r *renderRequest, list []*types.MetricData) error{
	"json":     (*request).renderJSON,
	"csv":      (*request).renderCSV,
	"raw":      (*request).renderRaw,
	"pickle":   (*request).renderPickle,
	"dygraph":  (*request).renderDygraph,
	"rickshaw": (*request).renderRickshaw,
	"png":      (*request).renderPNG,
	"svg":      (*request).renderSVG,
}

func (q *request) render() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	r, err := q.renderOptions()
	if err != nil {
		return err
	}
	select {
	case q.api.renders <- struct{}{}:
		defer func() { <-q.api.renders }()
	case <-q.ctx.Done():
		return q.ctx.Err()
	}
	list, err := q.evaluate(r)
	if err != nil {
		return err
	}
	return renderFormats[r.format](q, r, list)
}

// renderOptions reads the parameters.
func (q *request) renderOptions() (*renderRequest, error) {
	r := &renderRequest{targets: q.list("target"), zone: q.zone(), format: q.Form.Get("format")}
	switch {
	case r.format == "" && q.Form.Has("rawData"):
		r.format = "raw"
	case r.format == "" && q.Form.Has("pickle"):
		r.format = "pickle"
	case renderFormats[r.format] == nil && r.format != "" && r.format != "pdf" && r.format != "msgpack":
		r.format = "png" // as graphite-web has it
	case r.format == "":
		r.format = "png"
	case r.format == "pdf" || r.format == "msgpack":
		return nil, bad("format " + r.format + ": want json, csv, raw, pickle, png, svg, dygraph or rickshaw")
	}
	if len(r.targets) > maxTargets {
		return nil, bad(fmt.Sprintf("%d targets: want at most %d", len(r.targets), maxTargets))
	}
	for _, t := range r.targets {
		if len(t) > maxTarget {
			return nil, bad(fmt.Sprintf("target %.100q… has %d bytes: want at most %d", t, len(t), maxTarget))
		}
	}
	if n := q.Form.Get("maxDataPoints"); digits(n) && len(n) < 12 {
		r.maxDataPoints = int64(atoi(n))
	}
	r.noNullPoints = q.Form.Has("noNullPoints")
	if x := q.Form.Get("xFilesFactor"); x != "" {
		f, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return nil, bad(fmt.Sprintf("xFilesFactor %q: want a number", x))
		}
		r.xFilesFactor = f
	}
	return r, q.renderTimes(r)
}

// renderTimes reads from, until and now. The earlier one of from and until is the beginning, whichever way round.
func (q *request) renderTimes(r *renderRequest) error {
	r.now = q.api.config.Now()
	var err error
	if now := q.Form.Get("now"); now != "" {
		if r.now, err = parseTime(now, r.zone, r.now); err != nil {
			return bad("now: " + err.Error())
		}
	}
	r.from, r.until = r.now.Add(-24*time.Hour), r.now
	if s := q.Form.Get("from"); s != "" {
		if r.from, err = parseTime(s, r.zone, r.now); err != nil {
			return bad("from: " + err.Error())
		}
	}
	if s := q.Form.Get("until"); s != "" {
		if r.until, err = parseTime(s, r.zone, r.now); err != nil {
			return bad("until: " + err.Error())
		}
	}
	if r.until.Before(r.from) {
		r.from, r.until = r.until, r.from
	}
	if r.from.Unix() == r.until.Unix() {
		return bad("Invalid empty time range")
	}
	return nil
}

// evaluate evaluates the targets one by one. Each has its own series: functions may change them.
func (q *request) evaluate(r *renderRequest) ([]*types.MetricData, error) {
	eval, err := expr.NewEvaluator(nil, source{q.storage, float32(r.xFilesFactor)}, true)
	if err != nil {
		return nil, err
	}
	ctx := withRender(withStacks(q.ctx), q, r)
	var list []*types.MetricData
	for _, target := range r.targets {
		target = q.fillTemplate(target)
		if strings.TrimSpace(target) == "" {
			continue
		}
		e, rest, err := parser.ParseExpr(strings.ReplaceAll(target, "[!", "[^"))
		if err != nil || strings.TrimSpace(rest) != "" {
			return nil, bad(parseError(target, rest, err))
		}
		from, until := r.from.Unix(), r.until.Unix()
		if err := checkCost(e, until-from); err != nil {
			return nil, err
		}
		got, err := q.evaluateOne(ctx, eval, e, from, until)
		if err != nil {
			return nil, fmt.Errorf("target %.200q: %w", target, err)
		}
		list = append(list, got...)
	}
	return list, nil
}

func (q *request) evaluateOne(ctx context.Context, eval *expr.Evaluator, e parser.Expr, from, until int64) ([]*types.MetricData, error) {
	values, err := eval.Fetch(ctx, []parser.Expr{e}, from, until, map[parser.MetricRequest][]*types.MetricData{})
	var list []*types.MetricData
	if err == nil {
		list, err = eval.Eval(ctx, e, from, until, values)
	}
	if err == nil {
		return list, nil
	}
	if errors.Is(err, parser.ErrMissingTimeseries) || errors.Is(err, parser.ErrMissingValues) {
		return nil, &statusError{http.StatusBadRequest, err.Error()}
	}
	var s interface{ HTTPStatus() int }
	if errors.As(err, &s) {
		return nil, err
	}
	return nil, &statusError{merry.HTTPCode(err), err.Error()}
}

// fillTemplate replaces $name by the parameter template[name].
func (q *request) fillTemplate(target string) string {
	inner, ok := strings.CutPrefix(target, "template(")
	if !ok {
		return target
	}
	inner, ok = strings.CutSuffix(strings.TrimSpace(inner), ")")
	if !ok {
		return target
	}
	e, rest, err := parser.ParseExpr(target)
	if err != nil || rest != "" || !e.IsFunc() || e.ArgsLen() < 1 {
		return target
	}
	if named := e.NamedArgs(); len(named) > 0 || e.ArgsLen() > 1 {
		inner = firstArgument(inner)
		for name, v := range named {
			inner = strings.ReplaceAll(inner, "$"+name, argumentText(v))
		}
		for i, v := range e.Args()[1:] {
			inner = strings.ReplaceAll(inner, "$"+strconv.Itoa(i+1), argumentText(v))
		}
	}
	for key, values := range q.Form {
		name, ok := strings.CutPrefix(key, "template[")
		if name, ok2 := strings.CutSuffix(name, "]"); ok && ok2 && name != "" {
			inner = strings.ReplaceAll(inner, "$"+name, values[len(values)-1])
		}
	}
	return inner
}

// firstArgument returns what stands before the first comma outside parentheses, braces and quotes.
func firstArgument(s string) string {
	depth, quote := 0, byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(' || c == '{':
			depth++
		case c == ')' || c == '}':
			depth--
		case c == ',' && depth == 0:
			return s[:i]
		}
	}
	return s
}

func argumentText(e parser.Expr) string {
	switch {
	case e.IsString():
		return e.StringValue()
	case e.IsConst():
		return strconv.FormatFloat(e.FloatValue(), 'f', -1, 64)
	default:
		return e.ToString()
	}
}

func parseError(target, rest string, err error) string {
	if err != nil {
		return fmt.Sprintf("target %.200q: %v", target, err)
	}
	return fmt.Sprintf("target %.200q: unexpected %.50q", target, rest)
}
