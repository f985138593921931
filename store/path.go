package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
)

// A dotted path is kept as one label a node and the number of its nodes, so that each level of the tree has an index of
// its own:
//
//	hpc1.jobs.running → __g0__="hpc1" __g1__="jobs" __g2__="running" __n__="3"
//
// A tagged series is kept as its tags and its name:
//
//	partition.jobs;cluster=hpc1;state=running → cluster="hpc1" name="partition.jobs" state="running"
const (
	depthLabel = "__n__"
	nameTag    = "name"
	maxDepth   = 64
	maxPath    = 4096
)

// nodeLabels holds "__g0__", "__g1__", …
var nodeLabels = func() (names [maxDepth]string) {
	for i := range names {
		names[i] = "__g" + strconv.Itoa(i) + "__"
	}
	return names
}()

// A pathError says why no series can have a path.
type pathError struct {
	path   string
	reason string
}

func (e *pathError) Error() string { return fmt.Sprintf("path %.200q: %s", e.path, e.reason) }

// ErrPath is what every error about a path that cannot be kept matches.
var ErrPath = errors.New("path cannot be kept")

func (e *pathError) Is(target error) bool { return target == ErrPath }

// pathLabels makes the labels of a path, dotted or tagged. Empty nodes are left out, as Whisper's folders leave them out.
func pathLabels(b *labels.Builder, path string) (labels.Labels, error) {
	b.Reset(labels.EmptyLabels())
	switch {
	case len(path) > maxPath:
		return labels.EmptyLabels(), &pathError{path, fmt.Sprintf("has %d bytes: want at most %d", len(path), maxPath)}
	case !utf8.ValidString(path):
		return labels.EmptyLabels(), &pathError{path, "want UTF-8"}
	case strings.IndexFunc(path, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) >= 0:
		return labels.EmptyLabels(), &pathError{path, "want no spaces and no control characters"}
	}
	if name, tags, tagged := strings.Cut(path, ";"); tagged {
		return tagLabels(b, path, name, tags)
	}
	depth := 0
	for node := range strings.SplitSeq(path, ".") {
		if node == "" {
			continue
		}
		if depth == maxDepth {
			return labels.EmptyLabels(), &pathError{path, fmt.Sprintf("want at most %d nodes", maxDepth)}
		}
		b.Set(nodeLabels[depth], node)
		depth++
	}
	if depth == 0 {
		return labels.EmptyLabels(), &pathError{path, "want a node"}
	}
	b.Set(depthLabel, strconv.Itoa(depth))
	return b.Labels(), nil
}

func tagLabels(b *labels.Builder, path, name, tags string) (labels.Labels, error) {
	if name == "" {
		return labels.EmptyLabels(), &pathError{path, "want a name before the tags"}
	}
	for tag := range strings.SplitSeq(tags, ";") {
		key, value, ok := strings.Cut(tag, "=")
		switch {
		case !ok || key == "" || value == "" || strings.ContainsAny(key, "!^"):
			return labels.EmptyLabels(), &pathError{path, fmt.Sprintf("tag %q: want name=value", tag)}
		case strings.HasPrefix(key, "__"):
			return labels.EmptyLabels(), &pathError{path, fmt.Sprintf("tag %q: names that begin with __ are the store's own", key)}
		case strings.HasPrefix(value, "~"):
			return labels.EmptyLabels(), &pathError{path, fmt.Sprintf("tag %q: want no ~ in front of a value", tag)}
		}
		b.Set(key, value)
	}
	b.Set(nameTag, name)
	return b.Labels(), nil
}

// appendPath appends the path that labels were made of: the nodes joined by dots, or the name and its sorted tags.
func appendPath(dst []byte, ls labels.Labels) []byte {
	if ls.Has(depthLabel) {
		return appendNodes(dst, ls)
	}
	dst = append(dst, ls.Get(nameTag)...)
	ls.Range(func(l labels.Label) {
		if l.Name != nameTag {
			dst = append(dst, ';')
			dst = append(dst, l.Name...)
			dst = append(dst, '=')
			dst = append(dst, l.Value...)
		}
	})
	return dst
}

func appendNodes(dst []byte, ls labels.Labels) []byte {
	var nodes [maxDepth]string
	depth := 0
	ls.Range(func(l labels.Label) { // sorted as text: __g10__ stands before __g2__
		if n, ok := nodeIndex(l.Name); ok {
			nodes[n] = l.Value
			depth = max(depth, n+1)
		}
	})
	for i, node := range nodes[:depth] {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, node...)
	}
	return dst
}

// nodeIndex reads "__g12__" as 12.
func nodeIndex(label string) (int, bool) {
	digits, ok := strings.CutPrefix(label, "__g")
	if !ok {
		return 0, false
	}
	digits, ok = strings.CutSuffix(digits, "__")
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0 && n < maxDepth
}

// canonical returns the path that a path is read back as: without empty nodes, with sorted tags. It returns path itself
// where nothing changes.
func canonical(path string) string {
	if name, rest, tagged := strings.Cut(path, ";"); tagged {
		tags := strings.Split(rest, ";")
		if slices.IsSortedFunc(tags, compareKeys) {
			return path
		}
		slices.SortStableFunc(tags, compareKeys)
		return name + ";" + strings.Join(tags, ";")
	}
	if path != "" && path[0] != '.' && path[len(path)-1] != '.' && !strings.Contains(path, "..") {
		return path
	}
	return strings.Join(strings.FieldsFunc(path, func(r rune) bool { return r == '.' }), ".")
}

// compareKeys orders tags by their names.
func compareKeys(a, b string) int {
	ka, _, _ := strings.Cut(a, "=")
	kb, _, _ := strings.Cut(b, "=")
	return strings.Compare(ka, kb)
}
