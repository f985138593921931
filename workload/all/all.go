// Package all lists the aggregators that an agent knows, one line each.
package all

import (
	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/workload/slurm"
)

// Register adds them to r.
func Register(r *aggregator.Registry) {
	r.Add("slurm", slurm.New)
}
