package api

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-graphite/carbonapi/expr/types"
	pickle "github.com/lomik/og-rek"
)

// renderCSV writes "name,2026-03-01 17:30:00,value" a point, the time in the request's zone.
func (q *request) renderCSV(r *renderRequest, list []*types.MetricData) error {
	s := q.stream("text/csv")
	for _, m := range list {
		name := csvField(m.Name)
		at := m.StartTime
		for _, v := range m.Values {
			s.b = append(s.b, name...)
			s.b = append(s.b, ',')
			s.b = time.Unix(at, 0).In(r.zone).AppendFormat(s.b, time.DateTime)
			s.b = append(s.b, ',')
			if known(v) {
				s.b = appendPython(s.b, v)
			}
			s.b = append(s.b, "\r\n"...)
			at += m.StepTime
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.close()
}

func csvField(s string) string {
	if strings.ContainsAny(s, ",\"\r\n") {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}

// appendPython appends a number as Python prints it.
func appendPython(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "None"...)
	case math.IsInf(v, 1):
		return append(b, "inf"...)
	case math.IsInf(v, -1):
		return append(b, "-inf"...)
	}
	return appendFloat(b, v)
}

// renderRaw writes "name,start,end,step|value,value,None" a series.
func (q *request) renderRaw(_ *renderRequest, list []*types.MetricData) error {
	s := q.stream("text/plain")
	for _, m := range list {
		s.b = append(s.b, m.Name...)
		for i, n := range []int64{m.StartTime, m.StopTime, m.StepTime} {
			s.b = append(s.b, ",,,"[i])
			s.b = strconv.AppendInt(s.b, n, 10)
		}
		s.b = append(s.b, '|')
		for i, v := range m.Values {
			if i > 0 {
				s.b = append(s.b, ',')
			}
			s.b = appendPython(s.b, v)
			if err := s.flush(); err != nil {
				return err
			}
		}
		s.b = append(s.b, '\n')
	}
	return s.close()
}

// renderPickle writes the list that other graphite-webs read.
func (q *request) renderPickle(_ *renderRequest, list []*types.MetricData) error {
	info := make([]any, 0, len(list))
	for _, m := range list {
		values := make([]any, len(m.Values))
		for i, v := range m.Values {
			values[i] = pickle.None{}
			if known(v) {
				values[i] = v
			}
		}
		info = append(info, map[string]any{
			"name": m.Name, "start": m.StartTime, "end": m.StopTime, "step": m.StepTime, "values": values,
			"pathExpression": m.PathExpression, "consolidationFunc": consolidationName(m), "valuesPerPoint": 1, "xFilesFactor": float64(m.XFilesFactor),
		})
	}
	var b bytes.Buffer
	if err := pickle.NewEncoder(&b).Encode(info); err != nil {
		return err
	}
	return q.write(200, "application/pickle", b.Bytes())
}

func consolidationName(m *types.MetricData) string {
	if m.ConsolidationFunc == "" {
		return "average"
	}
	return m.ConsolidationFunc
}

// renderDygraph writes {"labels": ["Time", …], "data": [[milliseconds, value, …], …]}.
func (q *request) renderDygraph(_ *renderRequest, list []*types.MetricData) error {
	s := q.stream("application/json")
	if len(list) == 0 {
		s.b = append(s.b, "{}"...)
		return s.close()
	}
	s.b = append(s.b, `{"labels" : ["Time"`...)
	for _, m := range list {
		s.b = append(s.b, ", "...)
		s.b = appendString(s.b, m.Name)
	}
	s.b = append(s.b, `], "data" : [`...)
	for i := range list[0].Values {
		if i > 0 {
			s.b = append(s.b, ", "...)
		}
		s.b = append(s.b, '[')
		s.b = strconv.AppendInt(s.b, (list[0].StartTime+int64(i)*list[0].StepTime)*1000, 10)
		for _, m := range list {
			s.b = append(s.b, ", "...)
			v := math.NaN()
			if i < len(m.Values) {
				v = m.Values[i]
			}
			s.b = appendNumber(s.b, v)
		}
		s.b = append(s.b, ']')
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.b = append(s.b, "]}"...)
	return s.close()
}

// renderRickshaw writes [{"target": …, "datapoints": [{"x": time, "y": value}, …]}, …].
func (q *request) renderRickshaw(_ *renderRequest, list []*types.MetricData) error {
	s := q.stream("application/json")
	s.b = append(s.b, '[')
	for i, m := range list {
		if i > 0 {
			s.b = append(s.b, ", "...)
		}
		s.b = append(s.b, `{"target": `...)
		s.b = appendString(s.b, m.Name)
		s.b = append(s.b, `, "datapoints": [`...)
		for j, v := range m.Values {
			if j > 0 {
				s.b = append(s.b, ", "...)
			}
			s.b = append(s.b, `{"x": `...)
			s.b = strconv.AppendInt(s.b, m.StartTime+int64(j)*m.StepTime, 10)
			s.b = append(s.b, `, "y": `...)
			s.b = appendNumber(s.b, v)
			s.b = append(s.b, '}')
			if err := s.flush(); err != nil {
				return err
			}
		}
		s.b = append(s.b, "]}"...)
	}
	s.b = append(s.b, ']')
	return s.close()
}
