// Package databasetest is the one suite that every database client passes: what is sent arrives, all of it, whatever
// happens to the connection and to the server on the way.
//
// A client's test describes its server and calls Run:
//
//	func TestClient(t *testing.T) {
//		databasetest.Run(t, databasetest.Server{Open: open, Start: start, Bad: bad})
//	}
package databasetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

// A Server is a kind of database, with the client for it.
type Server struct {
	// Open makes a client of the database that listens on address, host:port. It gives up on a dial, a write or an
	// answer after timeout. The suite closes it.
	Open func(t testing.TB, address string, timeout time.Duration) database.Client

	// Start starts an empty database for the length of the test. It is called once.
	Start func(t testing.TB) Database

	// Bad makes points of a case that the database would never take, for the client to name in a *database.Rejected. Their
	// Desc is not Points. Nil: there are none.
	Bad func(name string) []aggregator.Metric

	// Spell says how a label is spelled in the database. Nil: as it is.
	Spell func(label string) string

	// Lossy is set where the protocol itself loses what a fault touches: UDP. Faults are then left out, and the client
	// speaks to the database without the Link that makes them.
	Lossy bool
}

// A Database is one that runs.
type Database interface {
	// Address is host:port where it listens, the same after each Restart.
	Address() string

	// Stored returns every value that is on disk, or will be at the next Restart, of the series whose label "case" is
	// name, by their label "series" and time.
	Stored(ctx context.Context, name string) (map[Key]float64, error)

	// Restart ends the database, in order or not, with its connections, and starts it again with all that Stored returned
	// before.
	Restart(ctx context.Context) error
}

// A Key names a value of a case.
type Key struct {
	Series string // the label as it is spelled in the database
	Time   int64  // Unix time in seconds
}

const (
	patient   = 20 * time.Second       // a client's timeout where nothing is to be waited for
	impatient = 300 * time.Millisecond // and where something hangs
	limit     = time.Minute            // for a whole case
)

// Run runs the suite, each case as a subtest.
func Run(t *testing.T, s Server) {
	cases := []struct {
		name  string
		lossy bool // runs with a lossy protocol too
		run   func(*kase)
	}{
		{"taken", true, taken},
		{"nothing", true, nothing},
		{"partly_rejected", true, partlyRejected},
		{"bad_characters", true, badCharacters},
		{"large", false, large},
		{"refused", false, refused},
		{"slow", false, slow},
		{"closed_before", false, closedBefore},
		{"closed_midway", false, closedMidway},
		{"reset_midway", false, resetMidway},
		{"reset_unread", false, resetUnread},
		{"stalled", false, stalled},
		{"cancelled", false, cancelled},
		{"restarted", false, restarted},
		{"resets_everywhere", false, resetsEverywhere},
	}
	d := s.Start(t)
	for _, c := range cases {
		if s.Lossy && !c.lossy {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			k := &kase{T: t, ctx: ctx, name: c.name, server: s, database: d, address: d.Address(), sent: map[Key]float64{}}
			if !s.Lossy {
				k.link = NewLink(t, d.Address())
				k.address = k.link.Address()
			}
			c.run(k)
			k.stored()
		})
	}
}

// A kase is one case that runs.
type kase struct {
	*testing.T
	ctx      context.Context
	name     string
	server   Server
	database Database
	link     *Link // nil with a lossy protocol
	address  string
	sent     map[Key]float64 // what the database is to hold in the end
	blocks   int             // made so far
}

// open makes a client that is closed at the end.
func (k *kase) open(timeout time.Duration) database.Client {
	k.Helper()
	c := k.server.Open(k.T, k.address, timeout)
	k.Cleanup(func() {
		if err := c.Close(); err != nil {
			k.Errorf("close: %v", err)
		}
	})
	return c
}

// deliver sends blocks, which the database is to hold in the end, and returns the errors on the way.
func (k *kase) deliver(c database.Client, window int, blocks ...[]aggregator.Metric) []error {
	k.Helper()
	k.expect(blocks...)
	errs, err := Deliver(k.ctx, c, window, blocks...)
	require.NoError(k, err)
	return errs
}
