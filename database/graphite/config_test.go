package graphite

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/database/databasetest"
	"github.com/clusterload/clusterload/internal/setting"
)

func TestConfig(t *testing.T) {
	full := Config{Address: "h", Port: 2003, Protocol: "line", Style: "path", Counters: "both", Timeout: setting.Duration(10 * time.Second),
		Acknowledge: "auto"}
	with := func(change func(c *Config)) Config {
		c := full
		change(&c)
		return c
	}
	tests := []struct {
		text   string
		want   Config
		target string
	}{
		{`address = "h"`, full, "h:2003"},
		{"address = \"h\"\nport = 2004", with(func(c *Config) { c.Port, c.Protocol = 2004, "pickle" }), "h:2004"},
		{"address = \"h\"\nport = 2004\nprotocol = \"line\"", with(func(c *Config) { c.Port = 2004 }), "h:2004"},
		{"address = \"h\"\nprotocol = \"pickle\"", with(func(c *Config) { c.Port, c.Protocol = 2004, "pickle" }), "h:2004"},
		{"address = \"h\"\nport = 7\nprotocol = \"udp\"", with(func(c *Config) { c.Port, c.Protocol, c.Acknowledge = 7, "udp", "" }), "h:7"},
		{`address = "2001:db8::7"`, with(func(c *Config) { c.Address = "2001:db8::7" }), "[2001:db8::7]:2003"},
		{`address = "[::1]"`, with(func(c *Config) { c.Address = "::1" }), "[::1]:2003"},
		{"address = \"h\"\ntimeout = 3\nstyle = \"tags\"\ncounters = \"raw\"\nacknowledge = \"drain\"", with(func(c *Config) {
			c.Timeout, c.Style, c.Counters, c.Acknowledge = setting.Duration(3*time.Second), "tags", "raw", "drain"
		}), "h:2003"},
		{"address = \"h\"\n[tls]\nserver_name = \"x\"", with(func(c *Config) { c.TLS = &TLS{ServerName: "x"} }), "h:2003"},
	}
	for _, test := range tests {
		var c Config
		require.NoError(t, decoder(test.text)(&c))
		require.NoError(t, c.complete(), test.text)
		assert.Equal(t, test.want, c, test.text)
		assert.Equal(t, test.target, c.target())
	}
}

func TestBadConfig(t *testing.T) {
	ca := databasetest.NewAuthority(t)
	cert, key := ca.Issue("x")
	other, _ := ca.Issue("y")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	tests := []struct{ text, want string }{
		{``, `address is missing: want a host name or an IP address, as in address = "127.0.0.1"`},
		{`address = "h:2003"`, `address: "h:2003": want the host alone, as in address = "h" and port = 2003`},
		{`address = "[::1]:2003"`, `address: "[::1]:2003": want the host alone, as in address = "::1" and port = 2003`},
		{`address = "http://h"`, `address: "http://h": want a host name or an IP address, as in "graphite.example.org", "192.0.2.7" or "2001:db8::7"`},
		{`address = "a b"`, `address: "a b": want a host name or an IP address, as in "graphite.example.org", "192.0.2.7" or "2001:db8::7"`},
		{"address = \"h\"\nport = 70000", `port: 70000: want 1 to 65535`},
		{"address = \"h\"\nport = -1", `port: -1: want 1 to 65535`},
		{"address = \"h\"\nprotocol = \"tcp\"", `protocol: unknown "tcp" (known: line, pickle, udp)`},
		{"address = \"h\"\nstyle = \"tag\"", `style: unknown "tag" (known: path, tags)`},
		{"address = \"h\"\ncounters = \"all\"", `counters: unknown "all" (known: both, rate, raw)`},
		{"address = \"h\"\nacknowledge = \"ack\"", `acknowledge: unknown "ack" (known: auto, close, drain)`},
		{"address = \"h\"\nprotocol = \"udp\"\nacknowledge = \"close\"", `acknowledge: "close": leave it out, protocol = "udp" has no acknowledgement`},
		{"address = \"h\"\nprotocol = \"udp\"\n[tls]", `tls: leave it out, protocol = "udp" cannot be encrypted`},
		{"address = \"h\"\ntls = {cert = \"x\"}", `tls: key is missing: cert and key go together`},
		{"address = \"h\"\ntls = {key = \"x\"}", `tls: cert is missing: cert and key go together`},
		{"address = \"h\"\ntls = {ca = \"/nowhere/ca.pem\"}", `tls: ca: open /nowhere/ca.pem: no such file or directory`},
		{"address = \"h\"\ntls = {ca = \"" + empty + "\"}", `tls: ca: ` + empty + `: want certificates in PEM (-----BEGIN CERTIFICATE-----)`},
		{"address = \"h\"\ntls = {cert = \"" + other + "\", key = \"" + key + "\"}", `tls: cert and key: tls: private key does not match public key`},
		{"address = \"h\"\ntls = {cert = \"" + cert + "\", key = \"/nowhere\"}", `tls: cert and key: open /nowhere: no such file or directory`},
		{"adress = \"h\"", `unknown key [adress]`},
	}
	for _, test := range tests {
		c, err := New(database.Options{Decode: decoder(test.text), Log: slog.New(slog.DiscardHandler)})
		assert.Nil(t, c)
		assert.EqualError(t, err, test.want, test.text)
	}
}
