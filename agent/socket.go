package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// socketName is the agent's socket in its folder. Whoever can write to it can ask how the agent is; nothing that is
// asked changes anything.
const socketName = "agent.sock"

const (
	maxConnections = 16      // at once; more wait
	maxHeader      = 8 << 10 // bytes of a request's head; a request has no body
)

// A socket serves /status and /metrics to the programs of this machine.
type socket struct {
	server *http.Server
	path   string
	log    *slog.Logger
}

// serve makes the socket in the folder, in place of one that an agent left behind: the folder's lock says that none
// runs.
func (a *Agent) serve(folder string) (*socket, error) {
	path := filepath.Join(folder, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("socket: %w", err)
	}
	near, release, err := reachable(path)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	defer release()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: near, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	l.SetUnlinkOnClose(false) // it knows the way that was near then
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("socket: %w", err)
	}
	s := &socket{path: path, log: a.log, server: &http.Server{
		Handler:           http.MaxBytesHandler(a.routes(), 0),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       15 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}}
	go func() {
		if err := s.server.Serve(&limited{Listener: l, free: make(chan struct{}, maxConnections), done: make(chan struct{})}); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the agent's socket has ended", "path", path, "error", err)
		}
	}()
	return s, nil
}

// close ends the socket and removes it.
func (s *socket) close() {
	_ = s.server.Close()
	if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Warn("socket not removed", "error", err)
	}
}

// maxSocketPath is how long the path of a socket may be: the kernel has 108 bytes for it, with a zero at the end.
const maxSocketPath = 107

// reachable returns a path to the same place that the kernel takes, until release: where path is too long, one through
// its open folder.
func reachable(path string) (near string, release func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)), func() { _ = unix.Close(fd) }, nil
}

// routes are what the socket answers.
func (a *Agent) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a.report(time.Now())) // who asked has gone
	})
	mux.HandleFunc("GET /metrics", a.serveMetrics)
	return mux
}

// serveMetrics answers GET /metrics?prefix=partition.&prefix=jobs.: the metrics of the last batches, of those whose
// template begins with one of the prefixes, of all where there is none. The ETag is another with every batch; a client
// that has the newest gets a 304.
func (a *Agent) serveMetrics(w http.ResponseWriter, r *http.Request) {
	tag := strconv.Quote(strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(a.last.newest(), 10))
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return
	}
	writeMetrics(w, &a.last, a.loop.Names(), a.loop.Cluster(), r.URL.Query()["prefix"])
}

// limited is a listener of at most so many connections at once.
type limited struct {
	net.Listener
	free chan struct{}
	done chan struct{}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &counted{Conn: c, free: l.free}, nil
}

func (l *limited) Close() error {
	close(l.done) // the server closes a listener once
	return l.Listener.Close()
}

// counted gives its place back when it is closed, once.
type counted struct {
	net.Conn
	free chan struct{}
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { <-c.free })
	return c.Conn.Close()
}

// dial connects to the socket at path.
func dial(ctx context.Context, path string) (net.Conn, error) {
	near, release, err := reachable(path)
	if err != nil {
		return nil, err
	}
	defer release()
	return (&net.Dialer{}).DialContext(ctx, "unix", near)
}
