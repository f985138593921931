package wire

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Point is one value of one series at one time, as a line or a pickle names it.
type Point struct {
	Path  string // with its tags, if any
	Value float64
	Time  int64 // Unix time in seconds
}

// ParseLine reads one line without its newline, as carbon does: three fields parted by white space. A time with a
// fraction is cut to the second. Values that are no finite numbers are refused.
//
//	hpc1.partition.gpu.jobs.running 17 1753000000
func ParseLine(line []byte) (Point, error) {
	var f [3][]byte
	n := 0
	for field := range bytes.FieldsSeq(line) {
		if n == len(f) {
			return Point{}, fmt.Errorf("line %.200q: want 3 fields: path, value, time", line)
		}
		f[n] = field
		n++
	}
	if n != len(f) {
		return Point{}, fmt.Errorf("line %.200q: want 3 fields: path, value, time", line)
	}
	value, err := parseNumber(string(f[1]))
	if err != nil {
		return Point{}, fmt.Errorf("line %.200q: value: %w", line, err)
	}
	at, err := parseTime(string(f[2]))
	if err != nil {
		return Point{}, fmt.Errorf("line %.200q: time: %w", line, err)
	}
	return Point{Path: string(f[0]), Value: value, Time: at}, nil
}

func parseNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || strings.ContainsAny(s, "xX_") {
		return 0, fmt.Errorf("%.50q: want a finite number", s)
	}
	return v, nil
}

func parseTime(s string) (int64, error) {
	if at, err := strconv.ParseInt(s, 10, 64); err == nil {
		return at, nil
	}
	v, err := parseNumber(s)
	if err != nil || v < -1<<62 || v > 1<<62 {
		return 0, fmt.Errorf("%.50q: want seconds since 1970", s)
	}
	return int64(v), nil
}

// A Tag is a name and a value of a tagged series.
type Tag struct{ Name, Value string }

// ParseTags reads the path of a tagged series as Graphite does, which refuses names with any of ;!^= and empty names and
// values, and values that begin with ~. A path without tags has none.
//
//	partition.jobs;cluster=hpc1;partition=gpu;state=running
func ParseTags(path string) (name string, tags []Tag, err error) {
	name, rest, tagged := strings.Cut(path, ";")
	if name == "" {
		return "", nil, fmt.Errorf("path %.200q: want a name", path)
	}
	for tagged {
		var tag string
		tag, rest, tagged = strings.Cut(rest, ";")
		key, value, found := strings.Cut(tag, "=")
		if !found || key == "" || value == "" || value[0] == '~' || strings.ContainsAny(key, "!^") {
			return "", nil, fmt.Errorf("path %.200q: tag %.100q: want name=value", path, tag)
		}
		tags = append(tags, Tag{key, value})
	}
	return name, tags, nil
}
