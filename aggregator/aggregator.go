// Package aggregator is what an agent asks for the load of a cluster: the metrics, the aggregators that produce them,
// and the loop that runs these every tick.
package aggregator

import (
	"context"
	"log/slog"
	"time"

	"github.com/clusterload/clusterload/internal/registry"
)

// An Aggregator reads one source of load: a workload manager, the host, the GPUs, …
type Aggregator interface {
	// Describe returns every metric that Aggregate may add. It is called once, before the first Aggregate, and must
	// not touch the source.
	Describe() []*Desc

	// Aggregate reads its source once and adds what it saw to b. What it added before an error is kept: independent
	// parts carry on and their errors are joined. A part that failed adds nothing of its own: no zeros, no old values.
	// It returns soon after ctx is done. One Aggregator never runs twice at once; different ones run side by side.
	// A panic is caught and counts as an error.
	Aggregate(ctx context.Context, b *Batch) error
}

// Options is what a factory gets from the agent.
type Options struct {
	Name      string            // the table's name in the configuration: "slurm" in [aggregator.slurm]
	Decode    func(v any) error // fills v, the plugin's own Config with its defaults set, from the table; refuses unknown keys
	Frequency time.Duration     // time from one tick to the next
	Folder    string            // a folder of the plugin's own for what it keeps between runs; it makes it where it needs it
	Log       *slog.Logger      // never nil
}

// A Factory makes an aggregator of one type. It checks the configuration and fails with an error that says what would
// be right; it does not touch the source, so that `check` and the docs can make one anywhere.
type Factory func(Options) (Aggregator, error)

// A Registry holds the types of aggregators that an agent knows.
type Registry = registry.Registry[Factory]

// NewRegistry makes an empty registry of aggregators.
func NewRegistry() *Registry { return registry.New[Factory]("aggregator") }
