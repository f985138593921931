package wire

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clusterload/clusterload/aggregator"
)

// originalTemplate is the one metric of the Python program that this agent succeeds. That program wrote the partition's
// name as it was, and the dashboards made for it ask for that: here it keeps its case and its runs of underscores.
const originalTemplate = "{partition}.jobs_num"

// maxForms bounds the memory for templates: more than these are no templates but one for each series.
const maxForms = 1 << 14

// A form is a template made ready to be filled.
type form struct {
	fault string   // why no point of the template can be written, or ""
	names []*names // of each placeholder, in order
	plain []piece
	rate  []piece // the same, with ".per_second"
}

// A piece is fixed text and the label that follows it.
type piece struct {
	text  string
	label int    // index into Labels, or one of the below
	names *names // nil: the label stands as it is
}

const (
	nothing   = -1 // no label follows
	ofCluster = -2 // the cluster follows
)

// form returns the form of a description. Descriptions do not change, so it is made once.
func (g *Graphite) form(d *aggregator.Desc) *form {
	if f, ok := g.forms[d]; ok {
		return f
	}
	if len(g.forms) >= maxForms {
		clear(g.forms)
	}
	f := &form{}
	if g.options.Tagged {
		g.taggedForm(f, d)
	} else {
		g.pathForm(f, d)
	}
	g.forms[d] = f
	return f
}

// pathForm makes "hpc1.partition.gpu.jobs.running" of "partition.{partition}.jobs.{state}".
func (g *Graphite) pathForm(f *form, d *aggregator.Desc) {
	style, filled := pathElement, ""
	if d.Template == originalTemplate {
		style = originalElement
	}
	f.plain = []piece{{label: ofCluster}}
	text := "."
	for _, p := range d.Parts() {
		if !p.Placeholder {
			text += p.Text
			filled += p.Text
			continue
		}
		n := g.namesOf(p.Text, style)
		f.plain = append(f.plain, piece{text, len(f.names), n})
		f.names = append(f.names, n)
		text = ""
		filled += "x"
	}
	f.rate = append(slices.Clone(f.plain), piece{text: text + PerSecond, label: nothing})
	f.plain = append(f.plain, piece{text: text, label: nothing})
	if fault := pathFault(filled); fault != "" {
		f.fault = fmt.Sprintf("template %q: %s", d.Template, fault)
	}
}

// taggedForm makes "partition.jobs;cluster=hpc1;partition=gpu;state=running" of "partition.{partition}.jobs.{state}".
func (g *Graphite) taggedForm(f *form, d *aggregator.Desc) {
	tags := []piece{{text: "cluster", label: ofCluster, names: g.cluster}}
	words := ""
	for _, p := range d.Parts() {
		if !p.Placeholder {
			words += p.Text
			continue
		}
		n := g.namesOf(p.Text, tagValue)
		tags = append(tags, piece{tagName(p.Text), len(f.names), n})
		f.names = append(f.names, n)
	}
	slices.SortFunc(tags, func(a, b piece) int { return cmp.Compare(a.text, b.text) })
	name := strings.Join(strings.FieldsFunc(words, func(r rune) bool { return r == '.' }), ".")
	f.fault = taggedFault(d.Template, name, tags)
	fill := func(name string) []piece {
		var pieces []piece
		for _, t := range tags {
			pieces = append(pieces, piece{name + ";" + t.text + "=", t.label, t.names})
			name = ""
		}
		return pieces
	}
	f.plain, f.rate = fill(name), fill(name+PerSecond)
}

// tagName keeps a placeholder apart from the tags that are taken: "cluster" is the prefix, and Graphite keeps the metric's
// own name in a tag "name".
func tagName(placeholder string) string {
	if placeholder == "name" || placeholder == "cluster" {
		return placeholder + "_"
	}
	return placeholder
}

func taggedFault(template, name string, tags []piece) string {
	if fault := pathFault(name); fault != "" {
		return fmt.Sprintf("template %q: name %q: %s", template, name, fault)
	}
	for i, t := range tags {
		if t.text == "" || strings.ContainsAny(t.text, ";!^=") || pathFault(t.text) != "" {
			return fmt.Sprintf("template %q: tag %q: want a name without spaces, dots at its ends and any of ;!^=", template, t.text)
		}
		if i > 0 && tags[i-1].text == t.text {
			return fmt.Sprintf("template %q: tag %q: want each name once", template, t.text)
		}
	}
	return ""
}

// pathFault says why fixed text cannot be a path, or "". Carbon parts a line at Unicode's spaces too, drops the connection
// on what is not UTF-8, and takes what follows a semicolon for tags.
func pathFault(path string) string {
	switch {
	case path == "":
		return "is empty"
	case strings.HasPrefix(path, "."), strings.HasSuffix(path, "."), strings.Contains(path, ".."):
		return "has an empty path element"
	case !utf8.ValidString(path):
		return "is not UTF-8"
	}
	for _, r := range path {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == ';' || r == '/' {
			return fmt.Sprintf("holds %q, which cannot stand in a path", r)
		}
	}
	return ""
}
