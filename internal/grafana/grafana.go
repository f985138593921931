// Package grafana describes the project's dashboards for Grafana, and writes them as the JSON that Grafana imports. The
// data source is a Graphite: the embedded one or a site's own.
//
// The description is compact: a dashboard is rows of panels, a panel has a title, a width and targets, and what all panels
// of a kind have in common stands once, in panel.go.
package grafana

//go:generate go run ./write ../../docs/grafana/dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// schemaVersion is that of Grafana 9.5. Later versions bring it up to date as they load it; 9.0 to 9.4 leave out what they
// do not know, the bars in tables' cells.
const schemaVersion = 38

// A Dashboard is one file.
type Dashboard struct {
	Name  string // of the file, without .json
	title string
	about string
	vars  []variable
	rows  []row
}

// Dashboards are all of them.
func Dashboards() []Dashboard {
	return []Dashboard{cluster(), partitions(), nodes(), usage(), hosts(), agent()}
}

// A row is a line of panels below a title; Grafana's grid is 24 wide. repeat names a variable: the row comes once for each
// of its values.
type row struct {
	title, repeat string
	height        int
	closed        bool // shown as its title until someone opens it
	panels        []panel
}

const gridWidth = 24

// object is a piece of JSON; its keys are written in order.
type object = map[string]any

// JSON returns the file.
func (d *Dashboard) JSON() ([]byte, error) {
	panels, err := d.layOut()
	if err != nil {
		return nil, fmt.Errorf("dashboard %s: %w", d.Name, err)
	}
	variables := []object{dataSourceVariable}
	for _, v := range d.vars {
		variables = append(variables, v.json())
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(object{
		"__requires":           d.requires(),
		"annotations":          object{"list": annotations()},
		"description":          d.about,
		"editable":             true,
		"fiscalYearStartMonth": 0,
		"graphTooltip":         1, // one crosshair in all panels
		"id":                   nil,
		"links":                []object{siblings},
		"panels":               panels,
		"refresh":              "30s",
		"schemaVersion":        schemaVersion,
		"style":                "dark",
		"tags":                 []string{"clusterload"},
		"templating":           object{"list": variables},
		"time":                 object{"from": "now-6h", "to": "now"},
		"timepicker":           object{},
		"timezone":             "",
		"title":                "Clusterload: " + d.title,
		"uid":                  "clusterload-" + d.Name,
		"weekStart":            "",
	})
	return b.Bytes(), err
}

// layOut puts the panels on the grid.
func (d *Dashboard) layOut() ([]object, error) {
	all := []object{}
	y, id := 0, 0
	next := func() int { id++; return id }
	for _, r := range d.rows {
		heading := object{"id": next(), "type": "row", "title": r.title, "collapsed": r.closed, "panels": []object{}, "gridPos": object{"h": 1, "w": gridWidth, "x": 0, "y": y}}
		if r.repeat != "" {
			heading["repeat"] = r.repeat
		}
		y++
		var inside []object
		x := 0
		for _, p := range r.panels {
			if x+p.width > gridWidth {
				x, y = 0, y+r.height
			}
			if p.width <= 0 || p.width > gridWidth || p.title == "" || p.help == "" || len(p.targets) == 0 || len(p.targets) > len(refIDs) {
				return nil, fmt.Errorf("panel %q: want a title, a help, a width of 1 to %d and 1 to %d targets", p.title, gridWidth, len(refIDs))
			}
			one := p.json(next())
			one["gridPos"] = object{"h": r.height, "w": p.width, "x": x, "y": y}
			inside = append(inside, one)
			x += p.width
		}
		y += r.height
		all = append(all, heading)
		if r.closed {
			heading["panels"] = inside // as Grafana keeps the panels of a row that is closed
		} else {
			all = append(all, inside...)
		}
	}
	return all, nil
}

// requires lists what Grafana warns about where it is missing.
func (d *Dashboard) requires() []object {
	kinds := []string{}
	for _, r := range d.rows {
		for _, p := range r.panels {
			kinds = append(kinds, p.kind)
		}
	}
	slices.Sort(kinds)
	list := []object{
		{"type": "grafana", "id": "grafana", "name": "Grafana", "version": "9.0.0"},
		{"type": "datasource", "id": "graphite", "name": "Graphite", "version": "1.0.0"},
	}
	for _, k := range slices.Compact(kinds) {
		list = append(list, object{"type": "panel", "id": k, "name": strings.ToUpper(k[:1]) + k[1:], "version": ""})
	}
	return list
}

// source names the data source that the reader has chosen.
var source = object{"type": "graphite", "uid": "${DS_GRAPHITE}"}

// siblings links to the other dashboards, with the time and the variables of this one.
var siblings = object{"type": "dashboards", "title": "Clusterload", "tags": []string{"clusterload"}, "asDropdown": false, "includeVars": true,
	"keepTime": true, "targetBlank": false, "icon": "external link", "tooltip": "", "url": ""}

// annotations mark in every chart when squeue got no answer, and, of Graphite's events, those with the tag "clusterload".
func annotations() []object {
	return []object{
		{"name": "Annotations & Alerts", "builtIn": 1, "type": "dashboard", "datasource": object{"type": "grafana", "uid": "-- Grafana --"},
			"enable": true, "hide": true, "iconColor": "rgba(0, 211, 255, 1)"},
		{"name": "No answer from slurmctld", "datasource": source, "enable": true, "hide": false, "iconColor": stateColours["down"],
			"target": object{"refId": "Anno", "fromAnnotations": true, "textEditor": true,
				"target": "alias(offset(scale($cluster.agent.command.queue.ok,-1),1),'squeue fails')"}},
		{"name": "Events", "datasource": source, "enable": true, "hide": false, "iconColor": stateColours["other"],
			"target": object{"refId": "Anno", "fromAnnotations": true, "queryType": "tags", "tags": []string{"clusterload"}}},
	}
}
