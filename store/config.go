package store

import (
	"fmt"
	"log/slog"
	"time"
)

// Config says where points are kept and within which bounds. Zero values stand for the defaults named here.
type Config struct {
	Path      string        // the folder; it is made when missing and belongs to one process at a time
	Retention time.Duration // how long points are kept: 400 days
	MaxSize   int64         // bytes that blocks and logs may take before the oldest blocks go; 0: no limit
	Step      time.Duration // the step of a series too young to show its own: 10 s
	Floor     int64         // bytes that must stay free on the disk, below which nothing is accepted: 256 MiB
	MaxSeries int           // series of the last hours that are kept at once, more are refused: 1,000,000
	MaxPoints int64         // points that one query may read and all together may hold: 20,000,000
	MaxSlots  int           // slots of one series, beyond which a longer step is read: 100,000
	Logger    *slog.Logger  // slog.Default()

	now  func() time.Time
	free func(path string) (int64, error)
}

const (
	defaultRetention = 400 * 24 * time.Hour
	defaultStep      = 10 * time.Second
	defaultFloor     = 256 << 20
	defaultMaxSeries = 1_000_000
	defaultMaxPoints = 20_000_000
	defaultMaxSlots  = 100_000
)

// complete returns c with the defaults filled in, or what is wrong with it.
func (c Config) complete() (Config, error) {
	switch {
	case c.Path == "":
		return c, fmt.Errorf("store: path is empty: want a folder")
	case c.Retention < 0 || c.Retention > 0 && c.Retention < 2*time.Hour:
		return c, fmt.Errorf("store: retention %s: want 2h or more", c.Retention)
	case c.Step < 0 || c.Step%time.Second != 0:
		return c, fmt.Errorf("store: step %s: want whole seconds", c.Step)
	case c.MaxSize < 0 || c.Floor < 0 || c.MaxSeries < 0 || c.MaxPoints < 0 || c.MaxSlots < 0:
		return c, fmt.Errorf("store: a limit below zero: want 0 for the default, or more")
	}
	fill(&c.Retention, defaultRetention)
	fill(&c.Step, defaultStep)
	fill(&c.Floor, defaultFloor)
	fill(&c.MaxSeries, defaultMaxSeries)
	fill(&c.MaxPoints, defaultMaxPoints)
	fill(&c.MaxSlots, defaultMaxSlots)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.free == nil {
		c.free = freeBytes
	}
	return c, nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
