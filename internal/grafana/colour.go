package grafana

import "strings"

// stateColours are those of the dashboard's pages, in one shade that can be told on Grafana's light and dark ground. They
// differ in lightness as well as in hue, so that they stay apart for everyone.
var stateColours = map[string]string{
	"allocated": "#2a62c9",
	"mixed":     "#8db3ee",
	"idle":      "#c3ccd8",
	"draining":  "#f1d59c",
	"drained":   "#dd9a1e",
	"down":      "#b4261c",
	"other":     "#7d8694",
	"running":   "#2a62c9",
	"pending":   "#d0742a",
	"good":      "#1c7c54",
}

// palette is for series that are not states: partitions, commands, databases.
const palette = "palette-classic"

// colours makes the overrides that give series their colours, by their names: "allocated", or "not available=drained" where
// the series is called otherwise than its colour.
func colours(names ...string) []object {
	var list []object
	for _, n := range names {
		series, colour, other := strings.Cut(n, "=")
		if !other {
			colour = series
		}
		list = append(list, object{
			"matcher":    object{"id": "byName", "options": series},
			"properties": []object{{"id": "color", "value": object{"mode": "fixed", "fixedColor": stateColours[colour]}}},
		})
	}
	return list
}

// A step is the value from which on a colour holds; the first one of a list holds from the lowest.
type step struct {
	from   float64
	colour string
}

func thresholds(steps []step) object {
	list := []object{}
	for i, s := range steps {
		o := object{"color": stateColours[s.colour], "value": s.from}
		if i == 0 {
			o["value"] = nil
		}
		list = append(list, o)
	}
	return object{"mode": "absolute", "steps": list}
}

var (
	plain  = []step{{0, "allocated"}}                                // nothing is wrong with any value
	faults = []step{{0, "good"}, {1, "drained"}}                     // one is worth a look
	ok     = []step{{0, "down"}, {1, "good"}}                        // 1 is well
	filled = []step{{0, "allocated"}, {85, "pending"}, {97, "down"}} // percent of what can be full, and should not be
	late   = []step{{0, "good"}, {60, "drained"}, {600, "down"}}     // seconds
	lost   = []step{{0, "good"}, {0.0001, "down"}}                   // none should be
	slow   = []step{{0, "good"}, {2, "drained"}, {8, "down"}}        // seconds of a command
	used   = []step{{0, "idle"}, {1, "mixed"}, {50, "allocated"}}    // percent of what is good to use
)

// value maps single values to words and colours.
type value struct {
	at           int
	text, colour string
}

var (
	yesNo     = []value{{0, "no", "down"}, {1, "yes", "good"}}
	upDown    = []value{{0, "down", "down"}, {1, "up", "good"}}
	nodeCodes = []value{{0, "unknown", "other"}, {1, "idle", "idle"}, {2, "mixed", "mixed"}, {3, "allocated", "allocated"}, {4, "draining", "draining"},
		{5, "drained", "drained"}, {6, "failing", "drained"}, {7, "down", "down"}, {8, "error", "down"}, {9, "future", "other"}}
)
