package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-graphite/carbonapi/expr/interfaces"
	"github.com/go-graphite/carbonapi/expr/types"
)

// totalOf names the total that asPercent divides by where none is given: the sum of all.
func (c *call) totalOf() (string, bool) {
	total, given := c.word(1, "total")
	if given && total != "None" {
		return "", false
	}
	list, err := c.series(0)
	if err != nil || len(list) == 0 {
		return "", false
	}
	var expressions []string
	for _, s := range list {
		expressions = append(expressions, s.PathExpression)
	}
	slices.Sort(expressions)
	return "sumSeries(" + strings.Join(slices.Compact(expressions), ",") + ")", true
}

// percent names what carbonapi's asPercent answers as graphite-web does.
func percent(base interfaces.Function, description types.FunctionDescription) function {
	return function{description: description, do: func(c *call) ([]*types.MetricData, error) {
		list, err := base.Do(c.ctx, c.eval, c.e, c.from, c.until, c.values)
		if err != nil {
			return nil, err
		}
		total, ok := c.totalOf()
		if !ok {
			return list, nil
		}
		list = slices.Clone(list)
		for i, s := range list {
			inner, ok := strings.CutPrefix(s.Name, "asPercent(")
			if !ok {
				continue
			}
			inner = strings.TrimSuffix(strings.TrimSuffix(inner, ")"), ",None")
			list[i] = s.CopyLink()
			list[i].Name = "asPercent(" + inner + "," + total + ")"
		}
		return list, nil
	}}
}

// stack names the series that carbonapi's timeStack answers: timeShift(name, -30min, 1).
func stack(base interfaces.Function, description types.FunctionDescription) function {
	return function{description: description, do: func(c *call) ([]*types.MetricData, error) {
		list, err := base.Do(c.ctx, c.eval, c.e, c.from, c.until, c.values)
		if err != nil {
			return nil, err
		}
		unit := c.or(1, "timeShiftUnit", "1d")
		shift := unit
		if shift != "" && shift[0] != '-' && shift[0] != '+' {
			shift = "-" + shift
		}
		first, _ := c.number(2, "timeShiftStart", 0)
		last, _ := c.number(3, "timeShiftEnd", 7)
		shifts := max(0, int(last-first)+1)
		list = slices.Clone(list)
		for i, s := range list {
			if at := strings.LastIndex(s.Name, ","+unit+","); at >= 0 {
				list[i] = s.CopyLink()
				list[i].Name = s.Name[:at] + ", " + shift + ", " + strconv.Itoa(int(first)+i*shifts/len(list)) + ")"
			}
		}
		return list, nil
	}}
}

// sorted puts what a function answers in the order of names, where carbonapi's is a map's.
func sorted(base interfaces.Function, description types.FunctionDescription) function {
	return function{description: description, do: func(c *call) ([]*types.MetricData, error) {
		list, err := base.Do(c.ctx, c.eval, c.e, c.from, c.until, c.values)
		slices.SortStableFunc(list, func(a, b *types.MetricData) int { return strings.Compare(a.Name, b.Name) })
		return list, err
	}}
}
