// Package all lists the databases that the agent knows.
package all

import (
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/database/graphite"
	"github.com/clusterload/clusterload/database/print"
)

// Register adds every database to r.
func Register(r *database.Registry) {
	r.Add("graphite", graphite.New)
	r.Add("print", print.New)
}
