package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterload/clusterload/config"
)

// Errors of asking an agent.
var (
	errNotRunning = errors.New("no agent runs")             // nobody serves the socket
	errNoAnswer   = errors.New("the agent does not answer") // somebody does, and is stuck
)

// askPatience is how long the agent may take to answer.
const askPatience = 10 * time.Second

// maxAnswer bounds the memory for an answer.
const maxAnswer = 256 << 20

// A socketClient asks a running agent.
type socketClient struct {
	path string
	http *http.Client
	tag  string // of the last metrics
}

func newSocketClient(path string) *socketClient {
	return &socketClient{path: path, http: &http.Client{Timeout: askPatience, Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, path) },
		DisableCompression: true,
		MaxIdleConns:       1,
	}}}
}

// socketPath is where the agent that the command line means listens: --socket, or in the folder of the configuration,
// which where none is given is that of the running agent.
func (p *program) socketPath(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	folder := config.DefaultFolder()
	if p.path == "" && !p.debug {
		_ = p.recall() // nobody may read the pid file, or it has another place: then it is the usual configuration
	}
	switch c, err := p.load(); {
	case err == nil:
		folder = c.Folder
	case p.path != "" || !errors.Is(err, errNoConfig):
		return "", err
	}
	return filepath.Join(folder, socketName), nil
}

// status asks how the agent is.
func (c *socketClient) status(ctx context.Context) (*report, error) {
	var r report
	_, err := c.get(ctx, "/status", "", &r)
	return &r, err
}

// metrics asks for the metrics of the last batches whose templates begin with one of the prefixes. It returns nil where
// nothing is new since the last call.
func (c *socketClient) metrics(ctx context.Context, prefixes ...string) (*metricsReport, error) {
	var r metricsReport
	fresh, err := c.get(ctx, "/metrics?"+url.Values{"prefix": prefixes}.Encode(), c.tag, &r)
	if err != nil || !fresh {
		return nil, err
	}
	return &r, nil
}

// get decodes the answer to a path into v, unless the answer is the one that has the tag.
func (c *socketClient) get(ctx context.Context, path, tag string, v any) (fresh bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://agent"+path, nil)
	if err != nil {
		return false, err
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return false, c.explain(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return false, nil
	default:
		return false, fmt.Errorf("agent at %s: %s", c.path, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(v); err != nil {
		return false, fmt.Errorf("agent at %s: answer: %w", c.path, err)
	}
	if tag := resp.Header.Get("ETag"); tag != "" {
		c.tag = tag
	}
	return true, nil
}

// explain says in words why nobody answered.
func (c *socketClient) explain(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		if wrapped.Timeout() {
			return fmt.Errorf("%w within %s at %s", errNoAnswer, c.http.Timeout, c.path)
		}
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("agent at %s: permission denied: ask as root, or as the agent's user", c.path)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: nobody answers at %s", errNotRunning, c.path)
	}
	return fmt.Errorf("agent at %s: %w", c.path, err)
}
