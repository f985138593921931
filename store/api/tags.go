package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// defaultLimit is how many names the completion of tags gives.
const defaultLimit = 100

// tags answers /tags: the names of all tags, those that match the parameter filter.
func (q *request) tags() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	names, err := q.storage.TagNames(q.ctx, nil, "", 0)
	if err != nil {
		return err
	}
	if names, err = q.filter(names); err != nil {
		return err
	}
	type entry struct {
		Tag string `json:"tag"`
	}
	list := []entry{}
	for _, name := range names {
		list = append(list, entry{name})
	}
	return q.writeJSON(http.StatusOK, list)
}

// filter keeps the names whose beginning matches the parameter filter, as many as limit says.
func (q *request) filter(names []string) ([]string, error) {
	if f := q.Form.Get("filter"); f != "" {
		re, err := regexp.Compile("^(?:" + f + ")")
		if err != nil {
			return nil, bad("filter: " + err.Error())
		}
		names = slices.DeleteFunc(names, func(n string) bool { return !re.MatchString(n) })
	}
	limit, err := q.number("limit", 0)
	if limit > 0 && limit < len(names) {
		names = names[:limit]
	}
	return names, err
}

// tag answers /tags/TAG: its values and how many series have each.
func (q *request) tag() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	tag := q.PathValue("tag")
	values, err := q.storage.TagValues(q.ctx, tag, nil, "", 0)
	if err != nil {
		return err
	}
	if values, err = q.filter(values); err != nil {
		return err
	}
	type entry struct {
		Count int    `json:"count"`
		Value string `json:"value"`
	}
	list := []entry{}
	for _, v := range values {
		e := entry{Value: v}
		if err := q.storage.FindTagged(q.ctx, []string{tag + "=" + v}, func(string) bool { e.Count++; return true }); err != nil {
			return err
		}
		list = append(list, e)
	}
	return q.writeJSON(http.StatusOK, map[string]any{"tag": tag, "values": list})
}

// findSeries answers /tags/findSeries: the paths of the series that expressions name.
func (q *request) findSeries() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	expressions := q.list("expr")
	if len(expressions) == 0 {
		return bad("no tag expressions specified")
	}
	paths := []string{}
	if err := q.storage.FindTagged(q.ctx, expressions, func(path string) bool { paths = append(paths, path); return true }); err != nil {
		return err
	}
	return q.writeJSON(http.StatusOK, paths)
}

// completeTags answers /tags/autoComplete/tags: the tags that could narrow down what expressions name.
func (q *request) completeTags() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	limit, err := q.number("limit", defaultLimit)
	if err != nil {
		return err
	}
	expressions := q.list("expr")
	names, err := q.storage.TagNames(q.ctx, expressions, q.Form.Get("tagPrefix"), 0)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		return slices.ContainsFunc(expressions, func(e string) bool {
			rest, ok := strings.CutPrefix(e, n)
			return ok && strings.IndexAny(rest, "!=") == 0
		})
	})
	return q.writeJSON(http.StatusOK, firstOf(names, limit))
}

// completeValues answers /tags/autoComplete/values.
func (q *request) completeValues() error {
	if err := q.needStorage(); err != nil {
		return err
	}
	limit, err := q.number("limit", defaultLimit)
	if err != nil {
		return err
	}
	tag := q.Form.Get("tag")
	if tag == "" {
		return bad("no tag specified")
	}
	values, err := q.storage.TagValues(q.ctx, tag, q.list("expr"), q.Form.Get("valuePrefix"), limit)
	if err != nil {
		return err
	}
	return q.writeJSON(http.StatusOK, firstOf(values, limit))
}

// firstOf returns at most limit names, and a list rather than nothing.
func firstOf(names []string, limit int) []string {
	if limit > 0 && limit < len(names) {
		names = names[:limit]
	}
	return append([]string{}, names...)
}

// tagSeries answers /tags/tagSeries: series are tagged when their first point comes, so it only spells the path.
func (q *request) tagSeries() error {
	path := q.Form.Get("path")
	if q.Method != http.MethodPost || path == "" {
		return bad("want POST and a parameter path")
	}
	return q.writeJSON(http.StatusOK, sortTags(path))
}

func (q *request) tagMultiSeries() error {
	paths := q.list("path")
	if q.Method != http.MethodPost || len(paths) == 0 {
		return bad("want POST and parameters path")
	}
	list := []string{}
	for _, p := range paths {
		list = append(list, sortTags(p))
	}
	return q.writeJSON(http.StatusOK, list)
}

// sortTags spells a path with its tags sorted.
func sortTags(path string) string {
	name, tags, tagged := strings.Cut(path, ";")
	if !tagged {
		return path
	}
	list := strings.Split(tags, ";")
	slices.Sort(list)
	return name + ";" + strings.Join(list, ";")
}
