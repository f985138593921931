package api

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strings"

	pickle "github.com/lomik/og-rek"
)

// A node is one that a pattern has found. What is both a series and a branch is two nodes.
type node struct {
	path string
	leaf bool
}

// name is the last element of the path.
func (n node) name() string { return n.path[strings.LastIndexByte(n.path, '.')+1:] }

// find answers /metrics/find.
func (q *request) find() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	query := q.Form.Get("query")
	if query == "" {
		return bad("Missing required parameter 'query'")
	}
	format := q.Form.Get("format")
	leavesOnly, err := q.number("leavesOnly", 0)
	if err != nil {
		return err
	}
	from, until, err := q.findTimes()
	if err != nil {
		return err
	}
	if format == "completer" {
		query = strings.ReplaceAll(query, "..", "*.")
		if !strings.HasSuffix(query, "*") {
			query += "*"
		}
	}
	nodes, err := q.nodes(query, from, until, leavesOnly != 0)
	if err != nil {
		return err
	}
	base := query[:strings.LastIndexByte(query, '.')+1]
	switch format {
	case "", "treejson":
		return q.treeJSON(nodes, base)
	case "completer":
		return q.completer(nodes)
	case "json":
		return q.nodesJSON(nodes)
	case "nodelist":
		return q.nodeList(nodes)
	case "pickle":
		return q.nodesPickle(nodes)
	default:
		return bad("Invalid value for 'format' parameter")
	}
}

// findTimes reads from and until, which -1 and nothing leave open.
func (q *request) findTimes() (from, until int64, err error) {
	zone, now := q.zone(), q.api.config.Now()
	for name, to := range map[string]*int64{"from": &from, "until": &until} {
		s := q.Form.Get(name)
		if s == "" || s == "-1" {
			continue
		}
		t, err := parseTime(s, zone, now)
		if err != nil {
			return 0, 0, bad("Invalid value for param " + name + ": " + err.Error())
		}
		*to = t.Unix()
	}
	return from, until, nil
}

// nodes finds nodes, sorted by name and then by path.
func (q *request) nodes(query string, from, until int64, leavesOnly bool) ([]node, error) {
	var nodes []node
	err := q.storage.Find(q.ctx, query, from, until, func(path string, leaf, branch bool) bool {
		if branch && !leavesOnly {
			nodes = append(nodes, node{path, false})
		}
		if leaf {
			nodes = append(nodes, node{path, true})
		}
		return true
	})
	slices.SortStableFunc(nodes, func(a, b node) int {
		return cmp.Or(strings.Compare(a.name(), b.name()), strings.Compare(a.path, b.path))
	})
	return nodes, err
}

// A treeNode is a node as Grafana and graphite-web's tree ask for it.
type treeNode struct {
	Text          string         `json:"text"`
	ID            string         `json:"id"`
	AllowChildren int            `json:"allowChildren"`
	Expandable    int            `json:"expandable"`
	Leaf          int            `json:"leaf"`
	Context       map[string]int `json:"context"`
}

// treeJSON lists branches, then leaves, each name once.
func (q *request) treeJSON(nodes []node, base string) error {
	tree := []treeNode{}
	leaves := []treeNode{}
	wildcards, err := q.number("wildcards", 0)
	if err != nil {
		return err
	}
	make := func(name string, leaf bool) treeNode {
		t := treeNode{Text: name, ID: base + name, Context: map[string]int{}}
		if leaf {
			t.Leaf = 1
		} else {
			t.AllowChildren, t.Expandable = 1, 1
		}
		return t
	}
	if len(nodes) > 1 && wildcards != 0 {
		tree = append(tree, make("*", !slices.ContainsFunc(nodes, func(n node) bool { return !n.leaf })))
	}
	seen := map[string]bool{}
	for _, n := range nodes {
		name := n.name()
		if seen[name] {
			continue
		}
		seen[name] = true
		if n.leaf {
			leaves = append(leaves, make(name, true))
		} else {
			tree = append(tree, make(name, false))
		}
	}
	return q.writeJSON(http.StatusOK, append(tree, leaves...))
}

// completer lists nodes for a text field that completes what is typed.
func (q *request) completer(nodes []node) error {
	type entry struct {
		Path string `json:"path,omitempty"`
		Name string `json:"name"`
		Leaf string `json:"is_leaf,omitempty"`
	}
	wildcards, err := q.number("wildcards", 0)
	if err != nil {
		return err
	}
	entries := []entry{}
	for _, n := range nodes {
		e := entry{Path: n.path, Name: n.name(), Leaf: "1"}
		if !n.leaf {
			e.Path, e.Leaf = n.path+".", "0"
		}
		entries = append(entries, e)
	}
	if len(entries) > 1 && wildcards != 0 {
		entries = append(entries, entry{Name: "*"})
	}
	return q.writeJSON(http.StatusOK, map[string]any{"metrics": entries})
}

// everything is the interval that a leaf is said to cover.
const everything = 1 << 40

func (q *request) nodesJSON(nodes []node) error {
	slices.SortStableFunc(nodes, func(a, b node) int { return strings.Compare(a.path, b.path) })
	list := []map[string]any{}
	for _, n := range nodes {
		info := map[string]any{"path": n.path, "is_leaf": n.leaf}
		if n.leaf {
			info["intervals"] = []map[string]int64{{"start": 0, "end": everything}}
		}
		list = append(list, info)
	}
	return q.writeJSON(http.StatusOK, list)
}

// nodeList lists the names at one position of the paths.
func (q *request) nodeList(nodes []node) error {
	position, err := q.number("position", -1)
	if err != nil {
		return err
	}
	names := []string{}
	for _, n := range nodes {
		parts := strings.Split(n.path, ".")
		at := position
		if at < 0 {
			at += len(parts)
		}
		if at >= 0 && at < len(parts) {
			names = append(names, parts[at])
		}
	}
	slices.Sort(names)
	return q.writeJSON(http.StatusOK, map[string]any{"nodes": slices.Compact(names)})
}

// nodesPickle lists nodes for other graphite-webs.
func (q *request) nodesPickle(nodes []node) error {
	list := make([]any, 0, len(nodes))
	for _, n := range nodes {
		info := map[string]any{"path": n.path, "is_leaf": n.leaf}
		if n.leaf {
			info["intervals"] = []any{pickle.Tuple{0.0, float64(everything)}}
		}
		list = append(list, info)
	}
	var b bytes.Buffer
	if err := pickle.NewEncoder(&b).Encode(list); err != nil {
		return err
	}
	return q.write(http.StatusOK, "application/pickle", b.Bytes())
}

// expand answers /metrics/expand: the paths that patterns name.
func (q *request) expand() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	leavesOnly, err := q.number("leavesOnly", 0)
	if err != nil {
		return err
	}
	grouped, err := q.number("groupByExpr", 0)
	if err != nil {
		return err
	}
	groups := map[string][]string{}
	all := []string{}
	for _, query := range q.list("query") {
		paths := []string{}
		err := q.storage.Find(q.ctx, query, 0, 0, func(path string, leaf, _ bool) bool {
			if leaf || leavesOnly == 0 {
				paths = append(paths, path)
			}
			return true
		})
		if err != nil {
			return err
		}
		groups[query] = paths
		all = append(all, paths...)
	}
	if grouped != 0 {
		return q.writeJSON(http.StatusOK, map[string]any{"results": groups})
	}
	slices.Sort(all)
	return q.writeJSON(http.StatusOK, map[string]any{"results": slices.Compact(all)})
}

// index answers /metrics/index.json: the paths of all series.
func (q *request) index() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	name := q.Form.Get("jsonp")
	kind := "application/json"
	if name != "" {
		if !callback(name) {
			return bad("jsonp: want a name of letters, digits, _, $ and dots")
		}
		kind = "text/javascript"
	}
	s := q.stream(kind)
	if name != "" {
		s.b = append(append(s.b, name...), '(')
	}
	s.b = append(s.b, '[')
	first := true
	var sendErr error
	err := q.storage.Paths(q.ctx, func(path string) bool {
		if !first {
			s.b = append(s.b, ", "...)
		}
		first = false
		s.b = appendString(s.b, path)
		sendErr = s.flush()
		return sendErr == nil
	})
	if err = cmp.Or(err, sendErr); err != nil {
		return err
	}
	s.b = append(s.b, ']')
	if name != "" {
		s.b = append(s.b, ')')
	}
	return s.close()
}
