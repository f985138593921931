package graphite

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/database/databasetest"
)

// decoder fills a Config as the agent does, from the text of a table.
func decoder(text string) func(v any) error {
	return func(v any) error {
		meta, err := toml.Decode(text, v)
		if err == nil && len(meta.Undecoded()) > 0 {
			err = fmt.Errorf("unknown key %v", meta.Undecoded())
		}
		return err
	}
}

func open(t testing.TB, text string) database.Client {
	c, err := New(database.Options{Name: "graphite", Decode: decoder(text), Frequency: 10 * time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	require.NoError(t, err)
	return c
}

// opener makes clients with some settings beside the address.
func opener(settings string) func(t testing.TB, address string, timeout time.Duration) database.Client {
	return func(t testing.TB, address string, timeout time.Duration) database.Client {
		host, port := split(t, address)
		return open(t, fmt.Sprintf("address = %q\nport = %d\ntimeout = %q\n%s", host, port, timeout, settings))
	}
}

func split(t testing.TB, address string) (host string, port int) {
	host, text, err := net.SplitHostPort(address)
	require.NoError(t, err)
	port, err = strconv.Atoi(text)
	require.NoError(t, err)
	return host, port
}

// patient is a timeout that no test waits for.
const patient = 20 * time.Second

// spellPath is the rule for path elements, written another way than in package wire.
func spellPath(label string) string {
	var b strings.Builder
	gap := false
	for _, c := range []byte(label) {
		switch {
		case strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c) >= 0:
			c += 32
		case strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789_-", c) < 0:
			if gap {
				continue
			}
			b.WriteByte('_')
			gap = true
			continue
		}
		gap = false
		b.WriteByte(c)
	}
	if b.Len() == 0 {
		return "_none"
	}
	return b.String()
}

func spellTag(label string) string {
	switch label {
	case "":
		return "_none"
	case "not\xff\xfeutf8":
		return "not__utf8"
	}
	var b strings.Builder
	for i, c := range label {
		if c <= ' ' || c == ';' || c == '\u2028' || c == '~' && i == 0 {
			c = '_'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// bad makes points that carbon would not take, or take for something else.
func bad(name string) []aggregator.Metric {
	var ms []aggregator.Metric
	for i, template := range []string{"suite..{case}", "suite {case}", "suite.{case}\n", "suite;a=b.{case}", "suite\xff.{case}",
		"suite.{case}." + strings.Repeat("x", 1020)} {
		ms = append(ms, aggregator.Metric{Desc: &aggregator.Desc{Template: template}, Cluster: databasetest.Cluster, Labels: []string{name},
			Time: 1753000000 + int64(i), Value: float64(100 + i)})
	}
	past := &aggregator.Desc{Template: "suite.{case}.past"}
	return append(ms, aggregator.Metric{Desc: past, Cluster: databasetest.Cluster, Labels: []string{name}, Time: -1, Value: 9})
}

// The suite against a server in this program: every protocol, style and way to acknowledge.
func TestClient(t *testing.T) {
	for _, acknowledge := range []string{"auto", "close"} {
		t.Run("line/"+acknowledge, func(t *testing.T) {
			t.Parallel()
			databasetest.Run(t, databasetest.Server{Open: opener("acknowledge = " + strconv.Quote(acknowledge)),
				Start: inProgram(databasetest.Lines), Bad: bad, Spell: spellPath})
		})
	}
	t.Run("pickle", func(t *testing.T) {
		t.Parallel()
		databasetest.Run(t, databasetest.Server{Open: opener(`protocol = "pickle"`), Start: inProgram(databasetest.Pickles), Bad: bad, Spell: spellPath})
	})
	t.Run("tags", func(t *testing.T) {
		t.Parallel()
		databasetest.Run(t, databasetest.Server{Open: opener(`style = "tags"`), Start: inProgram(databasetest.Lines), Bad: badTags, Spell: spellTag})
	})
}

func inProgram(p databasetest.Protocol) func(testing.TB) databasetest.Database {
	return func(t testing.TB) databasetest.Database { return databasetest.StartGraphite(t, p) }
}

// badTags leaves out what is bad only in a path: empty elements are dropped there.
func badTags(name string) []aggregator.Metric { return bad(name)[1:] }
