package graphite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/wire"
)

// chunk is how many bytes are written at once.
const chunk = 256 << 10

// A Client sends lines or pickles over TCP, with TLS or without.
//
// Graphite acknowledges nothing. When Send returns, the peer's kernel has taken everything; the peer itself may still not
// have read it, and would lose it by being killed. Confirm makes sure, in one of three ways, the setting acknowledge:
//
//   - close: it ends its side of the connection and waits for the peer to end the other. Carbon, go-carbon, relays and
//     VictoriaMetrics do so when they have read everything, and the kernel of a peer that throws unread bytes away sends
//     a reset instead of an orderly end. The next Send connects again. Of a relay that keeps a queue of its own, it proves
//     that the relay has it, no more.
//   - drain: it believes the peer's kernel, and keeps the connection.
//   - auto: as close, but a peer that has never once answered so, twice in a row, though it took everything, is taken for
//     one that never will, and is believed as in drain until the program ends. One that has answered is held to it.
type Client struct {
	config  Config
	log     *slog.Logger
	speller *wire.Graphite
	buf     []byte

	link        *link
	outstanding bool // there is something that Send returned nil for since the last Confirm

	drains   bool // Confirm believes the kernel
	closes   bool // the peer has once answered a half-close
	unclosed int  // half-closes in a row that had no answer
}

func newClient(c Config, log *slog.Logger) *Client {
	return &Client{config: c, log: log, speller: c.speller(), drains: c.Acknowledge == acknowledgeDrain}
}

// Send implements database.Client. An empty ms connects.
func (c *Client) Send(ctx context.Context, ms []aggregator.Metric) error {
	if err := c.connect(ctx); err != nil {
		return c.fail(err)
	}
	if err := c.write(ctx, ms); err != nil {
		return c.fail(err)
	}
	return rejected(c.speller)
}

// connect makes sure of a connection that stands. One that the peer has closed meanwhile, for being idle or to restart, is
// replaced, but only where nothing that was sent on it is in doubt.
func (c *Client) connect(ctx context.Context) error {
	if c.link != nil {
		err := c.link.broken()
		if err == nil {
			return nil
		}
		if c.outstanding {
			return fmt.Errorf("connection lost: %w", err)
		}
		c.drop()
	}
	l, err := dial(ctx, &c.config)
	c.link = l
	return err
}

func (c *Client) write(ctx context.Context, ms []aggregator.Metric) error {
	for c.speller.Begin(ms); c.speller.More(); {
		if c.config.Protocol == protocolPickle {
			c.buf = c.speller.AppendPickle(c.buf[:0], chunk)
		} else {
			c.buf = c.speller.AppendLines(c.buf[:0], chunk)
		}
		if len(c.buf) == 0 {
			continue
		}
		c.outstanding = true
		if err := c.link.write(ctx, c.buf); err != nil {
			return err
		}
	}
	if len(ms) == 0 {
		return c.link.objection(ctx)
	}
	return c.link.drain(ctx)
}

// fail drops the connection, since a line on it may be torn, and everything that is in doubt with it: it is sent again.
func (c *Client) fail(err error) error {
	c.drop()
	if !errors.Is(err, errUnanswered) {
		c.unclosed = 0
	}
	return failed(c.config.target(), err)
}

func (c *Client) drop() {
	if c.link != nil {
		c.link.abort()
		c.link = nil
	}
	c.outstanding = false
}

// Confirm implements database.Confirmer.
func (c *Client) Confirm(ctx context.Context) error {
	if !c.outstanding {
		return nil
	}
	if err := c.link.drain(ctx); err != nil {
		return c.fail(err)
	}
	if c.drains {
		c.outstanding = false
		return nil
	}
	if err := c.link.halfClose(ctx); err != nil {
		return c.fail(err)
	}
	if err := c.awaitEnd(ctx); err != nil {
		return c.fail(err)
	}
	c.outstanding, c.unclosed = false, 0
	err := c.link.close()
	c.link = nil
	if err != nil {
		c.log.Debug("graphite connection closed", "address", c.config.target(), "error", err) // everything was read before
	}
	return nil
}

// awaitEnd waits for the peer to close, and returns nil where that shows that it has read everything.
func (c *Client) awaitEnd(ctx context.Context) error {
	patience := c.link.timeout
	if c.closes {
		// A peer that is slow, and not gone, must get through one day, however often it is sent the same again.
		patience <<= min(c.unclosed, 3)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return c.unanswered(patience)
	case <-c.link.ended:
	}
	return c.answered()
}

// answered judges the end that came.
func (c *Client) answered() error {
	c.link.mu.Lock()
	err, said := c.link.err, c.link.said
	c.link.mu.Unlock()
	switch {
	case len(said) > 0:
		return c.link.broken()
	case err != io.EOF: // with TLS too: its notice of the end is not asked for, since many servers do without
		return fmt.Errorf("thrown away unread by the peer: %w", err)
	}
	c.closes = true
	return nil
}

// unanswered judges that no end came.
func (c *Client) unanswered(patience time.Duration) error {
	c.unclosed++
	if c.config.Acknowledge != acknowledgeAuto || c.closes || c.unclosed < 2 || c.link.broken() != nil {
		return fmt.Errorf("not confirmed: %w %s after everything was sent: it does not read, or it never closes (then see acknowledge)",
			errUnanswered, patience)
	}
	c.drains = true
	c.log.Warn("the Graphite server does not close connections that it has read to their end, so that what it takes cannot be confirmed; "+
		"from now on it is believed when its kernel has the data, and would lose what it has not read by being killed",
		"address", c.config.target(), "setting", `acknowledge = "drain" (to accept that) or "close" (never to)`)
	return nil
}

// Close implements database.Client. What was sent goes on its way.
func (c *Client) Close() error {
	if c.link == nil {
		return nil
	}
	err := c.link.close()
	c.link = nil
	return err
}
