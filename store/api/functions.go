package api

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/go-graphite/carbonapi/expr/functions"
	"github.com/go-graphite/carbonapi/expr/interfaces"
	"github.com/go-graphite/carbonapi/expr/metadata"
	"github.com/go-graphite/carbonapi/expr/rewrite"
	"github.com/go-graphite/carbonapi/expr/types"
	"github.com/go-graphite/carbonapi/pkg/parser"
	"go.uber.org/zap"
)

// A function is one of this package's functions. It gets the evaluated call.
type function struct {
	do          func(c *call) ([]*types.MetricData, error)
	description types.FunctionDescription
}

// A call is one call of a function in a target.
type call struct {
	ctx         context.Context
	eval        interfaces.Evaluator
	e           parser.Expr
	from, until int64
	values      map[parser.MetricRequest][]*types.MetricData
}

// Do calls the function.
func (f function) Do(ctx context.Context, eval interfaces.Evaluator, e parser.Expr, from, until int64, values map[parser.MetricRequest][]*types.MetricData) ([]*types.MetricData, error) {
	return f.do(&call{ctx, eval, e, from, until, values})
}

// Description describes the function for /functions.
func (f function) Description() map[string]types.FunctionDescription {
	return map[string]types.FunctionDescription{f.description.Name: f.description}
}

// loadFunctions fills carbonapi's registry, which is one a process.
var loadFunctions = sync.OnceFunc(func() {
	zap.ReplaceGlobals(zap.NewNop())
	rewrite.New(nil)
	functions.New(nil)
	md := &metadata.FunctionMD
	md.Lock()
	defer md.Unlock()
	for _, name := range removed {
		delete(md.Functions, name)
		delete(md.Descriptions, name)
	}
	for _, m := range mendings {
		description := md.Descriptions[m.name]
		description.Name = m.name
		f := m.around(md.Functions[m.name], description)
		md.Functions[m.name] = f
	}
	md.Functions["timeStack"] = stack(md.Functions["timeStack"], md.Descriptions["timeStack"])
	md.Functions["groupByTags"] = sorted(md.Functions["groupByTags"], md.Descriptions["groupByTags"])
	for _, name := range []string{"asPercent", "pct"} {
		description := md.Descriptions[name]
		description.Name = name
		md.Functions[name] = percent(md.Functions[name], description)
	}
	for _, list := range [][]function{styling, own} {
		for _, f := range list {
			name := f.description.Name
			f.description.Module = "graphite.render.functions"
			if d, ok := md.Descriptions[name]; ok && f.description.Function == "" {
				f.description = d // carbonapi's: the signature is the same
				f.description.Name = name
			}
			md.Functions[name] = f
			md.Descriptions[name] = f.description
		}
	}
})

// removed are functions that ask other servers.
var removed = []string{"aliasByPostgres", "aliasByRedis", "graphiteWeb"}

// series evaluates the argument that is a list of series.
func (c *call) series(n int) ([]*types.MetricData, error) {
	if c.e.ArgsLen() <= n {
		return nil, parser.ErrMissingArgument
	}
	arg := c.e.Arg(n)
	if !arg.IsName() && !arg.IsFunc() {
		return nil, parser.ErrMissingTimeseries
	}
	return c.eval.Eval(c.ctx, arg, c.from, c.until, c.values)
}

// describe returns the functions that a request lists: all, or one group.
func describe(group string) map[string]types.FunctionDescription {
	md := &metadata.FunctionMD
	md.RLock()
	defer md.RUnlock()
	list := map[string]types.FunctionDescription{}
	for name, d := range md.Descriptions {
		_, called := md.Functions[name]
		_, rewritten := md.RewriteFunctions[name]
		if (called || rewritten) && (group == "" || d.Group == group) {
			d.Name = name
			list[name] = d
		}
	}
	return list
}

func (q *request) functions() error {
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		return &statusError{http.StatusMethodNotAllowed, "want GET"}
	}
	list := describe(q.Form.Get("group"))
	if grouped := q.Form.Get("grouped"); grouped == "1" || grouped == "true" {
		groups := map[string]map[string]types.FunctionDescription{}
		for name, d := range list {
			if groups[d.Group] == nil {
				groups[d.Group] = map[string]types.FunctionDescription{}
			}
			groups[d.Group][name] = d
		}
		return q.writeJSON(http.StatusOK, groups)
	}
	return q.writeJSON(http.StatusOK, list)
}

func (q *request) function() error {
	name := q.PathValue("name")
	d, ok := describe("")[name]
	if !ok {
		return &statusError{http.StatusNotFound, "Function not found: " + name}
	}
	return q.writeJSON(http.StatusOK, d)
}

// Functions lists the names of all functions, sorted.
func Functions() []string {
	loadFunctions()
	var names []string
	for name := range describe("") {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
