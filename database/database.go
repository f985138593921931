// Package database is what an agent pushes metrics to: the client that each kind of database implements.
package database

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/internal/registry"
)

// A Client speaks to one database. It is called from one goroutine at a time, and it neither retries nor sleeps between
// tries: delivery does.
type Client interface {
	// Send returns nil only once the database has taken ms, or, for a Confirmer, once ms is on its way. Any error may
	// be retried with the same ms, except a *Rejected. It returns soon after ctx is done. It does not keep ms.
	// An empty ms opens the connection, where there is one, and sends nothing: `check` calls it so.
	Send(ctx context.Context, ms []aggregator.Metric) error

	// Close ends the connection. Send after Close is not called.
	Close() error
}

// A Confirmer is a Client whose protocol has no acknowledgement of a single Send: a stream of lines over TCP.
type Confirmer interface {
	Client

	// Confirm returns nil once the database has taken everything that Send returned nil for since the last Confirm.
	// Where it, or a Send, returns an error, all of that is sent again.
	Confirm(ctx context.Context) error
}

// Rejected is the error of a Send some of whose points the database will never take, for what they hold: a bad name, a
// bad tag, a value out of range. They go to the dead letters and are not sent again.
type Rejected struct {
	Points []Point
	Rest   error // nil: the database took all others; otherwise why it did not, and they are sent again
}

// A Point names a metric of a Send by its index in ms, and says why it was rejected.
type Point struct {
	Index  int
	Reason string
}

func (r *Rejected) Error() string {
	s := "no points rejected"
	if len(r.Points) > 0 {
		s = fmt.Sprintf("%d points rejected, the first: %s", len(r.Points), r.Points[0].Reason)
	}
	if r.Rest != nil {
		s += "; the others not taken: " + r.Rest.Error()
	}
	return s
}

func (r *Rejected) Unwrap() error { return r.Rest }

// Options is what a factory gets from the agent.
type Options struct {
	Name      string            // the table's name in the configuration: "backup" in [database.backup]
	Decode    func(v any) error // fills v, the client's own Config with its defaults set, from the table; refuses unknown keys
	Frequency time.Duration     // time from one tick to the next
	Folder    string            // a folder of the client's own for what it keeps; it makes it where it needs it
	Log       *slog.Logger      // never nil
}

// A Factory makes a client of one type. It checks the configuration and fails with an error that says what would be
// right; it opens no connection: the first Send does.
type Factory func(Options) (Client, error)

// A Registry holds the types of databases that an agent knows.
type Registry = registry.Registry[Factory]

// NewRegistry makes an empty registry of databases.
func NewRegistry() *Registry { return registry.New[Factory]("database") }
