package agent

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completePatience is how long a shell waits for a completion.
const completePatience = 2 * time.Second

// complete offers the paths that go on from what was begun, one element further, also within a function's brackets.
func (o *queryOptions) complete(begun string) ([]string, cobra.ShellCompDirective) {
	const none = cobra.ShellCompDirectiveNoFileComp
	o.timeout = completePatience
	client, err := o.client()
	if err != nil {
		return nil, none
	}
	head, path := splitTarget(begun)
	found, err := client.Find(context.Background(), path+"*")
	if err != nil {
		return nil, none // a shell shows no errors
	}
	parent := path[:strings.LastIndexByte(path, '.')+1]
	var offers []string
	for _, n := range found {
		offer := head + parent + n.Name
		if !n.Leaf {
			offer += "."
		}
		offers = append(offers, offer)
	}
	return offers, none | cobra.ShellCompDirectiveNoSpace
}

// splitTarget splits a target that is being written into what stands and the path at its end: "sumSeries(a.b,hpc1.jo"
// is "sumSeries(a.b," and "hpc1.jo".
func splitTarget(begun string) (head, path string) {
	at := strings.LastIndexAny(begun, "(, \"'") + 1
	return begun[:at], begun[at:]
}
