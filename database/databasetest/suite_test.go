package databasetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

// naive writes to a connection and believes the kernel, as clients for Graphite usually do.
type naive struct {
	address string
	conn    net.Conn
}

func (n *naive) Send(_ context.Context, ms []aggregator.Metric) error {
	if n.conn == nil {
		c, err := net.Dial("tcp", n.address)
		if err != nil {
			return err
		}
		n.conn = c
	}
	for _, m := range ms {
		if _, err := fmt.Fprintf(n.conn, "hpc1.suite.%s.%s %v %d\n", m.Labels[0], m.Labels[1], m.Value, m.Time); err != nil {
			n.conn = nil
			return err
		}
	}
	return nil
}

func (n *naive) Close() error { return nil }

// The suite finds what a client loses that does not make sure.
func TestNaiveClientIsFoundOut(t *testing.T) {
	g := StartGraphite(t, Lines)
	k := &kase{T: t, ctx: t.Context(), name: "naive", database: g, sent: map[Key]float64{}}
	l := NewLink(t, g.Address())
	l.Next(Fault{Unread, 100})
	c := &naive{address: l.Address()}
	k.deliver(c, 1, k.block(40))
	require.NoError(t, c.conn.(*net.TCPConn).CloseWrite())
	_, err := c.conn.Read(make([]byte, 1))
	require.Error(t, err)
	got, err := g.Stored(t.Context(), "naive")
	require.NoError(t, err)
	assert.Regexp(t, `^\d+ of 40 points are wrong\nlost: "s00\d\d" at \d+, value 1`, k.compare(got))
}

func TestCompare(t *testing.T) {
	k := &kase{sent: map[Key]float64{{"a", 1}: 5, {"b", 2}: 6}}
	assert.Empty(t, k.compare(map[Key]float64{{"a", 1}: 5, {"b", 2}: 6}))
	assert.Equal(t, "3 of 2 points are wrong\naltered: \"a\" at 1 is 7, was sent as 5\nlost: \"b\" at 2, value 6\n"+
		"never sent: \"b\" at 3, value 8", k.compare(map[Key]float64{{"a", 1}: 7, {"b", 3}: 8}))
}

// script is a client that answers as it is told.
type script struct {
	sends, confirms []error
	sent            [][]aggregator.Metric
}

func next(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

func (s *script) Send(_ context.Context, ms []aggregator.Metric) error {
	s.sent = append(s.sent, slices.Clone(ms))
	return next(&s.sends)
}
func (s *script) Confirm(context.Context) error { return next(&s.confirms) }
func (s *script) Close() error                  { return nil }

func TestDeliver(t *testing.T) {
	metrics := func(values ...float64) (ms []aggregator.Metric) {
		for _, v := range values {
			ms = append(ms, aggregator.Metric{Value: v})
		}
		return ms
	}
	one, two, three := metrics(1), metrics(2, 3, 4), metrics(5)
	broken := errors.New("broken")
	reject := &database.Rejected{Points: []database.Point{{Index: 1, Reason: "bad"}}}
	tests := []struct {
		name            string
		sends, confirms []error
		want            [][]aggregator.Metric
		errs            []error
	}{
		{"well", nil, nil, [][]aggregator.Metric{one, two, three}, nil},
		{"a send fails", []error{nil, broken}, nil, [][]aggregator.Metric{one, two, one, two, three}, []error{broken}},
		{"a confirm fails", nil, []error{broken}, [][]aggregator.Metric{one, two, one, two, three}, []error{broken}},
		{"a point is rejected", []error{nil, reject}, []error{broken},
			[][]aggregator.Metric{one, two, one, metrics(2, 4), three}, []error{reject, broken}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &script{sends: test.sends, confirms: test.confirms}
			errs, err := Deliver(t.Context(), s, 2, one, two, three)
			require.NoError(t, err)
			assert.Equal(t, test.errs, errs)
			assert.Equal(t, test.want, s.sent)
		})
	}
	t.Run("never", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := Deliver(ctx, &naive{address: "127.0.0.1:1"}, 1, one)
		assert.ErrorContains(t, err, "block 0 of 1 does not get through")
	})
}

// The server in this program reads what carbon reads.
func TestGraphiteServer(t *testing.T) {
	g := StartGraphite(t, Lines)
	send := func(text string) {
		c, err := net.Dial("tcp", g.Address())
		require.NoError(t, err)
		_, err = talk(c.(*net.TCPConn), text)
		require.NoError(t, err)
	}
	send("hpc1.suite.x.a 1.5 10\nsuite;case=x;cluster=hpc1;series=b 2 11\nhpc1.suite.y.a 3 12\nhpc1.suite.x.torn 4 1")
	require.NoError(t, g.Restart(t.Context()))
	send("hpc1.suite.x.a 5 13\n")
	got, err := g.Stored(t.Context(), "x")
	require.NoError(t, err)
	assert.Equal(t, map[Key]float64{{"a", 10}: 1.5, {"b", 11}: 2, {"a", 13}: 5}, got)

	send("hpc1.load 1\n")
	assert.Equal(t, []string{`line "hpc1.load 1\n": want 3 fields: path, value, time`}, g.Garbage())
	send("other 1 2\n")
	_, err = g.Stored(t.Context(), "x")
	assert.ErrorContains(t, err, "was never sent")
}
