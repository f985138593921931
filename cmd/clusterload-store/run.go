package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/clusterload/clusterload/internal/daemon"
	"github.com/clusterload/clusterload/web"
)

// addresses are where the running program listens.
type addresses struct{ http, line, pickle net.Addr }

// run runs until ctx ends, and ends within seconds then. It calls ready, if any, once it listens.
func run(ctx context.Context, o *options, ready func(addresses)) error {
	level := slog.LevelInfo
	if o.debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(40) // the store holds much and makes little garbage
	}
	var at addresses
	var handler http.Handler
	var err error
	if o.graphite != "" {
		handler, err = graphiteProxy(o.graphite, web.Handler())
	} else {
		var h *holder
		if h, err = openHolder(o, log); err == nil {
			defer h.close()
			if at.line, at.pickle, err = h.receive(o); err == nil {
				handler = h.handler(web.Handler())
				go h.watch(ctx)
			}
		}
	}
	if err != nil {
		return err
	}
	l, err := listen(o)
	if err != nil {
		return err
	}
	at.http = l.Addr()
	server := &http.Server{Handler: withToken(o.token, handler), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute,
		WriteTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 256 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	return serve(ctx, server, l, func() {
		log.Info("listening", "http", at.http, "line", at.line, "pickle", at.pickle)
		if ready != nil {
			ready(at)
		}
		if err := daemon.Notify("READY=1"); err != nil {
			log.Warn("nobody was told that the store is ready", "error", err)
		}
	})
}

// listen opens the address of the HTTP API.
func listen(o *options) (net.Listener, error) {
	l, err := net.Listen("tcp", o.listen)
	if err != nil || o.cert == "" {
		return l, err
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}), nil
}

// serve serves until ctx ends, and gives requests that run then five seconds.
func serve(ctx context.Context, server *http.Server, l net.Listener, ready func()) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	ready()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	_ = daemon.Notify("STOPPING=1")
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
