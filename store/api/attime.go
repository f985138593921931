package api

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parseTime reads a time as graphite-web does: seconds since 1970, or a reference and an offset, either of which may be left
// out:
//
//	-6h   now-30min   midnight+3d   17:30_20260301   6pm_yesterday   noon_monday   03/01/26   mar1   20260301
func parseTime(s string, zone *time.Location, now time.Time) (time.Time, error) {
	t, err := parseReference(s, zone, now.In(zone))
	if err != nil {
		return time.Time{}, fmt.Errorf("time %.100q: %w", s, err)
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}, fmt.Errorf("time %.100q: want a year from 1 to 9999", s)
	}
	return t, nil
}

func parseReference(s string, zone *time.Location, now time.Time) (time.Time, error) {
	s = strings.NewReplacer("_", "", ",", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(s)))
	if digits(s) && !isDate(s) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > 1<<40 {
			return time.Time{}, fmt.Errorf("want seconds since 1970")
		}
		return time.Unix(n, 0).In(zone), nil
	}
	ref, offset := s, ""
	if i := strings.IndexByte(s, '+'); i >= 0 {
		ref, offset = s[:i], s[i:]
	} else if i := strings.IndexByte(s, '-'); i >= 0 {
		ref, offset = s[:i], s[i:]
	}
	d, err := parseOffset(offset)
	if err != nil {
		return time.Time{}, err
	}
	t, err := parseDay(ref, zone, now)
	return t.Add(d), err
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isDate tells YYYYMMDD from seconds.
func isDate(s string) bool {
	return len(s) == 8 && s[:4] > "1900" && s[4:6] < "13" && s[6:] < "32"
}

// parseDay reads a time of day and a day.
func parseDay(ref string, zone *time.Location, now time.Time) (time.Time, error) {
	if ref == "" || ref == "now" {
		return now, nil
	}
	hour, minute, ref, err := timeOfDay(ref)
	if err != nil {
		return time.Time{}, err
	}
	year, month, day := now.Date()
	switch {
	case ref == "" || ref == "today":
	case ref == "yesterday":
		day--
	case ref == "tomorrow":
		day++
	case strings.Count(ref, "/") == 2:
		if year, month, day, err = slashed(ref); err != nil {
			return time.Time{}, err
		}
	case len(ref) == 8 && digits(ref):
		year, month, day = atoi(ref[:4]), time.Month(atoi(ref[4:6])), atoi(ref[6:])
	case named(ref, months) >= 0:
		month = time.Month(named(ref, months) + 1)
		if day, err = dayOfMonth(ref); err != nil {
			return time.Time{}, err
		}
	case named(ref, weekdays) >= 0:
		day -= (int(now.Weekday()) - named(ref, weekdays) + 7) % 7
	default:
		return time.Time{}, fmt.Errorf("unknown day %q", ref)
	}
	return localTime(year, month, day, hour, minute, zone, ref == "yesterday" || ref == "tomorrow" || named(ref, weekdays) >= 0)
}

// localTime refuses days that the calendar does not have, unless they were counted from another one.
func localTime(year int, month time.Month, day, hour, minute int, zone *time.Location, counted bool) (time.Time, error) {
	t := time.Date(year, month, day, hour, minute, 0, 0, zone)
	check := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if !counted && (check.Year() != year || check.Month() != month || check.Day() != day) || hour > 23 || minute > 59 {
		return time.Time{}, fmt.Errorf("want a day and a time that exist")
	}
	return t, nil
}

var (
	months   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// named returns which of the names ref begins with, or -1.
func named(ref string, names []string) int {
	if len(ref) < 3 {
		return -1
	}
	return slices.Index(names, ref[:3])
}

// timeOfDay reads "17:30", "6:30pm", "6pm", "noon", "midnight" or "teatime" and returns what follows.
func timeOfDay(ref string) (hour, minute int, rest string, err error) {
	if i := strings.IndexByte(ref, ':'); i > 0 && i < 3 {
		end := min(i+3, len(ref))
		if !digits(ref[:i]) || !digits(ref[i+1:end]) {
			return 0, 0, "", fmt.Errorf("want hours and minutes in %q", ref)
		}
		hour, minute, ref = atoi(ref[:i]), atoi(ref[i+1:end]), ref[end:]
		if after, ok := strings.CutPrefix(ref, "am"); ok {
			ref = after
		} else if after, ok := strings.CutPrefix(ref, "pm"); ok {
			hour, ref = (hour+12)%24, after
		}
	}
	for _, half := range []struct {
		name string
		add  int
	}{{"am", 0}, {"pm", 12}} {
		if i := strings.Index(ref, half.name); i > 0 && i < 3 {
			if !digits(ref[:i]) {
				return 0, 0, "", fmt.Errorf("want hours before %s in %q", half.name, ref)
			}
			hour, ref = atoi(ref[:i])+half.add, ref[i+2:]
			if half.add > 0 {
				hour %= 24
			}
		}
	}
	for _, word := range []struct {
		name string
		hour int
	}{{"noon", 12}, {"midnight", 0}, {"teatime", 16}} {
		if after, ok := strings.CutPrefix(ref, word.name); ok {
			return word.hour, 0, after, nil
		}
	}
	return hour, minute, ref, nil
}

// slashed reads MM/DD/YY or MM/DD/YYYY.
func slashed(ref string) (int, time.Month, int, error) {
	f := strings.Split(ref, "/")
	for _, s := range f {
		if !digits(s) || len(s) > 4 {
			return 0, 0, 0, fmt.Errorf("want MM/DD/YY in %q", ref)
		}
	}
	year := atoi(f[2])
	if year < 1900 {
		year += 1900
	}
	if year < 1970 {
		year += 100
	}
	return year, time.Month(atoi(f[0])), atoi(f[1]), nil
}

// dayOfMonth reads the one or two digits that ref ends in.
func dayOfMonth(ref string) (int, error) {
	for n := 2; n > 0; n-- {
		if tail := ref[len(ref)-n:]; digits(tail) {
			return atoi(tail), nil
		}
	}
	return 0, fmt.Errorf("want a day of the month after %q", ref)
}

// parseOffset reads "-1d12h", "+5min": any number of counts and units after one sign.
func parseOffset(offset string) (time.Duration, error) {
	if offset == "" {
		return 0, nil
	}
	sign := time.Duration(1)
	switch offset[0] {
	case '-':
		sign, offset = -1, offset[1:]
	case '+':
		offset = offset[1:]
	}
	var total time.Duration
	for offset != "" {
		n := len(offset) - len(strings.TrimLeft(offset, "0123456789"))
		if n == 0 || n > 9 {
			return 0, fmt.Errorf("offset %q: want a number and a unit", offset)
		}
		count := atoi(offset[:n])
		offset = offset[n:]
		u := len(offset) - len(strings.TrimLeft(offset, "abcdefghijklmnopqrstuvwxyz"))
		unit, err := unitOf(offset[:u])
		if err != nil {
			return 0, err
		}
		if time.Duration(count) > maxOffset/unit {
			return 0, fmt.Errorf("offset of %d %s: want less than 200 years", count, offset[:u])
		}
		total += time.Duration(count) * unit
		if total > maxOffset {
			return 0, fmt.Errorf("want an offset of less than 200 years")
		}
		offset = offset[u:]
	}
	return sign * total, nil
}

const (
	dayUnit   = 24 * time.Hour
	maxOffset = 200 * 365 * dayUnit
)

// unitOf reads a unit by its first letters.
func unitOf(s string) (time.Duration, error) {
	for _, u := range []struct {
		prefix string
		unit   time.Duration
	}{{"s", time.Second}, {"min", time.Minute}, {"h", time.Hour}, {"d", dayUnit}, {"w", 7 * dayUnit}, {"mon", 30 * dayUnit}, {"y", 365 * dayUnit}} {
		if strings.HasPrefix(s, u.prefix) {
			return u.unit, nil
		}
	}
	return 0, fmt.Errorf("unit %q: want s, min, h, d, w, mon or y", s)
}

// atoi reads digits.
func atoi(s string) int {
	n, _ := strconv.Atoi(s) // digits, few enough
	return n
}
