package grafana

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// A panel is one picture. Its methods return a changed copy.
type panel struct {
	kind, title, help string
	width             int
	unit              string
	targets           []string
	steps             []step
	mapped            []value
	overrides         []object
	defaults          object // of the fields, beyond unit, colour and thresholds
	custom            object // of the fields, by the kind of panel
	options           object
	transformations   []object
	recent            bool // of the last minutes alone, where the dashboard's range ends now
}

const refIDs = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// The units of Grafana.
const (
	count   = "short"
	percent = "percent" // 0 to 100
	ratio   = "percentunit"
	bytes_  = "bytes"
	rate    = "Bps"
	seconds = "s"
	each    = "cps" // a second
	celsius = "celsius"
)

func (p panel) json(id int) object {
	defaults := object{"unit": p.unit, "noValue": "no data", "mappings": mappings(p.mapped), "thresholds": thresholds(p.steps), "custom": p.custom}
	maps.Copy(defaults, p.defaults)
	targets := []object{}
	for i, t := range p.targets {
		targets = append(targets, object{"refId": refIDs[i : i+1], "target": t, "textEditor": true, "datasource": source})
	}
	overrides := p.overrides
	if overrides == nil {
		overrides = []object{}
	}
	o := object{"id": id, "type": p.kind, "title": p.title, "description": p.help, "datasource": source, "targets": targets, "options": p.options,
		"fieldConfig": object{"defaults": defaults, "overrides": overrides}}
	if p.recent {
		o["timeFrom"], o["hideTimeOverride"] = "5m", true
	}
	if len(p.transformations) > 0 {
		o["transformations"] = p.transformations
	}
	return o
}

func mappings(values []value) []object {
	if len(values) == 0 {
		return []object{}
	}
	options := object{}
	for i, v := range values {
		options[strconv.Itoa(v.at)] = object{"text": v.text, "color": stateColours[v.colour], "index": i}
	}
	return []object{{"type": "value", "options": options}}
}

// chart draws lines over time.
func chart(title, help string, width int, unit string, targets ...string) panel {
	return panel{
		kind: "timeseries", title: title, help: help, width: width, unit: unit, targets: targets, steps: plain,
		defaults: object{"min": 0, "color": object{"mode": palette}},
		custom: object{"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 8, "gradientMode": "none", "pointSize": 4,
			"showPoints": "never", "spanNulls": false, "axisPlacement": "auto", "axisLabel": "", "axisSoftMin": 0, "scaleDistribution": object{"type": "linear"},
			"stacking": object{"mode": "none", "group": "A"}, "hideFrom": object{"legend": false, "tooltip": false, "viz": false}, "thresholdsStyle": object{"mode": "off"}},
		options: object{"legend": object{"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []string{}},
			"tooltip": object{"mode": "multi", "sort": "none"}},
	}
}

// stacked puts the series of a chart on top of one another.
func (p panel) stacked() panel {
	p.custom = maps.Clone(p.custom)
	p.custom["stacking"] = object{"mode": "normal", "group": "A"}
	p.custom["fillOpacity"] = 80
	p.custom["lineWidth"] = 0
	return p
}

// coloured gives series the colours of states.
func (p panel) coloured(names ...string) panel {
	p.overrides = append(p.overrides[:len(p.overrides):len(p.overrides)], colours(names...)...)
	return p
}

// listed turns the legend into a table of each series' last and highest values, for panels of many series.
func (p panel) listed() panel {
	p.options = maps.Clone(p.options)
	p.options["legend"] = object{"showLegend": true, "displayMode": "table", "placement": "right", "calcs": []string{"lastNotNull", "max"}, "sortBy": "Last *", "sortDesc": true}
	p.options["tooltip"] = object{"mode": "multi", "sort": "desc"}
	return p
}

// upTo sets the top of the scale.
func (p panel) upTo(most float64) panel {
	p.defaults = maps.Clone(p.defaults)
	p.defaults["max"] = most
	return p
}

// figure shows the value of now, with its course behind.
func figure(title, help string, width int, unit string, steps []step, target string) panel {
	return panel{
		kind: "stat", title: title, help: help, width: width, unit: unit, targets: []string{now(target)}, steps: steps,
		defaults: object{"color": object{"mode": "thresholds"}}, custom: object{},
		options: object{"reduceOptions": reduceLast, "colorMode": "value", "graphMode": "area", "textMode": "value", "justifyMode": "center", "orientation": "auto"},
	}
}

// state shows values of now as words, each with its name: the given part of its path.
func state(title, help string, width int, words []value, path string, part int) panel {
	p := figure(title, help, width, count, ok, path)
	p.targets = []string{by(now(path), part)}
	p.mapped = words
	p.options = maps.Clone(p.options)
	p.options["colorMode"], p.options["graphMode"], p.options["textMode"] = "background", "none", "value_and_name"
	return p
}

// ranking shows the n highest values of now as bars, each with its name: the given parts of its path.
func ranking(title, help string, width int, unit string, n int, path string, parts ...int) panel {
	p := figure(title, help, width, unit, plain, path)
	p.kind, p.targets = "bargauge", []string{by(top(n, now(path)), parts...)}
	p.defaults = object{"min": 0, "color": object{"mode": "thresholds"}}
	p.options = object{"reduceOptions": reduceLast, "orientation": "horizontal", "displayMode": "basic", "showUnfilled": true, "valueMode": "color",
		"minVizWidth": 0, "minVizHeight": 10}
	return p
}

// timeline shows the words of each series over time, one line a series.
func timeline(title, help string, width int, words []value, target string) panel {
	return panel{
		kind: "state-timeline", title: title, help: help, width: width, unit: count, targets: []string{target}, steps: plain, mapped: words,
		defaults: object{"color": object{"mode": "thresholds"}}, custom: object{"fillOpacity": 85, "lineWidth": 0},
		options: object{"mergeValues": true, "showValue": "never", "alignValue": "left", "rowHeight": 0.9,
			"legend": object{"showLegend": true, "displayMode": "list", "placement": "bottom"}, "tooltip": object{"mode": "single", "sort": "none"}},
	}
}

// A column is one column of a grid: its name, the paths below $cluster that hold it with a * for the row's name, or a
// target where that begins with "=".
type column struct {
	name, target string
	unit         string
	most         float64 // above 0: a bar up to there
	words        []value
}

// table shows the values of now: a line for each row, such as a partition, and a column for each figure.
func table(title, help string, width int, row string, columns ...column) panel {
	p := grid(title, help, width, row, columns)
	p.kind = "table"
	p.custom = object{"align": "auto", "cellOptions": object{"type": "auto"}, "inspect": false, "filterable": false}
	p.options = object{"showHeader": true, "cellHeight": "sm", "footer": object{"show": false, "reducer": []string{"sum"}, "countRows": false},
		"sortBy": []object{}}
	p.overrides = append(p.overrides, object{"matcher": object{"id": "byName", "options": corner(row)}, "properties": []object{{"id": "displayName", "value": row}}})
	for _, c := range columns {
		properties := []object{{"id": "unit", "value": c.unit}}
		if c.most > 0 {
			properties = append(properties, object{"id": "min", "value": 0}, object{"id": "max", "value": c.most},
				object{"id": "custom.cellOptions", "value": object{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}})
		}
		if c.words != nil {
			properties = append(properties, object{"id": "mappings", "value": mappings(c.words)},
				object{"id": "custom.cellOptions", "value": object{"type": "color-text"}})
		}
		p.overrides = append(p.overrides, object{"matcher": object{"id": "byName", "options": c.name}, "properties": properties})
	}
	return p
}

// bars shows the same as stacked bars, one a row, each column in its state's colour.
func bars(title, help string, width int, row string, columns ...column) panel {
	p := grid(title, help, width, row, columns)
	p.kind = "barchart"
	p.custom = object{"lineWidth": 0, "fillOpacity": 90, "gradientMode": "none", "axisPlacement": "auto", "axisLabel": "", "axisSoftMin": 0,
		"hideFrom": object{"legend": false, "tooltip": false, "viz": false}, "scaleDistribution": object{"type": "linear"}}
	p.options = object{"orientation": "horizontal", "stacking": "normal", "showValue": "auto", "xField": corner(row), "barWidth": 0.8, "groupWidth": 0.7, "barRadius": 0,
		"xTickLabelRotation": 0, "xTickLabelSpacing": 0, "fullHighlight": false,
		"legend":  object{"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []string{}},
		"tooltip": object{"mode": "multi", "sort": "none"}}
	for _, c := range columns {
		p = p.coloured(c.name)
	}
	return p
}

// grid is what tables and bars have in common. Graphite answers with one series for each row and column, called
// "partition=batch column=idle"; Grafana keeps the last value of each, reads the name, and turns the list into a grid.
//
// A series without a value must not get there: Grafana 10's reduce takes its empty value out of the list of values and leaves its
// name in that of names, and every later row shows another's figures. So only the last minutes are asked for, and a series
// that has nothing in them is left out by Graphite.
func grid(title, help string, width int, row string, columns []column) panel {
	p := panel{title: title, help: help, width: width, unit: count, steps: plain, defaults: object{"color": object{"mode": "thresholds"}}, recent: true}
	for _, c := range columns {
		p.targets = append(p.targets, fmt.Sprintf(`aliasSub(removeEmptySeries(%s),'^.*?%s\.([^.,)]+).*','%s=\1 column="%s"')`, c.target, row, row, c.name))
	}
	p.transformations = []object{
		{"id": "reduce", "options": object{"mode": "seriesToRows", "reducers": []string{"lastNotNull"}, "labelsToFields": false, "includeTimeField": false}},
		{"id": "extractFields", "options": object{"source": "Field", "format": "kvp", "replace": false, "keepTime": false}},
		{"id": "groupingToMatrix", "options": object{"rowField": row, "columnField": "column", "valueField": "Last *", "emptyValue": "null"}},
	}
	return p
}

// corner is what Grafana calls the first column of a grid.
func corner(row string) string { return row + `\column` }

var reduceLast = object{"calcs": []string{"last"}, "fields": "", "values": false}

// patience is for how many slots a figure of now stays: a value that is older is not known, and is shown as no data.
const patience = 6

// now fills the slots whose value has not come yet, so that the last one holds the value of now; but no longer than patience.
func now(target string) string { return "keepLastValue(" + target + "," + strconv.Itoa(patience) + ")" }

// Targets.

func call(function string, arguments ...string) string {
	return function + "(" + strings.Join(arguments, ",") + ")"
}

// named calls a target's one series by a name.
func named(name, target string) string { return call("alias", target, "'"+name+"'") }

// by calls each series after parts of its path, the cluster being part 0 and -1 the last.
func by(target string, parts ...int) string {
	arguments := []string{target}
	for _, p := range parts {
		arguments = append(arguments, strconv.Itoa(p))
	}
	return call("aliasByNode", arguments...)
}

// top takes the series that are highest now.
func top(n int, target string) string { return call("highestCurrent", target, strconv.Itoa(n)) }

// plus and minus add and take away.
func plus(targets ...string) string { return call("sumSeries", targets...) }

func minus(from string, targets ...string) string {
	return call("diffSeries", append([]string{from}, targets...)...)
}

// share is a part in percent of its whole.
func share(part, whole string) string { return call("asPercent", part, whole) }

// shares is share for each path: of parts and wholes those that agree up to the given part of their path.
func shares(parts, wholes string, upTo int) string {
	nodes := make([]string, upTo+1)
	for i := range nodes {
		nodes[i] = strconv.Itoa(i)
	}
	return call("asPercent", append([]string{parts, wholes}, nodes...)...)
}
