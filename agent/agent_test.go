package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/database"
)

// A world is what the tests' plugins work on: the aggregator "gen" counts its runs, the database "mem" keeps points.
type world struct {
	mu     sync.Mutex
	made   map[string]int                // instances of plugins, by name
	runs   map[string]int                // runs of aggregators, by name
	stored map[string]map[string]float64 // by database: "cluster path time" → value
	down   map[string]bool               // databases that refuse
	closed []string
	log    bytes.Buffer
}

var runs = &aggregator.Desc{Template: "gen.{name}.run", Unit: aggregator.Count, Help: "h", Source: "s"}

type gen struct {
	w    *world
	name string
	Step int `toml:"step"`
}

func (g *gen) Describe() []*aggregator.Desc { return []*aggregator.Desc{runs} }
func (g *gen) Aggregate(_ context.Context, b *aggregator.Batch) error {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	g.w.runs[g.name]++
	b.Add(runs, float64(g.w.runs[g.name]*max(g.Step, 1)), g.name)
	return nil
}

type mem struct {
	w    *world
	name string
	Note string `toml:"note"`
}

func (m *mem) Send(_ context.Context, ms []aggregator.Metric) error {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if m.w.down[m.name] {
		return errors.New("down")
	}
	for _, p := range ms {
		if m.w.stored[m.name] == nil {
			m.w.stored[m.name] = map[string]float64{}
		}
		m.w.stored[m.name][fmt.Sprint(p.Cluster, " ", p.Desc.Template, p.Labels)+fmt.Sprint(" ", p.Time)] = p.Value
	}
	return nil
}

func (m *mem) Close() error {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.closed = append(m.w.closed, m.name)
	return nil
}

func newWorld() *world {
	return &world{made: map[string]int{}, runs: map[string]int{}, stored: map[string]map[string]float64{}, down: map[string]bool{}}
}

func (w *world) agent(t *testing.T) *Agent {
	a, d := aggregator.NewRegistry(), database.NewRegistry()
	a.Add("gen", func(o aggregator.Options) (aggregator.Aggregator, error) {
		w.made[o.Name]++
		g := &gen{w: w, name: o.Name}
		return g, o.Decode(g)
	})
	d.Add("mem", func(o database.Options) (database.Client, error) {
		w.made[o.Name]++
		m := &mem{w: w, name: o.Name}
		return m, o.Decode(m)
	})
	agent := New(a, d, slog.New(slog.NewTextHandler(&lockedWriter{w: w}, nil)))
	t.Cleanup(func() { agent.Stop(t.Context()) })
	return agent
}

type lockedWriter struct{ w *world }

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	return l.w.log.Write(b)
}

// has waits until the database holds a point whose key begins so.
func (w *world) has(t *testing.T, name, prefix string) {
	t.Helper()
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for key := range w.stored[name] {
			if len(key) >= len(prefix) && key[:len(prefix)] == prefix {
				return true
			}
		}
		return false
	}, 30*time.Second, 10*time.Millisecond, "%s never got %s", name, prefix)
}

func parse(t *testing.T, folder, text string) *config.Config {
	c, err := config.Parse("f.toml", fmt.Appendf(nil, "folder = %q\nfrequency = 1\n%s", folder, text))
	require.NoError(t, err)
	return c
}

func TestReload(t *testing.T) {
	w, folder := newWorld(), t.TempDir()
	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, "cluster = \"one\"\n[aggregator.g]\ntype=\"gen\"\n[aggregator.h]\ntype=\"gen\"\n[database.m]\ntype=\"mem\"\n[database.n]\ntype=\"mem\"\n")))
	w.has(t, "m", "one gen.{name}.run[g]")
	w.has(t, "n", "one gen.{name}.run[h]")
	w.has(t, "m", "one agent.rss_bytes")

	t.Run("broken ones change nothing", func(t *testing.T) {
		for want, text := range map[string]string{
			`f.toml:4: aggregator.g.stp: unknown key (known: deadline, frequency, step, type)`:    "cluster = \"two\"\naggregator.g = {type=\"gen\", stp=1}\n[database.m]\ntype=\"mem\"\n",
			`f.toml:6: database.x: unknown database "x" (known: mem)`:                             "cluster = \"two\"\n[aggregator.g]\ntype=\"gen\"\n[database.x]\n",
			`f.toml: no aggregator: want at least one table such as [aggregator.slurm]`:           "cluster = \"two\"\n[database.m]\ntype=\"mem\"\n",
			`(default):1: database.embedded: unknown database "embedded" (known: mem)`:            "cluster = \"two\"\n[aggregator.g]\ntype=\"gen\"\n",
			`f.toml:4: aggregator.self: the name is the agent's own: choose another and set type`: "cluster = \"two\"\n[aggregator.self]\ntype=\"gen\"\n[database.m]\ntype=\"mem\"\n",
		} {
			assert.EqualError(t, a.Reload(parse(t, folder, text)), want)
		}
		c := parse(t, folder, "cluster = \"two\"\n[aggregator.g]\ntype=\"gen\"\n[database.m]\ntype=\"mem\"\n")
		c.Folder = "/elsewhere"
		assert.ErrorContains(t, a.Reload(c), "which takes a restart")
		assert.Empty(t, w.closed)
		assert.Equal(t, "one", a.loop.Cluster())
		assert.Equal(t, []string{"g", "h", "self"}, a.loop.Names())
	})

	w.mu.Lock()
	clear(w.made)
	w.mu.Unlock()
	require.NoError(t, a.Reload(parse(t, folder, "cluster = \"two\"\n[aggregator.g]\ntype=\"gen\"\n[aggregator.h]\ntype=\"gen\"\nstep=7\n[aggregator.i]\ntype=\"gen\"\n[database.m]\ntype=\"mem\"\nnote=\"new\"\n[database.o]\ntype=\"mem\"\n")))
	assert.Equal(t, map[string]int{"h": 1, "i": 1, "m": 1, "o": 1}, w.made, "only what changed is made anew")
	assert.ElementsMatch(t, []string{"m", "n"}, w.closed)
	w.has(t, "m", "two gen.{name}.run[g]")
	w.has(t, "o", "two gen.{name}.run[i]")
	assert.DirExists(t, filepath.Join(folder, "queue", "n"), "what a removed database has not taken is kept")
}

// Whatever was produced is delivered, over an outage of the database and a restart of the agent.
func TestOutageAndRestart(t *testing.T) {
	w, folder := newWorld(), t.TempDir()
	text := "cluster = \"one\"\n[aggregator.g]\ntype=\"gen\"\n[database.m]\ntype=\"mem\"\n[database.n]\ntype=\"mem\"\n"
	w.down["m"] = true
	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, text)))
	require.Eventually(t, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.runs["g"] >= 3 }, time.Minute, 10*time.Millisecond)
	a.Stop(t.Context())
	assert.Empty(t, w.stored["m"])

	w.mu.Lock()
	w.down["m"] = false
	produced := w.runs["g"]
	w.mu.Unlock()
	b := w.agent(t)
	require.NoError(t, b.Start(parse(t, folder, text)))
	values := func(name string) map[float64]bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		seen := map[float64]bool{}
		for key, v := range w.stored[name] {
			if key[:len("one gen")] == "one gen" {
				seen[v] = true
			}
		}
		return seen
	}
	for _, name := range []string{"m", "n"} {
		require.Eventually(t, func() bool {
			seen := values(name)
			for run := 1; run <= produced; run++ {
				if !seen[float64(run)] {
					return false
				}
			}
			return true
		}, time.Minute, 10*time.Millisecond, name)
	}
}

func TestFolderIsPrivate(t *testing.T) {
	w, folder := newWorld(), filepath.Join(t.TempDir(), "state")
	a := w.agent(t)
	require.NoError(t, a.Start(parse(t, folder, "cluster = \"one\"\n[aggregator.g]\ntype=\"gen\"\n[database.m]\ntype=\"mem\"\n")))
	w.has(t, "m", "one gen")
	a.Stop(t.Context())
	require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o077, "%s is %s", path, info.Mode())
		return nil
	}))
}

func TestAlive(t *testing.T) {
	a := New(aggregator.NewRegistry(), database.NewRegistry(), quiet())
	a.config = &config.Config{Frequency: 10 * time.Second}
	a.progress.Store(time.Now().Add(-25 * time.Second).UnixNano())
	assert.True(t, a.alive(30*time.Second))
	assert.False(t, a.alive(time.Second), "no tick reached the queues for more than two intervals")
}
