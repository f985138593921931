package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	now := time.Date(2026, 3, 18, 14, 25, 36, 0, time.UTC) // a Wednesday
	tests := []struct {
		text string
		zone *time.Location
		want string // in UTC; empty: refused
	}{
		{"1772000000", time.UTC, "2026-02-25T06:13:20Z"},
		{"now", time.UTC, "2026-03-18T14:25:36Z"},
		{"-6h", time.UTC, "2026-03-18T08:25:36Z"},
		{"now-90min", time.UTC, "2026-03-18T12:55:36Z"},
		{"-1d12h", time.UTC, "2026-03-17T02:25:36Z"},
		{"-2w", time.UTC, "2026-03-04T14:25:36Z"},
		{"-1mon", time.UTC, "2026-02-16T14:25:36Z"},
		{"-1y", time.UTC, "2025-03-18T14:25:36Z"},
		{"midnight", time.UTC, "2026-03-18T00:00:00Z"},
		{"midnight", berlin, "2026-03-17T23:00:00Z"},
		{"noon+3h", berlin, "2026-03-18T14:00:00Z"},
		{"teatime yesterday", time.UTC, "2026-03-17T16:00:00Z"},
		{"17:30_20260301", time.UTC, "2026-03-01T17:30:00Z"},
		{"6:15pm today", time.UTC, "2026-03-18T18:15:00Z"},
		{"8am tomorrow", time.UTC, "2026-03-19T08:00:00Z"},
		{"noon_monday", time.UTC, "2026-03-16T12:00:00Z"},
		{"wednesday", time.UTC, "2026-03-18T00:00:00Z"},
		{"03/01/26", time.UTC, "2026-03-01T00:00:00Z"},
		{"03/01/1999", time.UTC, "1999-03-01T00:00:00Z"},
		{"20260131", time.UTC, "2026-01-31T00:00:00Z"},
		{"mar2", time.UTC, "2026-03-02T00:00:00Z"},
		{"december 24", time.UTC, "2026-12-24T00:00:00Z"},
		{"", time.UTC, "2026-03-18T14:25:36Z"},
		{"feb30", time.UTC, ""},
		{"25:00", time.UTC, ""},
		{"-6x", time.UTC, ""},
		{"-h", time.UTC, ""},
		{"soon", time.UTC, ""},
		{"mar", time.UTC, ""},
		{"13/32/26", time.UTC, ""},
		{"-999999999y", time.UTC, ""},
		{"99999999999999999999", time.UTC, ""},
	}
	for _, test := range tests {
		got, err := parseTime(test.text, test.zone, now)
		if test.want == "" {
			assert.Error(t, err, test.text)
			continue
		}
		if assert.NoError(t, err, test.text) {
			assert.Equal(t, test.want, got.UTC().Format(time.RFC3339), test.text)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"-6h", "noon_monday", "17:30_20260301", "03/01/26", "6pm+1d", "mar1", "::", "am", "1:pm", "-1d12"} {
		f.Add(s)
	}
	now := time.Unix(1_760_000_000, 0)
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := parseTime(s, time.UTC, now); err == nil {
			assert.True(t, got.Year() > 0 && got.Year() < 10000)
		}
	})
}
