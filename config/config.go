// Package config reads the agent's configuration: a TOML file, or the JSON file of the Python agent that clusterload
// replaces. It knows no plugin: a table's own settings are decoded by the plugin that the table names.
package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/clusterload/clusterload/internal/setting"
)

// DebugCluster is the prefix that --debug pushes under.
const DebugCluster = "test"

// A Config is what the agent is to do.
type Config struct {
	Path        string // the file, "" for the defaults
	Cluster     string // the prefix of every metric: path elements, separated by dots
	Frequency   time.Duration
	Folder      string // queues, dead letters and what plugins keep
	Log         string // the daemon's log file; "" is clusterload.log in Folder
	LogLevel    string // debug, info, warn or error
	Aggregators []Table
	Databases   []Table
	Warnings    []string // what was understood but deserves a look; for the log
}

// A Table is one [aggregator.NAME] or [database.NAME].
type Table struct {
	Name      string
	Type      string        // the plugin's name; where the table has no `type`, Name
	Frequency time.Duration // of an aggregator: its own, or the agent's
	Deadline  time.Duration // of an aggregator: how long one run may take
	MaxQueue  int64         // of a database: bytes that its queue may hold on disk

	doc    *document
	kind   string // "aggregator" or "database"
	common any    // the settings above as the file has them
}

// Decode fills v, a pointer to a plugin's own Config with its defaults set, from the table. A key that neither v nor
// the agent knows, or a value of the wrong kind, is an error with file, line and key.
func (t Table) Decode(v any) error { return t.doc.decodeTable(t.kind, t.Name, v, t.common) }

// Errorf makes an *Error about the table. The format may wrap an error with %w; one that says already where in the file
// it belongs is returned as it is.
func (t Table) Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if located := (*Error)(nil); errors.As(err, &located) {
		return err
	}
	return t.doc.errorf(t.kind+"."+t.Name, "%w", err)
}

// Fingerprint is equal for two tables that mean the same agent part, whatever files they are from.
func (t Table) Fingerprint() string {
	return fmt.Sprintf("%s %s %v %v %d %s", t.Type, t.Name, t.Frequency, t.Deadline, t.MaxQueue, t.doc.canonical(t.kind, t.Name))
}

// The settings that the agent itself takes from a table. Each kind's are listed in its sample file.
type aggregatorSettings struct {
	Type      string           `toml:"type"`
	Frequency setting.Duration `toml:"frequency"`
	Deadline  setting.Duration `toml:"deadline"`
}

type databaseSettings struct {
	Type     string       `toml:"type"`
	MaxQueue setting.Size `toml:"max_queue"`
}

// The defaults that stand, commented, in clusterload.toml.
const (
	DefaultFrequency = 10 * time.Second
	DefaultLogLevel  = "info"
	DefaultMaxQueue  = 1 << 30
	minFrequency     = time.Second
	maxFrequency     = 24 * time.Hour
)

// DefaultDeadline is how long a run of an aggregator may take where its table does not say: half a minute, or the
// frequency where that is longer.
func DefaultDeadline(frequency time.Duration) time.Duration { return max(30*time.Second, frequency) }

// DefaultFolder is where the agent keeps its queues: the state folder that systemd gives it, /var/lib/clusterload for
// root, else below the user's home.
func DefaultFolder() string {
	if state, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); filepath.IsAbs(state) {
		return state
	}
	if os.Geteuid() == 0 {
		return "/var/lib/clusterload"
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "clusterload")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "clusterload")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("clusterload-%d", os.Geteuid()))
}

// Load reads the file at path.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return Parse(path, text)
}

// Parse reads text, which is the content of the file at path. JSON is told from TOML by its opening brace.
func Parse(path string, text []byte) (*Config, error) {
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return parseOriginal(path, text)
	}
	doc, err := newDocument(path, string(text))
	if err != nil {
		return nil, err
	}
	return doc.config()
}

// settings are the keys at the top of the file.
type settings struct {
	Cluster    string           `toml:"cluster"`
	Frequency  setting.Duration `toml:"frequency"`
	Folder     string           `toml:"folder"`
	Log        string           `toml:"log"`
	LogLevel   string           `toml:"log_level"`
	Aggregator map[string]table `toml:"aggregator"`
	Database   map[string]table `toml:"database"`
}

func (d *document) config() (*Config, error) {
	top := settings{Frequency: setting.Duration(DefaultFrequency), Folder: DefaultFolder(), LogLevel: DefaultLogLevel}
	if err := d.decodeTop(&top); err != nil {
		return nil, err
	}
	c := &Config{Path: d.path, Cluster: top.Cluster, Frequency: time.Duration(top.Frequency), Folder: top.Folder, Log: top.Log, LogLevel: top.LogLevel}
	if err := c.check(d); err != nil {
		return nil, err
	}
	for _, name := range d.names("aggregator", top.Aggregator) {
		t, err := d.aggregator(name, c.Frequency)
		if err != nil {
			return nil, err
		}
		c.Aggregators = append(c.Aggregators, t)
	}
	for _, name := range d.names("database", top.Database) {
		t, err := d.database(name)
		if err != nil {
			return nil, err
		}
		c.Databases = append(c.Databases, t)
	}
	if len(c.Databases) == 0 {
		c.Databases = []Table{embedded()}
	}
	return c, nil
}

// embedded is the table that stands where a file has no database: the built-in Graphite with its defaults.
func embedded() Table {
	d, err := newDocument("(default)", "[database.embedded]\n")
	if err == nil {
		var t Table
		if t, err = d.database("embedded"); err == nil {
			return t
		}
	}
	panic(err) // the text above is wrong
}

// Default is the configuration without a file: Slurm into the embedded Graphite.
func Default(cluster string) (*Config, error) {
	return Parse("(default)", fmt.Appendf(nil, "cluster = %q\n[aggregator.slurm]\n", cluster))
}

var (
	clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	tableName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

func (c *Config) check(d *document) error {
	switch {
	case c.Cluster == "":
		return d.errorf("cluster", `is missing: want the name that every metric begins with, as in cluster = "hpc1"`)
	case !clusterName.MatchString(c.Cluster) || len(c.Cluster) > 200:
		return d.errorf("cluster", `%q: want letters, digits, "_" and "-", in parts separated by dots, as in "hpc1" or "site.hpc1"`, c.Cluster)
	case c.Folder == "" || !filepath.IsAbs(c.Folder):
		return d.errorf("folder", `%q: want an absolute path, as in "/var/lib/clusterload"`, c.Folder)
	case c.Log != "" && !filepath.IsAbs(c.Log):
		return d.errorf("log", `%q: want an absolute path, as in "/var/log/clusterload.log"`, c.Log)
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		return d.errorf("log_level", "%q: want debug, info, warn or error", c.LogLevel)
	}
	return d.checkFrequency("frequency", c.Frequency)
}

func (d *document) checkFrequency(key string, f time.Duration) error {
	if f < minFrequency || f > maxFrequency || f%time.Second != 0 {
		return d.errorf(key, "%s: want whole seconds, from %s to %s", f, minFrequency, maxFrequency)
	}
	return nil
}

func (d *document) aggregator(name string, frequency time.Duration) (Table, error) {
	s := aggregatorSettings{Type: name, Frequency: setting.Duration(frequency)}
	if _, err := d.decode("aggregator", name, &s); err != nil {
		return Table{}, err
	}
	own := time.Duration(s.Frequency)
	if err := d.checkFrequency("aggregator."+name+".frequency", own); err != nil {
		return Table{}, err
	}
	t := Table{Name: name, Type: s.Type, Frequency: own, Deadline: s.Deadline.Or(DefaultDeadline(own)), doc: d, kind: "aggregator", common: &s}
	return t, nil
}

func (d *document) database(name string) (Table, error) {
	s := databaseSettings{Type: name, MaxQueue: DefaultMaxQueue}
	if _, err := d.decode("database", name, &s); err != nil {
		return Table{}, err
	}
	if s.MaxQueue < 1<<20 {
		return Table{}, d.errorf("database."+name+".max_queue", "%d bytes: want at least 1MiB", s.MaxQueue)
	}
	return Table{Name: name, Type: s.Type, MaxQueue: int64(s.MaxQueue), doc: d, kind: "database", common: &s}, nil
}
