package store

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
)

// maxGlob bounds what one pattern may cost: its bytes, and the patterns that its braces with dots unfold to.
const (
	maxGlob    = 8192
	maxUnfolds = 1024
)

// A pattern is one dotted pattern, a glob a node:
//
//	hpc1.partition.{gpu,cpu}*.jobs.[pr]*
type pattern []string

// patterns parses what a query names. Braces that hold a dot, {a.b,c}, make several patterns.
func patterns(query string) ([]pattern, error) {
	if len(query) > maxGlob {
		return nil, &QueryError{fmt.Sprintf("pattern %.100q… has %d bytes: want at most %d", query, len(query), maxGlob)}
	}
	if !utf8.ValidString(query) {
		return nil, &QueryError{fmt.Sprintf("pattern %.100q: want UTF-8", query)}
	}
	queries := []string{query}
	for i := 0; i < len(queries); {
		before, parts, after, ok := dottedBraces(queries[i])
		if !ok {
			i++
			continue
		}
		if len(queries)+len(parts) > maxUnfolds {
			return nil, &QueryError{fmt.Sprintf("pattern %.100q: braces unfold to more than %d patterns", query, maxUnfolds)}
		}
		queries = append(queries[:i], queries[i+1:]...)
		for _, p := range parts {
			queries = append(queries, before+p+after)
		}
	}
	ps := make([]pattern, 0, len(queries))
	for _, q := range queries {
		p := pattern(splitNodes(q))
		if len(p) > maxDepth {
			return nil, &QueryError{fmt.Sprintf("pattern %.100q: want at most %d nodes", query, maxDepth)}
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// splitNodes splits at dots outside brackets; empty nodes are left out.
func splitNodes(query string) []string {
	var nodes []string
	start, bracket := 0, false
	add := func(end int) {
		if end > start {
			nodes = append(nodes, query[start:end])
		}
		start = end + 1
	}
	for i := range len(query) {
		switch query[i] {
		case '[':
			bracket = true
		case ']':
			bracket = false
		case '.':
			if !bracket {
				add(i)
			}
		}
	}
	add(len(query))
	return nodes
}

// dottedBraces finds the first outermost braces that hold a dot and returns what stands before, between the commas, and
// after.
func dottedBraces(q string) (before string, parts []string, after string, ok bool) {
	depth, open, dot := 0, 0, false
	var commas []int
	for i := range len(q) {
		switch q[i] {
		case '{':
			if depth == 0 {
				open, dot, commas = i, false, nil
			}
			depth++
		case ',':
			if depth == 1 {
				commas = append(commas, i)
			}
		case '.':
			dot = dot || depth > 0
		case '}':
			if depth == 0 {
				continue
			}
			if depth--; depth > 0 || !dot {
				continue
			}
			start := open + 1
			for _, c := range append(commas, i) {
				parts = append(parts, q[start:c])
				start = c + 1
			}
			return q[:open], parts, q[i+1:], true
		}
	}
	return "", nil, "", false
}

// plain tells whether a node is no glob.
func plain(node string) bool { return !strings.ContainsAny(node, "*?[]{},") }

// matcher makes the matcher of one node of a pattern; nil for "*", which every node matches.
func matcher(label, node string) (*labels.Matcher, error) {
	if plain(node) {
		return labels.NewMatcher(labels.MatchEqual, label, node)
	}
	m, err := labels.NewMatcher(labels.MatchRegexp, label, globRegexp(node))
	if err != nil {
		return nil, &QueryError{fmt.Sprintf("pattern %q: %v", node, err)}
	}
	return m, nil
}

// globRegexp spells a glob of the shell as a regular expression: * ? [a-z] [!a-z] {a,b*}. What is left open is taken as it
// stands.
func globRegexp(glob string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '*':
			b.WriteString(".*")
		case c == '?':
			b.WriteByte('.')
		case c == '[':
			class, n := bracketClass(glob[i:])
			b.WriteString(class)
			i += n - 1
		case c == '{' && closes(glob[i:]):
			b.WriteString("(?:")
			depth++
		case c == '}' && depth > 0:
			b.WriteByte(')')
			depth--
		case c == ',' && depth > 0:
			b.WriteByte('|')
		default:
			_, n := utf8.DecodeRuneInString(glob[i:])
			b.WriteString(regexp.QuoteMeta(glob[i : i+n]))
			i += n - 1
		}
	}
	return b.String()
}

// closes tells whether the brace that s begins with is closed.
func closes(s string) bool {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return true
			}
		}
	}
	return false
}

// bracketClass spells the brackets that s begins with and says how many bytes they take.
func bracketClass(s string) (string, int) {
	begin := 1
	if begin < len(s) && (s[begin] == '!' || s[begin] == '^') {
		begin++
	}
	end := strings.IndexByte(s[min(begin+1, len(s)):], ']')
	if end < 0 {
		return `\[`, 1
	}
	end += begin + 1
	var b strings.Builder
	b.WriteByte('[')
	if begin == 2 {
		b.WriteByte('^')
	}
	for _, r := range s[begin:end] {
		if strings.ContainsRune(`\[]^&~`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte(']')
	if _, err := regexp.Compile(b.String()); err != nil {
		return `\[`, 1
	}
	return b.String(), end + 1
}

// leafMatchers match the series whose path the pattern names.
func (p pattern) leafMatchers() ([]*labels.Matcher, error) {
	ms := []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, depthLabel, strconv.Itoa(len(p)))}
	for i, node := range p {
		if node == "*" {
			continue
		}
		m, err := matcher(nodeLabels[i], node)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// A QueryError says what is wrong with what a query asks for.
type QueryError struct{ reason string }

func (e *QueryError) Error() string { return e.reason }

// HTTPStatus is 400: Bad Request.
func (e *QueryError) HTTPStatus() int { return 400 }
