package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// options are the flags.
type options struct {
	path      string
	retention duration
	maxSize   size
	floor     size
	step      duration
	maxPoints int64

	listen string
	line   string
	pickle string

	graphite  string
	token     string
	tokenFile string
	cert, key string
	anyone    bool
	debug     bool
}

const help = `A Graphite in one program: points come as lines to --line (and pickles to --pickle), and a browser or
Grafana finds Graphite's HTTP API and the dashboard at --listen.

  clusterload-store --path /var/lib/clusterload/store
  clusterload-store --path store --retention 90d --max-size 20GiB
  clusterload-store --graphite http://graphite.example.org   the dashboard over another Graphite

It listens on this machine only. To be reached from elsewhere it wants a certificate (--tls-cert, --tls-key), a
token (--token-file), or --anyone-may-read.`

func command() *cobra.Command {
	o := &options{retention: duration(400 * 24 * time.Hour), floor: 256 << 20, step: duration(10 * time.Second)}
	c := &cobra.Command{
		Use: "clusterload-store", Short: "A Graphite in one program", Long: help, Args: cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return run(c.Context(), o, nil)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.path, "path", "", "folder of the points")
	f.Var(&o.retention, "retention", "how long points are kept: 90d, 52w, 2y")
	f.Var(&o.maxSize, "max-size", "what they may take on the disk before the oldest go: 20GiB; 0 for no limit")
	f.Var(&o.floor, "keep-free", "what stays free on the disk: below it no points are accepted")
	f.Var(&o.step, "step", "step of a series of which only one point is known")
	f.Int64Var(&o.maxPoints, "max-points", 20_000_000, "points that one query may read")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address of the HTTP API and the pages")
	f.StringVar(&o.line, "line", "127.0.0.1:2003", "address that takes lines, host:port or the path of a socket; empty for none")
	f.StringVar(&o.pickle, "pickle", "", "address that takes pickles, as carbon's 2004; empty for none")
	f.StringVar(&o.graphite, "graphite", "", "address of another Graphite to serve the pages over, instead of an own store")
	f.StringVar(&o.token, "token", "", "token that readers send (Authorization: Bearer, or as a password); better in --token-file")
	f.StringVar(&o.tokenFile, "token-file", "", "file that holds the token")
	f.StringVar(&o.cert, "tls-cert", "", "file of the certificate, PEM")
	f.StringVar(&o.key, "tls-key", "", "file of its key, PEM")
	f.BoolVar(&o.anyone, "anyone-may-read", false, "serve other machines without a certificate and without a token")
	f.BoolVar(&o.debug, "debug", false, "log more")
	return c
}

// check says what does not go together, and reads the token.
func (o *options) check() error {
	if o.tokenFile != "" {
		if o.token != "" {
			return errors.New("--token and --token-file: want one of them")
		}
		b, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		if o.token = strings.TrimSpace(string(b)); o.token == "" {
			return fmt.Errorf("--token-file: %s is empty", o.tokenFile)
		}
	}
	if (o.cert == "") != (o.key == "") {
		return errors.New("--tls-cert and --tls-key: want both or none")
	}
	if o.graphite != "" {
		u, err := url.Parse(o.graphite)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("--graphite: %q: want http://host or https://host", o.graphite)
		}
	} else if o.path == "" {
		return errors.New("--path: want the folder of the points, or --graphite with another Graphite's address")
	}
	if o.cert == "" && o.token == "" && !o.anyone && !loopback(o.listen) {
		return fmt.Errorf("--listen: %s is reached from other machines: want --tls-cert and --tls-key, --token-file, or --anyone-may-read", o.listen)
	}
	return nil
}

// loopback tells whether an address is this machine's own.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// A duration is a flag with the units s, m, h, d, w and y.
type duration time.Duration

func (d *duration) String() string {
	t := time.Duration(*d)
	if t > 0 && t%(24*time.Hour) == 0 {
		return strconv.Itoa(int(t/(24*time.Hour))) + "d"
	}
	return t.String()
}

func (*duration) Type() string { return "duration" }

// Set reads "90d" or what Go reads as a duration.
func (d *duration) Set(s string) error {
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"y", 365 * 24 * time.Hour}} {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(digits, 64)
		if err != nil || n < 0 || n > float64(math.MaxInt64/int64(u.unit)) {
			return fmt.Errorf("%q: want a duration: 12h, 90d, 2y", s)
		}
		*d = duration(n * float64(u.unit))
		return nil
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < 0 {
		return fmt.Errorf("%q: want a duration: 12h, 90d, 2y", s)
	}
	*d = duration(t)
	return nil
}

// A size is a flag of bytes, with the units kB, MB, GB, TB, KiB, MiB, GiB and TiB.
type size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

func (s *size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if b := int64(sizeUnits[u].bytes); *s > 0 && int64(*s)%b == 0 {
			return strconv.FormatInt(int64(*s)/b, 10) + sizeUnits[u].suffix
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (*size) Type() string { return "size" }

// Set reads "20GiB".
func (s *size) Set(text string) error {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || n < 0 || n*u.bytes >= math.MaxInt64 {
			break
		}
		*s = size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q: want a size: 500MB, 20GiB", text)
}
