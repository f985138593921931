// Package graphite sends metrics to Graphite: to carbon, a relay, go-carbon, or whatever else reads its line or pickle
// protocol.
package graphite

import (
	"fmt"

	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/wire"
)

// New makes the client of a Graphite database: over TCP a database.Confirmer, over UDP none.
func New(o database.Options) (database.Client, error) {
	var c Config
	if err := o.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	if c.Protocol == protocolUDP {
		return newUDP(c), nil
	}
	return newClient(c, o.Log), nil
}

// rejected makes the error of the points that the speller left out, or nil where it left out none.
func rejected(s *wire.Graphite) error {
	refused := s.Refused()
	if len(refused) == 0 {
		return nil
	}
	r := &database.Rejected{Points: make([]database.Point, len(refused))}
	for i, p := range refused {
		r.Points[i] = database.Point{Index: p.Index, Reason: p.Reason}
	}
	return r
}

// failed says which server an error is about.
func failed(target string, err error) error { return fmt.Errorf("graphite %s: %w", target, err) }
