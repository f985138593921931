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

// A Duration is written as a string with units ("10s", "1h30m") or as whole seconds (10).
type Duration time.Duration

// UnmarshalTOML implements toml.Unmarshaler.
func (d *Duration) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case int64:
		if v > math.MaxInt64/int64(time.Second) || v < 0 {
			return fmt.Errorf("%d seconds is out of range", v)
		}
		*d = Duration(v * int64(time.Second))
		return nil
	case string:
		t, err := time.ParseDuration(v)
		if err == nil && t >= 0 {
			*d = Duration(t)
			return nil
		}
		return fmt.Errorf("%q is no duration: want whole seconds (10) or a string with units (\"10s\", \"1h30m\")", v)
	default:
		return fmt.Errorf("%v is no duration: want whole seconds (10) or a string with units (\"10s\", \"1h30m\")", v)
	}
}

// Or returns d, or def where d is not set.
func (d Duration) Or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}

func (d Duration) String() string { return time.Duration(d).String() }

// A Size is a number of bytes, written as a string with a unit ("512MiB", "1GB") or as whole bytes (4096).
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{ // the longer suffix first
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1 << 40}, {"B", 1},
}

// UnmarshalTOML implements toml.Unmarshaler.
func (s *Size) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return fmt.Errorf("%d bytes is out of range", v)
		}
		*s = Size(v)
		return nil
	case string:
		number, unit := strings.TrimSpace(v), 1.0
		for _, u := range sizeUnits {
			if n, ok := strings.CutSuffix(number, u.suffix); ok {
				number, unit = strings.TrimSpace(n), u.bytes
				break
			}
		}
		f, err := strconv.ParseFloat(number, 64)
		if err == nil && f >= 0 && f*unit < math.MaxInt64 {
			*s = Size(f * unit)
			return nil
		}
	}
	return fmt.Errorf("%q is no size: want whole bytes (4096) or a string with a unit (\"512MiB\", \"1GB\")", fmt.Sprint(v))
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
