package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Events keeps what was told to have happened: deployments, maintenance. They are lines of JSON in one file, of which the
// newest are held in memory.
type Events struct {
	mu   sync.Mutex
	path string
	list []event
	last int64
	most int
}

// An event is one line of the file.
type event struct {
	ID   int64    `json:"id"`
	When int64    `json:"when"`
	What string   `json:"what"`
	Data string   `json:"data"`
	Tags []string `json:"tags"`
}

// maxEvents is how many events are kept. The oldest go.
const maxEvents = 100_000

// OpenEvents reads the file, which need not be there yet. A line that cannot be read is left out and logged.
func OpenEvents(path string, log *slog.Logger) (*Events, error) {
	e := &Events{path: path, most: maxEvents}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxBody)
	bad := 0
	for lines.Scan() {
		var ev event
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			bad++
			continue
		}
		e.last = max(e.last, ev.ID)
		e.list = append(e.list, ev)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("events: %s: %w", path, err)
	}
	if bad > 0 {
		log.Warn("events: lines are damaged and left out", "file", path, "lines", bad)
	}
	e.list = e.list[max(0, len(e.list)-e.most):]
	return e, nil
}

// Add keeps an event and returns its number.
func (e *Events) Add(when int64, what, data string, tags []string) (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ev := event{ID: e.last + 1, When: when, What: what, Data: data, Tags: tags}
	if len(e.list) >= e.most+e.most/10 {
		if err := e.rewrite(); err != nil {
			return 0, err
		}
	}
	line, err := json.Marshal(ev)
	if err != nil {
		return 0, err
	}
	if err := appendLine(e.path, append(line, '\n')); err != nil {
		return 0, fmt.Errorf("events: %w", err)
	}
	e.last++
	e.list = append(e.list, ev)
	return ev.ID, nil
}

// appendLine appends whole lines, after a newline where a crash has left a line without one.
func appendLine(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	var last [1]byte
	if end > 0 {
		if _, err := f.ReadAt(last[:], end-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			line = append([]byte("\n"), line...)
		}
	}
	if _, err := f.Write(line); err != nil {
		_ = f.Truncate(end)
		return err
	}
	return f.Sync()
}

// rewrite drops the oldest events from the file.
func (e *Events) rewrite() error {
	e.list = slices.Clone(e.list[len(e.list)-e.most:])
	var b bytes.Buffer
	for _, ev := range e.list {
		line, err := json.Marshal(ev)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	next := e.path + ".new"
	if err := os.WriteFile(next, b.Bytes(), 0o640); err != nil {
		return err
	}
	return os.Rename(next, e.path)
}

// find returns the events between two times, both included, newest first, that have all the tags, or any of them.
func (e *Events) find(from, until int64, tags []string, anyTag bool) []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := []event{}
	for _, ev := range slices.Backward(e.list) {
		if ev.When < from || ev.When > until {
			continue
		}
		has := 0
		for _, t := range tags {
			if slices.Contains(ev.Tags, t) {
				has++
			}
		}
		if has == len(tags) || anyTag && has > 0 {
			found = append(found, ev)
		}
	}
	slices.SortStableFunc(found, func(a, b event) int { return int(min(1, max(-1, b.When-a.When))) })
	return found
}

func (q *request) needEvents() (*Events, error) {
	if q.api.config.Events == nil {
		return nil, &statusError{http.StatusServiceUnavailable, "events are not kept"}
	}
	return q.api.config.Events, nil
}

// events takes an event, or lists all of them.
func (q *request) events() error {
	e, err := q.needEvents()
	if err != nil {
		return err
	}
	if q.Method != http.MethodPost {
		return q.writeJSON(http.StatusOK, e.find(math.MinInt64, math.MaxInt64, nil, false))
	}
	var posted struct {
		What string          `json:"what"`
		Data any             `json:"data"`
		Tags json.RawMessage `json:"tags"`
		When *float64        `json:"when"`
	}
	if err := json.NewDecoder(q.Body).Decode(&posted); err != nil {
		return bad("event: " + err.Error())
	}
	tags, ok := eventTags(posted.Tags)
	if !ok {
		return q.writeJSON(http.StatusBadRequest, map[string]string{"error": `"tags" must be an array or space-separated string`})
	}
	when := q.api.config.Now().Unix()
	if posted.When != nil {
		if *posted.When < 0 || *posted.When > 1<<40 {
			return bad("event: when: want seconds since 1970")
		}
		when = int64(*posted.When)
	}
	data, isText := posted.Data.(string)
	if !isText && posted.Data != nil {
		b, err := json.Marshal(posted.Data)
		if err != nil {
			return err
		}
		data = string(b)
	}
	if _, err := e.Add(when, posted.What, data, tags); err != nil {
		return err
	}
	return q.write(http.StatusOK, "text/plain", nil)
}

// eventTags reads ["a", "b"] or "a b".
func eventTags(raw json.RawMessage) ([]string, bool) {
	tags := []string{}
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &tags) == nil {
		return tags, true
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return nil, false
	}
	return strings.Fields(text), true
}

// eventData answers /events/get_data: the events of a time that have all tags, or any with set=union.
func (q *request) eventData() error {
	e, err := q.needEvents()
	if err != nil {
		return err
	}
	from, until, err := q.findTimes()
	if err != nil {
		return err
	}
	if until == 0 {
		until = q.api.config.Now().Unix()
	}
	set := q.Form.Get("set")
	tags := strings.Fields(q.Form.Get("tags"))
	return q.writeJSON(http.StatusOK, e.find(from, until, tags, set == "union"))
}

// event answers /events/ID.
func (q *request) event() error {
	e, err := q.needEvents()
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(q.PathValue("id"), 10, 64)
	if err == nil {
		for _, ev := range e.find(math.MinInt64, math.MaxInt64, nil, false) {
			if ev.ID == id {
				return q.writeJSON(http.StatusOK, ev)
			}
		}
	}
	return &statusError{http.StatusNotFound, "Event matching query does not exist"}
}
