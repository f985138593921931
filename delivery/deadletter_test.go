package delivery

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

func TestLetterText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "dead.jsonl")
		d := &deadLetters{path: path, database: "graphite", limit: 1 << 20, log: slog.New(slog.DiscardHandler)}
		counter, gauge := metric(2), metric(60)
		gauge.Labels = []string{"caf\xe9 <ü>\n", "running"}
		unknown := metric(5)
		unknown.Rate = math.NaN()
		infinite := aggregator.Metric{Cluster: "hpc1", Value: math.Inf(-1)}
		assert.Zero(t, d.write([]letter{metricLetter(&counter, "value \xff out of range"), metricLetter(&gauge, "bad name")}))
		assert.Zero(t, d.write([]letter{metricLetter(&unknown, "no"), metricLetter(&infinite, "what")}))
		assert.Zero(t, d.write(nil))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, strings.Join([]string{
			`{"time":"2000-01-01T00:00:00Z","database":"graphite","reason":"value \\xff out of range","points":1,"metric":{"cluster":"hpc1","template":"net.{device}.sent","labels":["eth2"],"time":1700000000,"value":2,"rate":0.2857142857142857}}`,
			`{"time":"2000-01-01T00:00:00Z","database":"graphite","reason":"bad name","points":1,"metric":{"cluster":"hpc1","template":"partition.{partition}.jobs.{state}","labels":["caf\\xe9 <ü>\n","running"],"time":1700000000,"value":60}}`,
			`{"time":"2000-01-01T00:00:00Z","database":"graphite","reason":"no","points":1,"metric":{"cluster":"hpc1","template":"net.{device}.sent","labels":["eth5"],"time":1700000000,"value":5}}`,
			`{"time":"2000-01-01T00:00:00Z","database":"graphite","reason":"what","points":1,"metric":{"cluster":"hpc1","template":"","time":0,"value":"-Inf"}}`,
			"",
		}, "\n"), string(b))
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	})
}

func TestLettersAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	d := &deadLetters{path: path, limit: 1000, log: slog.New(slog.DiscardHandler)}
	for i := range 40 {
		require.Zero(t, d.write([]letter{{Reason: strings.Repeat("r", 100), Points: i}}))
	}
	var points []int
	for _, name := range []string{path + ".1", path} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.LessOrEqual(t, info.Size(), int64(1000))
		for line := range strings.Lines(read(t, name)) {
			assert.Contains(t, line, "rrr")
			assert.True(t, strings.HasSuffix(line, "}\n"))
			points = append(points, len(line))
		}
	}
	assert.Greater(t, len(points), 5)
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, files, 2)
	assert.Zero(t, d.write([]letter{{Reason: strings.Repeat("x", 3000)}}), "one that is larger than all is written alone")
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestLetterAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(`{"time":"20`), 0o600))
	d := &deadLetters{path: path, limit: 1000, log: slog.New(slog.DiscardHandler)}
	require.Zero(t, d.write([]letter{{Points: 3}}))
	assert.True(t, strings.HasPrefix(read(t, path), `{"time":"20`+"\n"+`{"time":"`), "%q", read(t, path))
}

// TestLettersCannotBeWritten wants delivery to go on, and all to be counted.
func TestLettersCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{send: rejectAll}
		f := deliver(t, t.TempDir(), c, func(o *Options) { o.DeadLetters = filepath.Join(o.DeadLetters, "missing", "dead.jsonl") })
		f.Start()
		for i := range 5 {
			f.put(t, i*10, i*10+10)
		}
		synctest.Wait()
		s := f.Stats()
		assert.EqualValues(t, 50, s.Rejected)
		assert.EqualValues(t, 50, s.Unwritten)
		assert.Zero(t, s.Sent)
		assert.Zero(t, s.Queue.Blocks)
		assert.NoError(t, s.Err)
		assert.Equal(t, 1, strings.Count(f.log.String(), "dead letters cannot be written"), "%s", f.log)

		f.dead.path = filepath.Join(f.folder, "dead.jsonl")
		f.put(t, 60, 70)
		synctest.Wait()
		assert.EqualValues(t, 50, f.Stats().Unwritten)
		assert.Len(t, readLetters(t, f.dead.path), 10)
	})
}

func rejectAll(_ context.Context, ms []aggregator.Metric) error {
	r := &database.Rejected{}
	for i := range ms {
		r.Points = append(r.Points, database.Point{Index: i, Reason: "no"})
	}
	return r
}

// TestRejectionsAreLoggedNowAndThen has one in every tick for ten hours.
func TestRejectionsAreLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := deliver(t, t.TempDir(), &scripted{send: rejectAll}, nil)
		f.Start()
		for i := range 100 {
			f.put(t, i, i+2)
			pass(6 * time.Minute)
		}
		assert.Equal(t, 10, strings.Count(f.log.String(), "database rejects points"))
		assert.Contains(t, f.log.String(), " points=20 first_reason=no ")
	})
}

func TestWithoutAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := deliver(t, t.TempDir(), &scripted{send: rejectAll}, func(o *Options) { o.DeadLetters = "" })
		f.Start()
		f.put(t, 0, 7)
		synctest.Wait()
		assert.EqualValues(t, 7, f.Stats().Unwritten)
		assert.EqualValues(t, 7, f.Stats().Rejected)
	})
}

// TestBlocksThatCannotBeRead come from a later version, and from a mistake.
func TestBlocksThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		f := deliver(t, t.TempDir(), stream{c}, nil)
		later := append([]byte{2}, bytes.Repeat([]byte("later"), 10_000)...)
		require.NoError(t, f.o.Queue.Put(later, 17))
		f.put(t, 0, 4)
		require.NoError(t, f.o.Queue.Put([]byte{1, 9}, 5))
		f.Start()
		synctest.Wait()
		assert.Equal(t, identities(metrics(0, 4)), c.all())
		assert.Zero(t, f.Stats().Queue.Blocks)
		assert.EqualValues(t, 22, f.Stats().Rejected)
		letters := f.letters(t)
		require.Len(t, letters, 2)
		assert.Equal(t, `block: version "\x02": want 1`, letters[0].Reason)
		assert.Equal(t, 17, letters[0].Points)
		assert.Equal(t, base64.StdEncoding.EncodeToString(later[:deadBlockBytes]), letters[0].Block)
		assert.Equal(t, "AQk=", letters[1].Block)
	})
}

// TestMetricsThatNobodyCouldTake do not reach the queue, and take no others with them.
func TestMetricsThatNobodyCouldTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		f := deliver(t, t.TempDir(), c, nil)
		f.Start()
		ms := metrics(0, 9)
		ms[0].Labels = nil
		ms[4].Value = math.NaN()
		ms[8].Desc = nil
		require.NoError(t, f.Put(ms))
		require.NoError(t, f.Put(ms[8:]))
		synctest.Wait()
		assert.Equal(t, append(identities(ms[1:4]), identities(ms[5:8])...), c.all())
		var reasons []string
		for _, l := range f.letters(t) {
			reasons = append(reasons, l.Reason)
		}
		assert.Equal(t, []string{
			`metric "partition.{partition}.jobs.{state}": 0 labels [], want 2`,
			`metric "host.load" []: value NaN is not finite`,
			`metric without a desc, labels ["eth1"]`,
			`metric without a desc, labels ["eth1"]`,
		}, reasons)
		assert.EqualValues(t, 4, f.Stats().Rejected)
		assert.EqualValues(t, 6, f.Stats().Sent)
	})
}

// UnmarshalJSON lets the tests read letters back.
func (n *number) UnmarshalJSON(b []byte) error {
	f := map[string]float64{`"NaN"`: math.NaN(), `"-Inf"`: math.Inf(-1), `"+Inf"`: math.Inf(1)}
	if v, special := f[string(b)]; special {
		*n = number(v)
		return nil
	}
	var v float64
	if err := json.Unmarshal(b, &v); err != nil {
		return errors.Join(errors.New("number "+string(b)), err)
	}
	*n = number(v)
	return nil
}
