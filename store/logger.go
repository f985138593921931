package store

import (
	"context"
	"log/slog"
	"time"
)

// tsdbLogger passes on what tsdb warns of. What it does day by day is at debug level.
func (s *Store) tsdbLogger() *slog.Logger { return slog.New(quieter{s.log.Handler()}) }

// quieter takes Info for Debug.
type quieter struct{ slog.Handler }

func (q quieter) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, quiet(l))
}

func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	r.Level = quiet(r.Level)
	return q.Handler.Handle(ctx, r)
}

func (q quieter) WithAttrs(as []slog.Attr) slog.Handler { return quieter{q.Handler.WithAttrs(as)} }
func (q quieter) WithGroup(name string) slog.Handler    { return quieter{q.Handler.WithGroup(name)} }

func quiet(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelDebug
	}
	return l
}

// stamp spells a time in milliseconds for the log.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
