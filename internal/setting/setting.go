// Package setting holds the kinds of values that configuration files spell as text: durations, sizes and secrets.
// Each decodes itself from TOML and says in its error what would be right.
package setting

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Duration is written as a string with units ("10s", "1h30m", "90d", "2y") or as whole seconds (10). As a flag it
// implements pflag.Value.
type Duration time.Duration

// longUnits are what time.ParseDuration lacks: days, weeks and years of 365 days.
var longUnits = map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'y': 365 * 24 * time.Hour}

// Set reads a duration from a string.
func (d *Duration) Set(s string) error {
	t, err := time.ParseDuration(s)
	if err != nil && s != "" {
		if unit, long := longUnits[s[len(s)-1]]; long {
			var n float64
			n, err = strconv.ParseFloat(s[:len(s)-1], 64)
			if n *= float64(unit); !(math.Abs(n) < math.MaxInt64) {
				err = strconv.ErrRange
			}
			t = time.Duration(n)
		}
	}
	if err != nil || t < 0 {
		return fmt.Errorf("%q is no duration: want whole seconds (10) or a string with units (\"10s\", \"1h30m\", \"90d\")", s)
	}
	*d = Duration(t)
	return nil
}

// UnmarshalTOML implements toml.Unmarshaler.
func (d *Duration) UnmarshalTOML(v any) error {
	if n, ok := v.(int64); ok {
		if n > math.MaxInt64/int64(time.Second) || n < 0 {
			return fmt.Errorf("%d seconds is out of range", n)
		}
		*d = Duration(n * int64(time.Second))
		return nil
	}
	if s, ok := v.(string); ok {
		return d.Set(s)
	}
	return d.Set(fmt.Sprintf("%v, not a string", v))
}

// Type names the kind of a flag.
func (*Duration) Type() string { return "duration" }

// Or returns d, or def where d is not set.
func (d Duration) Or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

// String spells the duration so that Set reads it: in whole days where it is that.
func (d Duration) String() string {
	t := time.Duration(d)
	if t >= 24*time.Hour && t%(24*time.Hour) == 0 {
		return strconv.Itoa(int(t/(24*time.Hour))) + "d"
	}
	return t.String()
}

// A Size is a number of bytes, written as a string with a unit ("512MiB", "1GB") or as whole bytes (4096). As a flag it
// implements pflag.Value.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{ // the longer suffix first
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"B", 1},
}

// Set reads a size from a string.
func (s *Size) Set(text string) error {
	number, unit := strings.TrimSpace(text), 1.0
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0 && f*unit < math.MaxInt64) {
		return fmt.Errorf("%q is no size: want whole bytes (4096) or a string with a unit (\"512MiB\", \"1GB\")", text)
	}
	*s = Size(f * unit)
	return nil
}

// UnmarshalTOML implements toml.Unmarshaler.
func (s *Size) UnmarshalTOML(v any) error {
	if n, ok := v.(int64); ok {
		if n < 0 {
			return fmt.Errorf("%d bytes is out of range", n)
		}
		*s = Size(n)
		return nil
	}
	text, ok := v.(string)
	if !ok {
		text = fmt.Sprintf("%v, not a string", v)
	}
	return s.Set(text)
}

// Type names the kind of a flag.
func (*Size) Type() string { return "size" }

// String spells the size so that Set reads it, in the largest binary unit that fits it whole.
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if unit := int64(u.bytes); s > 0 && int64(s)%unit == 0 {
			return strconv.FormatInt(int64(s)/unit, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// A Secret is a password or token. It is written as a string, or better as {file = "/path"} or {env = "NAME"}, and is
// never printed.
type Secret struct{ value string }

// UnmarshalTOML implements toml.Unmarshaler.
func (s *Secret) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case string:
		s.value = v
		return nil
	case map[string]any:
		if len(v) == 1 {
			if name, ok := v["env"].(string); ok {
				value, set := os.LookupEnv(name)
				if !set {
					return fmt.Errorf("the environment has no %s", name)
				}
				s.value = value
				return nil
			}
			if path, ok := v["file"].(string); ok {
				b, err := os.ReadFile(path)
				if err != nil {
					return fmt.Errorf("secret: %w", err)
				}
				s.value = strings.TrimRight(string(b), "\r\n")
				return nil
			}
		}
	}
	return fmt.Errorf(`a secret is a string, {file = "/path"} or {env = "NAME"}`)
}

// Reveal returns the secret itself, for the wire only.
func (s Secret) Reveal() string { return s.value }

func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return "***"
}

// GoString keeps the secret out of %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// MarshalText keeps the secret out of JSON, TOML and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
