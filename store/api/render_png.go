package api

import "github.com/go-graphite/carbonapi/expr/types"

func (q *request) renderPNG(r *renderRequest, list []*types.MetricData) error { return bad("png") }
func (q *request) renderSVG(r *renderRequest, list []*types.MetricData) error { return bad("svg") }
