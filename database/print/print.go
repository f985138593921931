// Package print writes metrics as Graphite's lines to standard output or standard error, for a look at what would be sent
// or for another program to read.
package print

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/wire"
)

// Config is the table of a print database in the configuration.
type Config struct {
	Stream string `toml:"stream"` // "stdout" or "stderr"
}

// A Client writes to a stream. Of a counter it writes the total and, as Graphite gets it, the rate. A write that blocks, because nobody reads the pipe, blocks Send.
type Client struct {
	stream  string
	w       io.Writer
	speller *wire.Graphite
	buf     []byte
}

// New makes the client. Streams are not closed by it.
func New(o database.Options) (database.Client, error) {
	c := Config{Stream: "stdout"}
	if err := o.Decode(&c); err != nil {
		return nil, err
	}
	streams := map[string]io.Writer{"stdout": os.Stdout, "stderr": os.Stderr}
	w, ok := streams[c.Stream]
	if !ok {
		return nil, fmt.Errorf("stream: unknown %q (known: stdout, stderr)", c.Stream)
	}
	return &Client{stream: c.Stream, w: w, speller: wire.NewGraphite(wire.GraphiteOptions{Counters: wire.Both})}, nil
}

// chunk is how many bytes are written at once.
const chunk = 64 << 10

// Send implements database.Client: it returns once everything is written.
func (c *Client) Send(ctx context.Context, ms []aggregator.Metric) error {
	for c.speller.Begin(ms); c.speller.More(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.buf = c.speller.AppendLines(c.buf[:0], chunk)
		if _, err := c.w.Write(c.buf); err != nil {
			return fmt.Errorf("print to %s: %w", c.stream, err)
		}
	}
	var points []database.Point
	for _, p := range c.speller.Refused() {
		points = append(points, database.Point{Index: p.Index, Reason: p.Reason})
	}
	if points == nil {
		return nil
	}
	return &database.Rejected{Points: points}
}

// Close implements database.Client.
func (c *Client) Close() error { return nil }
