package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// parseOriginal reads the file of the Python agent:
//
//	{"cluster": "hpc1", "frequency": 10,
//	 "database": {"type": "graphite", "address": "10.0.0.5", "port": 2004},
//	 "workload_manager": {"type": "slurm"}}
//
// It is turned into the TOML that means the same: pickle to the port, and of Slurm the one metric that the Python agent
// knew, <cluster>.<partition>.jobs_num. Keys that it did not know it ignored; they are warned of.
func parseOriginal(path string, text []byte) (*Config, error) {
	o := original{path: path, text: string(text)}
	if err := json.Unmarshal(text, &o.root); err != nil {
		return nil, o.syntax(err)
	}
	toml, err := o.toml()
	if err != nil {
		return nil, err
	}
	doc, err := newDocument(path, toml)
	if err != nil {
		return nil, err
	}
	doc.line = o.line
	c, err := doc.config()
	if err != nil {
		return nil, err
	}
	c.Warnings = append(o.ignored(), `this JSON file asks for one metric, <cluster>.<partition>.jobs_num; a TOML file with [aggregator.slurm] gives all of them`)
	return c, nil
}

// original is the Python agent's file.
type original struct {
	path string
	text string
	root map[string]any
}

func (o *original) syntax(err error) error {
	if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
		line := 1 + strings.Count(o.text[:min(int(s.Offset), len(o.text))], "\n")
		return &Error{Path: o.path, Line: line, Err: fmt.Errorf("not valid JSON: %w", err)}
	}
	return &Error{Path: o.path, Err: fmt.Errorf("not valid JSON: %w", err)}
}

// line finds a key by its last element: the file is a handful of lines, each key once.
func (o *original) line(key []string) int {
	at := strings.Index(o.text, strconv.Quote(key[len(key)-1]))
	if at < 0 {
		return 0
	}
	return 1 + strings.Count(o.text[:at], "\n")
}

func (o *original) errorf(key, format string, args ...any) error {
	d := document{path: o.path, line: o.line}
	return d.errorf(key, format, args...)
}

func (o *original) toml() (string, error) {
	var b strings.Builder
	if cluster, ok := o.root["cluster"].(string); ok {
		fmt.Fprintf(&b, "cluster = %s\n", quote(cluster))
	} else if o.root["cluster"] != nil {
		return "", o.errorf("cluster", "%v: want a string", o.root["cluster"])
	}
	if o.root["frequency"] != nil {
		f, err := o.number("frequency", o.root["frequency"])
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "frequency = %d\n", f)
	}
	if err := o.section("workload_manager", "slurm"); err != nil {
		return "", err
	}
	b.WriteString("[aggregator.slurm]\nmetrics = \"jobs_num\"\n")

	if err := o.section("database", "graphite"); err != nil {
		return "", err
	}
	database := o.root["database"].(map[string]any)
	address, ok := database["address"].(string)
	if !ok || address == "" {
		return "", o.errorf("database.address", `is missing: want the host that Graphite runs on, as in "address": "127.0.0.1"`)
	}
	port := int64(2004)
	if database["port"] != nil {
		var err error
		if port, err = o.number("database.port", database["port"]); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(&b, "[database.graphite]\naddress = %s\nport = %d\nprotocol = \"pickle\"\n", quote(address), port)
	return b.String(), nil
}

// section checks that an object is there and of the one type that the Python agent knew.
func (o *original) section(name, only string) error {
	m, ok := o.root[name].(map[string]any)
	if !ok {
		return o.errorf(name, `is missing: want an object, as in %q: {"type": %q}`, name, only)
	}
	if m["type"] != only {
		return o.errorf(name+".type", "unknown type %q (known in a JSON file: %s; a TOML file knows more)", fmt.Sprint(m["type"]), only)
	}
	return nil
}

// number takes a whole number, or a string that spells one.
func (o *original) number(key string, v any) (int64, error) {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return int64(v), nil
		}
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, o.errorf(key, "%v: want a whole number", v)
}

// ignored warns of the keys that nothing reads.
func (o *original) ignored() []string {
	var warnings []string
	known := map[string][]string{
		"":                  {"cluster", "frequency", "database", "workload_manager"},
		"database.":         {"type", "address", "port"},
		"workload_manager.": {"type"},
	}
	for prefix, keys := range known {
		m := o.root
		if prefix != "" {
			m, _ = o.root[strings.TrimSuffix(prefix, ".")].(map[string]any)
		}
		for key := range m {
			if !slices.Contains(keys, key) {
				warnings = append(warnings, fmt.Sprintf("%s: ignored, as the Python agent did", prefix+key))
			}
		}
	}
	slices.Sort(warnings)
	return warnings
}

// quote spells a TOML basic string.
func quote(s string) string {
	b, _ := json.Marshal(s) // a subset of TOML's basic strings
	return string(b)
}
