// Command csv is an agent with a database of its own: a file of comma-separated values.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/clusterload/clusterload/agent"
	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

type csv struct {
	Path string `toml:"path"`
}

func newCSV(o database.Options) (database.Client, error) {
	c := &csv{Path: "/tmp/load.csv"} // the default
	return c, o.Decode(c)            // what the table says; refuses unknown keys
}

func (c *csv) Send(_ context.Context, ms []aggregator.Metric) error {
	var rows bytes.Buffer
	for _, m := range ms {
		fmt.Fprintf(&rows, "%d,%s,%s,%q,%g\n", m.Time, m.Cluster, m.Desc.Template, m.Labels, m.Value)
	}
	f, err := os.OpenFile(c.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err // whatever is returned here: the same metrics come again
	}
	_, err = f.Write(rows.Bytes())
	return errors.Join(err, f.Sync(), f.Close()) // nil only once they are on the disk
}

func (c *csv) Close() error { return nil }

func main() {
	aggregators, databases := agent.Builtin()
	databases.Add("csv", newCSV)
	os.Exit(agent.Main(aggregators, databases))
}
