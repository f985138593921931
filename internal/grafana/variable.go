package grafana

// A variable is a choice at the top of a dashboard, filled by a query to Graphite.
type variable struct {
	name, label string
	query       string // of /metrics/find, whose last words are the choices; or expand(…), of whole paths
	regex       string // what of them; empty: all
	many        bool   // several at once, and all of them to begin with
}

var (
	clusters = variable{name: "cluster", label: "Cluster", query: "expand(*.agent)", regex: `/^([^.]+)\.agent$/`}
	byName   = func(name, label string) variable {
		return variable{name: name, label: label, query: "$cluster." + name + ".*", many: true}
	}
)

// dataSourceVariable lets the reader choose among the Graphites that Grafana knows.
var dataSourceVariable = object{"type": "datasource", "name": "DS_GRAPHITE", "label": "Data source", "query": "graphite", "regex": "", "refresh": 1,
	"hide": 0, "includeAll": false, "multi": false, "skipUrlSync": false, "options": []object{}, "current": object{}}

func (v variable) json() object {
	o := object{
		"type": "query", "name": v.name, "label": v.label, "datasource": source, "query": v.query, "definition": v.query, "regex": v.regex,
		"refresh": 2, // with the time range
		"sort":    7, // natural order
		"hide":    0, "multi": v.many, "includeAll": v.many, "skipUrlSync": false, "options": []object{}, "current": object{},
	}
	if v.many {
		o["allValue"] = "*"
		o["current"] = object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}
	}
	return o
}
