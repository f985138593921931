package api

import (
	"fmt"
	"strings"

	"github.com/go-graphite/carbonapi/pkg/parser"
)

// Some functions make points out of nothing, as many as their arguments say. These bounds keep what one request can ask for
// within the memory of a small machine; the points that are read have a bound of their own in the store.
const (
	maxMade  = 2_000_000 // points that one call may make
	maxDepth = 64        // calls within one another
	maxCalls = 2_000
	maxStack = 1_000 // series that timeStack and its like may make of one
)

// checkCost refuses a target that would make too much. Seconds is the range it is asked for.
func checkCost(e parser.Expr, seconds int64) error {
	calls := 0
	return checkCall(e, seconds, 0, &calls)
}

func checkCall(e parser.Expr, seconds int64, depth int, calls *int) error {
	if !e.IsFunc() {
		return nil
	}
	if *calls++; depth > maxDepth || *calls > maxCalls {
		return bad(fmt.Sprintf("target: want at most %d calls, %d of them within one another", maxCalls, maxDepth))
	}
	if step, ok := madeStep(e); ok && (step < 1 || seconds/step > maxMade) {
		return bad(fmt.Sprintf("%s: a step of %d seconds makes more than %d points in that time", e.Target(), step, maxMade))
	}
	if err := checkCounts(e); err != nil {
		return err
	}
	for _, arg := range e.Args() {
		if err := checkCall(arg, seconds, depth+1, calls); err != nil {
			return err
		}
	}
	return nil
}

// madeStep returns the distance in seconds of the points that a call makes, and whether it makes any by an argument.
func madeStep(e parser.Expr) (int64, bool) {
	interval := func(n int, name string, fallback int64) (int64, bool) {
		s, err := e.GetIntervalNamedOrPosArgDefault(name, n, 1, fallback)
		return s, err == nil
	}
	number := func(n int, name string) (int64, bool) {
		s, err := e.GetIntNamedOrPosArgDefault(name, n, 60)
		return int64(s), err == nil
	}
	switch e.Target() {
	case "summarize", "smartSummarize", "hitcount":
		return interval(1, "intervalString", 1)
	case "integralByInterval":
		return interval(1, "intervalUnit", 1)
	case "sinFunction", "sin":
		return number(2, "step")
	case "timeFunction", "time", "randomWalkFunction", "randomWalk":
		return number(1, "step")
	case "exponentialWeightedMovingAverage", "ewma", "identity":
		return 0, false
	default:
		return 0, false
	}
}

// checkCounts bounds the arguments that say how many series or how many values there shall be.
func checkCounts(e parser.Expr) error {
	switch e.Target() {
	case "timeStack":
		first, err1 := e.GetIntNamedOrPosArgDefault("timeShiftStart", 2, 0)
		last, err2 := e.GetIntNamedOrPosArgDefault("timeShiftEnd", 3, 7)
		if err1 == nil && err2 == nil && last-first > maxStack {
			return bad(fmt.Sprintf("timeStack: want at most %d shifts", maxStack))
		}
	case "delay":
		if n, err := e.GetIntNamedOrPosArgDefault("steps", 1, 0); err == nil && (n > maxMade || n < -maxMade) {
			return bad(fmt.Sprintf("delay: want at most %d steps", maxMade))
		}
	}
	if strings.HasPrefix(e.Target(), "polyfit") || e.Target() == "polyfit" {
		if n, err := e.GetIntNamedOrPosArgDefault("degree", 1, 1); err == nil && (n < 0 || n > 20) {
			return bad("polyfit: want a degree from 0 to 20")
		}
	}
	return nil
}
