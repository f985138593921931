// Command spool is an agent with an aggregator of its own: the files that wait in the spool of a data mover.
package main

import (
	"context"
	"os"

	"github.com/clusterload/clusterload/agent"
	"github.com/clusterload/clusterload/aggregator"
)

var waiting = &aggregator.Desc{Template: "spool.files", Unit: aggregator.Count, Help: "Files that wait to be moved", Source: "the folder"}

type spool struct {
	Path string `toml:"path"`
}

func newSpool(o aggregator.Options) (aggregator.Aggregator, error) {
	s := &spool{Path: "/var/spool/mover"} // the defaults
	return s, o.Decode(s)                 // what the table says; refuses unknown keys
}

func (s *spool) Describe() []*aggregator.Desc { return []*aggregator.Desc{waiting} }

func (s *spool) Aggregate(_ context.Context, b *aggregator.Batch) error {
	files, err := os.ReadDir(s.Path)
	if err != nil {
		return err // nothing is added: no zero where nobody looked
	}
	b.Add(waiting, float64(len(files)))
	return nil
}

func main() {
	aggregators, databases := agent.Builtin()
	aggregators.Add("spool", newSpool)
	os.Exit(agent.Main(aggregators, databases))
}
