package delivery

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/queue"
)

type scripted struct {
	send    func(ctx context.Context, ms []aggregator.Metric) error // nil: takes all
	confirm func(ctx context.Context) error                         // of a stream

	mu     sync.Mutex
	sends  []time.Time
	taken  []string // series and time of each metric that Send returned nil for
	closed bool
}

func (c *scripted) Send(ctx context.Context, ms []aggregator.Metric) error {
	c.mu.Lock()
	c.sends = append(c.sends, time.Now())
	c.mu.Unlock()
	var err error
	if c.send != nil {
		err = c.send(ctx, ms)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	rejected := map[int]bool{}
	if r := (*database.Rejected)(nil); errors.As(err, &r) && r.Rest == nil {
		for _, p := range r.Points {
			rejected[p.Index] = true
		}
	} else if err != nil {
		return err
	}
	for i := range ms {
		if !rejected[i] {
			c.taken = append(c.taken, identity(&ms[i]))
		}
	}
	return err
}

func (c *scripted) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *scripted) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.taken...)
}

type stream struct{ *scripted }

func (c stream) Confirm(ctx context.Context) error {
	if c.confirm == nil {
		return nil
	}
	return c.confirm(ctx)
}

func identity(m *aggregator.Metric) string {
	return fmt.Sprint(m.Cluster, " ", m.Desc.Template, " ", m.Labels, " ", m.Time, " ", m.Value)
}

func identities(ms []aggregator.Metric) (ids []string) {
	for i := range ms {
		ids = append(ids, identity(&ms[i]))
	}
	return ids
}

type fixture struct {
	*Delivery
	folder string
	log    *bytes.Buffer
}

func (f *fixture) letters(t *testing.T) []letter {
	t.Helper()
	return readLetters(t, f.o.DeadLetters)
}

func readLetters(t *testing.T, path string) (letters []letter) {
	t.Helper()
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var l letter
		require.NoError(t, json.Unmarshal(lines.Bytes(), &l), "%q", lines.Text())
		letters = append(letters, l)
	}
	return letters
}

func deliver(t *testing.T, folder string, client database.Client, change func(*Options)) *fixture {
	t.Helper()
	q, err := queue.Open(queue.Options{Folder: filepath.Join(folder, "queue")})
	require.NoError(t, err)
	f := &fixture{folder: folder, log: &bytes.Buffer{}}
	o := Options{Name: "graphite", Queue: q, Client: client, DeadLetters: filepath.Join(folder, "dead.jsonl"),
		Log: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))}
	if change != nil {
		change(&o)
	}
	f.Delivery = New(o)
	t.Cleanup(func() { _ = f.Stop(t.Context()) })
	return f
}

func (f *fixture) put(t *testing.T, from, to int) {
	t.Helper()
	require.NoError(t, f.Put(metrics(from, to)))
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func cutLines(text, word string) (lines []string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), word)
		lines = append(lines, line)
	}
	return lines
}
