package graphite

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/setting"
	"github.com/clusterload/clusterload/wire"
)

// Config is the table of a Graphite database in the configuration.
type Config struct {
	Address     string           `toml:"address"`     // host name or IP address
	Port        int              `toml:"port"`        // 2003; 2004 with protocol "pickle"
	Protocol    string           `toml:"protocol"`    // "line" or "pickle", both over TCP, or "udp"; unset: "pickle" on port 2004, otherwise "line"
	Style       string           `toml:"style"`       // "path", or "tags" for Graphite 1.1 and later
	Counters    string           `toml:"counters"`    // "both", "rate" or "raw"
	Timeout     setting.Duration `toml:"timeout"`     // for each dial, write and acknowledgement; 10s
	Acknowledge string           `toml:"acknowledge"` // "auto", "close" or "drain", see Client
	TLS         *TLS             `toml:"tls"`         // nil: no encryption
}

// TLS is the table of its encryption. Files are read again at each connect, so that renewed certificates need no restart.
type TLS struct {
	CA         string `toml:"ca"`          // PEM file of the authorities that are trusted; empty: the system's
	Cert       string `toml:"cert"`        // PEM file of the client's certificate; empty: none is shown
	Key        string `toml:"key"`         // PEM file of its key
	ServerName string `toml:"server_name"` // the name that the server's certificate must be for; empty: the address
}

const (
	linePort       = 2003
	picklePort     = 2004
	defaultTimeout = 10 * time.Second

	protocolLine   = "line"
	protocolPickle = "pickle"
	protocolUDP    = "udp"

	acknowledgeAuto  = "auto"
	acknowledgeClose = "close"
	acknowledgeDrain = "drain"
)

// complete checks the configuration and fills in what depends on other settings.
func (c *Config) complete() error {
	if err := c.completeAddress(); err != nil {
		return err
	}
	if c.Protocol == "" {
		c.Protocol = protocolLine
		if c.Port == picklePort {
			c.Protocol = protocolPickle
		}
	}
	if c.Port == 0 {
		c.Port = linePort
		if c.Protocol == protocolPickle {
			c.Port = picklePort
		}
	}
	c.Timeout = setting.Duration(c.Timeout.Or(defaultTimeout))
	for _, word := range []struct {
		key   string
		value *string
		known []string // the first is the default
	}{
		{"protocol", &c.Protocol, []string{protocolLine, protocolPickle, protocolUDP}},
		{"style", &c.Style, []string{"path", "tags"}},
		{"counters", &c.Counters, []string{"both", "rate", "raw"}},
	} {
		if err := choose(word.key, word.value, word.known); err != nil {
			return err
		}
	}
	if c.Protocol != protocolUDP {
		if err := choose("acknowledge", &c.Acknowledge, []string{acknowledgeAuto, acknowledgeClose, acknowledgeDrain}); err != nil {
			return err
		}
	} else if c.Acknowledge != "" {
		return fmt.Errorf(`acknowledge: %q: leave it out, protocol = "udp" has no acknowledgement`, c.Acknowledge)
	}
	return c.checkTLS()
}

func (c *Config) completeAddress() error {
	if strings.HasPrefix(c.Address, "[") && strings.HasSuffix(c.Address, "]") {
		c.Address = c.Address[1 : len(c.Address)-1]
	}
	if c.Address == "" {
		return fmt.Errorf(`address is missing: want a host name or an IP address, as in address = "127.0.0.1"`)
	}
	if _, err := netip.ParseAddr(c.Address); err != nil {
		if host, port, err := net.SplitHostPort(c.Address); err == nil && isNumber(port) {
			return fmt.Errorf("address: %q: want the host alone, as in address = %q and port = %s", c.Address, host, port)
		}
		if strings.ContainsAny(c.Address, ":/ \t\r\n[]") {
			return fmt.Errorf(`address: %q: want a host name or an IP address, as in "graphite.example.org", "192.0.2.7" or "2001:db8::7"`, c.Address)
		}
	}
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("port: %d: want 1 to 65535", c.Port)
	}
	return nil
}

// choose checks a word against those that are known, the first of which is what an empty one stands for.
func choose(key string, value *string, known []string) error {
	if *value == "" {
		*value = known[0]
	}
	if slices.Contains(known, *value) {
		return nil
	}
	return fmt.Errorf("%s: unknown %q (known: %s)", key, *value, strings.Join(known, ", "))
}

func (c *Config) checkTLS() error {
	switch {
	case c.TLS == nil:
		return nil
	case c.Protocol == protocolUDP:
		return fmt.Errorf(`tls: leave it out, protocol = "udp" cannot be encrypted`)
	case c.TLS.Cert != "" && c.TLS.Key == "":
		return fmt.Errorf("tls: key is missing: cert and key go together")
	case c.TLS.Key != "" && c.TLS.Cert == "":
		return fmt.Errorf("tls: cert is missing: cert and key go together")
	}
	_, err := c.TLS.config(c.Address)
	return err
}

// target is the host and port to dial. The name is resolved at each dial.
func (c *Config) target() string { return net.JoinHostPort(c.Address, strconv.Itoa(c.Port)) }

// speller makes the speller of the style.
func (c *Config) speller() *wire.Graphite {
	return wire.NewGraphite(wire.GraphiteOptions{
		Tagged:   c.Style == "tags",
		Counters: map[string]wire.Counters{"rate": wire.Rate, "raw": wire.Raw, "both": wire.Both}[c.Counters],
	})
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}
