package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clusterload/clusterload/internal/setting"
)

// options are the flags.
type options struct {
	path      string
	retention setting.Duration
	maxSize   setting.Size
	floor     setting.Size
	step      setting.Duration
	maxPoints int64

	listen string
	line   string
	pickle string

	graphite  string
	token     string // what tokenFile holds: an argument would show in the list of processes
	tokenFile string
	cert, key string
	anyone    bool
	debug     bool
	child     bool
}

const help = `A Graphite in one program: points come as lines to --line (and pickles to --pickle), and a browser or
Grafana finds Graphite's HTTP API and the dashboard at --listen.

  clusterload-store --path /var/lib/clusterload/store
  clusterload-store --path store --retention 90d --max-size 20GiB
  clusterload-store --graphite http://graphite.example.org   the dashboard over another Graphite

It listens on this machine only. To be reached from elsewhere it wants a certificate (--tls-cert, --tls-key), a
token (--token-file), or --anyone-may-read.`

func command() *cobra.Command {
	c, o := flags()
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.check(); err != nil {
			return err
		}
		ctx := c.Context()
		if o.child {
			ctx = untilEnd(ctx, os.Stdin)
		}
		return run(ctx, o, nil)
	}
	return c
}

// flags makes the command and the options that its flags fill.
func flags() (*cobra.Command, *options) {
	o := &options{retention: setting.Duration(400 * 24 * time.Hour), floor: 256 << 20, step: setting.Duration(10 * time.Second)}
	c := &cobra.Command{
		Use: "clusterload-store", Short: "A Graphite in one program", Long: help, Args: cobra.NoArgs,
		SilenceUsage: true, SilenceErrors: true,
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
	f.StringVar(&o.tokenFile, "token-file", "", "file that holds the token that readers send (Authorization: Bearer, or as a password)")
	f.StringVar(&o.cert, "tls-cert", "", "file of the certificate, PEM")
	f.StringVar(&o.key, "tls-key", "", "file of its key, PEM")
	f.BoolVar(&o.anyone, "anyone-may-read", false, "serve other machines without a certificate and without a token")
	f.BoolVar(&o.child, "end-with-stdin", false, "end when standard input ends: the agent that started it has ended")
	f.BoolVar(&o.debug, "debug", false, "log more")
	return c, o
}

// untilEnd returns a context that is done once r has ended.
func untilEnd(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, r)
		cancel()
	}()
	return ctx
}

// check says what does not go together, and reads the token.
func (o *options) check() error {
	if o.tokenFile != "" {
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
