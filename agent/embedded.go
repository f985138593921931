package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/database/graphite"
	"github.com/clusterload/clusterload/internal/daemon"
	"github.com/clusterload/clusterload/internal/setting"
)

// embeddedConfig is the table [database.embedded].
type embeddedConfig struct {
	Path      string           `toml:"path"`      // the store's folder; "": below the agent's
	Retention setting.Duration `toml:"retention"` // how long points are kept
	MaxSize   setting.Size     `toml:"max_size"`  // bytes on the disk before the oldest go; 0: no limit
	Listen    string           `toml:"listen"`    // of the dashboard and of Graphite's HTTP API
	Line      string           `toml:"line"`      // of the receiver of lines, for this agent and whoever else pushes
	Readers   string           `toml:"readers"`   // "local"; "token", "tls", or "anyone", which other machines need
	TokenFile string           `toml:"token_file"`
	Cert      string           `toml:"cert"`
	Key       string           `toml:"key"`
	Program   string           `toml:"program"` // clusterload-store; "": beside this program, or in PATH
}

// embedded is the client of the embedded Graphite: the ordinary Graphite client, and the process that it speaks to,
// which it starts, watches and starts again. A process of its own, because a full disk or a damaged block can end it,
// and nothing of that may end the agent.
type embedded struct {
	config embeddedConfig
	client database.Confirmer
	log    *slog.Logger
	child  *daemon.Child
}

const (
	defaultListen    = "127.0.0.1:8080"
	defaultLine      = "127.0.0.1:2003"
	defaultRetention = setting.Duration(400 * 24 * time.Hour)
	storeProgram     = "clusterload-store"

	// launchPatience is how long the store may take to open what it has, endPatience how long to end.
	launchPatience = 90 * time.Second
	endPatience    = 10 * time.Second
)

// newEmbedded is the factory of [database.embedded].
func newEmbedded(o database.Options) (database.Client, error) {
	c := embeddedConfig{Path: o.Folder, Retention: defaultRetention, Listen: defaultListen, Line: defaultLine, Readers: "local"}
	if err := o.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(c.Line)
	if err != nil {
		return nil, fmt.Errorf("line: %w: want host:port, as in %q", err, defaultLine)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("line: %q: want a port from 1 to 65535", c.Line)
	}
	o.Decode = func(v any) error {
		*v.(*graphite.Config) = graphite.Config{Address: host, Port: int(n), Protocol: "line", Acknowledge: "close", Counters: "both"}
		return nil
	}
	client, err := graphite.New(o)
	if err != nil {
		return nil, err
	}
	return &embedded{config: c, client: client.(database.Confirmer), log: o.Log}, nil
}

func (c *embeddedConfig) check() error {
	for key, path := range map[string]string{"path": c.Path, "token_file": c.TokenFile, "cert": c.Cert, "key": c.Key, "program": c.Program} {
		if path != "" && !filepath.IsAbs(path) {
			return fmt.Errorf("%s: %q: want an absolute path", key, path)
		}
	}
	switch c.Readers {
	case "local", "anyone":
	case "token":
		if c.TokenFile == "" {
			return fmt.Errorf(`token_file is missing: readers = "token" wants the file that holds the token`)
		}
	case "tls":
		if c.Cert == "" || c.Key == "" {
			return fmt.Errorf(`cert or key is missing: readers = "tls" wants both`)
		}
	default:
		return fmt.Errorf("readers: unknown %q (known: local, token, tls, anyone)", c.Readers)
	}
	return nil
}

// arguments are those of the store.
func (c *embeddedConfig) arguments() []string {
	args := []string{"--path", c.Path, "--retention", c.Retention.String(), "--max-size", c.MaxSize.String(), "--listen", c.Listen, "--line", c.Line, "--end-with-stdin"}
	if c.TokenFile != "" {
		args = append(args, "--token-file", c.TokenFile)
	}
	if c.Cert != "" {
		args = append(args, "--tls-cert", c.Cert, "--tls-key", c.Key)
	}
	if c.Readers == "anyone" {
		args = append(args, "--anyone-may-read")
	}
	return args
}

// Send implements database.Client.
func (e *embedded) Send(ctx context.Context, ms []aggregator.Metric) error {
	if len(ms) == 0 && e.child == nil && e.answers(ctx) {
		return nil // a check beside an agent that runs
	}
	if err := e.ensure(ctx); err != nil {
		return err
	}
	return e.client.Send(ctx, ms)
}

// Confirm implements database.Confirmer.
func (e *embedded) Confirm(ctx context.Context) error { return e.client.Confirm(ctx) }

// answers says whether a store listens where this one would.
func (e *embedded) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.config.Listen+"/_health", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// ensure starts the store where it does not run.
func (e *embedded) ensure(ctx context.Context) error {
	if e.child != nil {
		err := e.child.Err()
		if err == nil {
			return nil
		}
		e.log.Error("embedded store ended; it is started again", "error", err)
		e.child.Stop(0)
		e.child = nil
	}
	program, err := e.config.program()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, launchPatience)
	defer cancel()
	cmd := exec.Command(program, e.config.arguments()...)
	said := &tail{w: os.Stderr}
	cmd.Stdout, cmd.Stderr = os.Stderr, said
	child, err := daemon.Launch(ctx, cmd)
	if err != nil {
		return fmt.Errorf("embedded store: %w: %s", err, said.last())
	}
	e.child = child
	e.log.Info("embedded store runs", "dashboard", "http://"+e.config.Listen+"/", "folder", e.config.Path)
	return nil
}

// program finds the store's program.
func (c *embeddedConfig) program() (string, error) {
	if c.Program != "" {
		return c.Program, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), storeProgram)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(storeProgram)
	if err != nil {
		return "", fmt.Errorf("%s is neither beside this program nor in PATH: install it, or set program", storeProgram)
	}
	return path, nil
}

// Close implements database.Client and ends the store.
func (e *embedded) Close() error {
	err := e.client.Close()
	if e.child != nil {
		e.child.Stop(endPatience)
		e.child = nil
	}
	return err
}
