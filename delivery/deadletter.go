package delivery

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/queue"
)

// A letter is one line of the dead letters: a point that the database will never take, or a block that cannot be read.
//
//	{"time":"2023-11-14T22:13:20Z","database":"graphite","reason":"value out of range","points":1,
//	 "metric":{"cluster":"hpc1","template":"partition.{partition}.jobs.{state}","labels":["batch","running"],"time":1700000000,"value":7}}
type letter struct {
	Time     time.Time   `json:"time"`
	Database string      `json:"database"`
	Reason   string      `json:"reason"`
	Points   int         `json:"points"`
	Metric   *deadMetric `json:"metric,omitempty"`
	Block    string      `json:"block,omitempty"` // base64 of its first bytes
}

type deadMetric struct {
	Cluster  string   `json:"cluster"`
	Template string   `json:"template"`
	Labels   []string `json:"labels,omitempty"`
	Time     int64    `json:"time"`
	Value    number   `json:"value"`
	Rate     *number  `json:"rate,omitempty"` // of a counter, where it is known
}

// A number is written as JSON's, or as a string where JSON has none: "NaN", "+Inf".
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if finite(float64(n)) {
		return json.Marshal(float64(n))
	}
	return fmt.Appendf(nil, `"%v"`, float64(n)), nil
}

func metricLetter(m *aggregator.Metric, reason string) letter {
	d := &deadMetric{Cluster: readable(m.Cluster), Time: m.Time, Value: number(m.Value)}
	for _, l := range m.Labels {
		d.Labels = append(d.Labels, readable(l))
	}
	if m.Desc != nil {
		d.Template = readable(m.Desc.Template)
		if rate := number(m.Rate); m.Desc.Kind == aggregator.Counter && finite(m.Rate) {
			d.Rate = &rate
		}
	}
	return letter{Reason: readable(reason), Points: 1, Metric: d}
}

// deadBlockBytes is how much of a block that cannot be read is kept.
const deadBlockBytes = 16 << 10

func blockLetter(b *queue.Block, reason string) letter {
	p := b.Bytes()
	return letter{Reason: readable(reason), Points: b.Points(), Block: base64.StdEncoding.EncodeToString(p[:min(len(p), deadBlockBytes)])}
}

// readable spells bytes that are no UTF-8, which JSON cannot hold, as \xe9.
func readable(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// deadLetters is a file of letters with a bound: at its limit it becomes path.1, in the place of the one before.
type deadLetters struct {
	path, database string
	limit          int64
	log            *slog.Logger

	mu       sync.Mutex
	failure  string    // the last error of writing, "" for none
	reported time.Time // when rejections were last logged
	silent   int       // points rejected since
}

// rejectionLog is how often rejections are logged at most: there may be some in every tick, for ever.
const rejectionLog = time.Hour

// write appends letters. It returns the number of points whose letters could not be written: that is logged, once, and
// stops nothing.
func (d *deadLetters) write(letters []letter) (unwritten int64) {
	if len(letters) == 0 {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now, points := time.Now().UTC(), 0
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	for _, l := range letters {
		l.Time, l.Database = now, d.database
		points += l.Points
		_ = encoder.Encode(l) // into memory, of types that JSON has
	}
	d.report(now, points, letters[0].Reason)
	if d.path == "" {
		return int64(points)
	}
	err := d.append(b.Bytes())
	text := ""
	if err != nil {
		text = err.Error()
		unwritten = int64(points)
		if text != d.failure {
			d.log.Error("dead letters cannot be written; they are only counted", "error", err)
		}
	}
	d.failure = text
	return unwritten
}

func (d *deadLetters) report(now time.Time, points int, reason string) {
	d.silent += points
	if !d.reported.IsZero() && now.Sub(d.reported) < rejectionLog {
		return
	}
	d.log.Warn("database rejects points; they are in the dead letters", "points", d.silent, "first_reason", reason, "file", d.path)
	d.reported, d.silent = now, 0
}

// append writes whole lines to the file's end, and syncs them: the block they are from is removed next.
func (d *deadLetters) append(lines []byte) (err error) {
	f, err := d.open(int64(len(lines)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' { // a crash cut the last line
		lines = append([]byte{'\n'}, lines...)
	}
	if _, err := f.WriteAt(lines, info.Size()); err != nil {
		_ = f.Truncate(info.Size())
		return err
	}
	return f.Sync()
}

// open opens the file with room for n bytes.
func (d *deadLetters) open(n int64) (*os.File, error) {
	info, err := os.Stat(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil && info.Size() > 0 && info.Size()+n > d.limit {
		if err := os.Rename(d.path, d.path+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o600)
}
