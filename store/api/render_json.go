package api

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-graphite/carbonapi/expr/types"
)

// flushAt is how many bytes of an answer are gathered before they are sent: what is rendered need not be in memory at once.
const flushAt = 64 << 10

// renderJSON writes [{"target": …, "tags": {…}, "datapoints": [[value, time], …]}, …].
func (q *request) renderJSON(r *renderRequest, list []*types.MetricData) error {
	name := q.Form.Get("jsonp")
	kind := "application/json"
	if name != "" {
		if !callback(name) {
			return bad("jsonp: want a name of letters, digits, _, $ and dots")
		}
		kind = "text/javascript"
	}
	consolidate(list, r.maxDataPoints)
	s := q.stream(kind)
	if name != "" {
		s.b = append(append(s.b, name...), '(')
	}
	s.b = append(s.b, '[')
	first := true
	for _, series := range list {
		if r.noNullPoints && !slices.ContainsFunc(series.Values, known) {
			continue
		}
		if !first {
			s.b = append(s.b, ", "...)
		}
		first = false
		if err := s.series(series, r.noNullPoints); err != nil {
			return err
		}
	}
	s.b = append(s.b, ']')
	if name != "" {
		s.b = append(s.b, ')')
	}
	return s.close()
}

func known(v float64) bool { return !math.IsNaN(v) }

// series appends one series and sends what has been gathered.
func (s *stream) series(m *types.MetricData, noNull bool) error {
	b := append(s.b, `{"target": `...)
	b = appendString(b, m.Name)
	b = append(b, `, "tags": {`...)
	for i, key := range tagKeys(m) {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendString(b, key)
		b = append(b, ": "...)
		b = appendString(b, m.Tags[key])
	}
	b = append(b, `}, "datapoints": [`...)
	at := m.StartTime
	first := true
	for _, v := range m.Values {
		if !noNull || known(v) {
			if !first {
				b = append(b, ", "...)
			}
			first = false
			b = append(b, '[')
			b = appendNumber(b, v)
			b = append(b, ", "...)
			b = strconv.AppendInt(b, at, 10)
			b = append(b, ']')
			if len(b) >= flushAt {
				var err error
				if b, err = s.send(b); err != nil {
					return err
				}
			}
		}
		at += m.StepTime
	}
	s.b = append(b, "]}"...)
	return nil
}

// tagKeys lists the tags that are shown, sorted.
func tagKeys(m *types.MetricData) []string {
	keys := make([]string, 0, len(m.Tags))
	for key := range m.Tags {
		if !strings.HasPrefix(key, "\x00") {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// appendNumber appends a value for JSON: infinities as numbers beyond what doubles hold, as graphite-web does.
func appendNumber(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "null"...)
	case math.IsInf(v, 1):
		return append(b, "1e9999"...)
	case math.IsInf(v, -1):
		return append(b, "-1e9999"...)
	}
	return appendFloat(b, v)
}

// appendFloat appends a finite number as Python spells it: whole ones with ".0".
func appendFloat(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		if v == 0 && math.Signbit(v) {
			return append(b, "-0.0"...)
		}
		return append(strconv.AppendInt(b, int64(v), 10), ".0"...)
	}
	if a := math.Abs(v); a >= 1e16 || a < 1e-4 {
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	begin := len(b)
	b = strconv.AppendFloat(b, v, 'f', -1, 64)
	if !slices.Contains(b[begin:], '.') {
		b = append(b, ".0"...)
	}
	return b
}

// appendString appends text as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // no string does
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
