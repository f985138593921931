package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/config"
	"github.com/clusterload/clusterload/internal/setting"
)

// plugin is a plugin's Config as the tests' files use it.
type plugin struct {
	Address string           `toml:"address"`
	Port    uint16           `toml:"port"`
	Wait    setting.Duration `toml:"wait"`
	TLS     struct {
		CA  string         `toml:"ca"`
		Key setting.Secret `toml:"key"`
	} `toml:"tls"`
}

// decodeAll decodes every table as its plugin would.
func decodeAll(c *config.Config) error {
	for _, tables := range [][]config.Table{c.Aggregators, c.Databases} {
		for _, t := range tables {
			if err := t.Decode(new(plugin)); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestLoad(t *testing.T) {
	c, err := config.Load("testdata/good.toml")
	require.NoError(t, err)
	assert.Equal(t, "site.hpc1", c.Cluster)
	assert.Equal(t, 15*time.Second, c.Frequency)
	assert.Equal(t, "/srv/load", c.Folder)
	assert.Equal(t, "debug", c.LogLevel)
	assert.Equal(t, config.DefaultFolder(), mustParse(t, `cluster = "x"`).Folder)

	require.Len(t, c.Aggregators, 2)
	slow, slurm := c.Aggregators[0], c.Aggregators[1]
	assert.Equal(t, []any{"slow", "slurm", time.Minute, 20 * time.Second}, []any{slow.Name, slow.Type, slow.Frequency, slow.Deadline})
	assert.Equal(t, []any{"slurm", "slurm", 15 * time.Second, 30 * time.Second}, []any{slurm.Name, slurm.Type, slurm.Frequency, slurm.Deadline})

	require.Len(t, c.Databases, 2)
	first, backup := c.Databases[0], c.Databases[1]
	assert.Equal(t, []any{"graphite", "graphite", int64(config.DefaultMaxQueue)}, []any{first.Name, first.Type, first.MaxQueue})
	assert.Equal(t, []any{"backup", "graphite", int64(64 << 20)}, []any{backup.Name, backup.Type, backup.MaxQueue})

	p := plugin{Port: 2003, Address: "localhost"}
	require.NoError(t, first.Decode(&p))
	assert.Equal(t, "localhost", p.Address, "a default that the file does not change")
	assert.EqualValues(t, 2103, p.Port)
	assert.Equal(t, setting.Duration(1500*time.Millisecond), p.Wait)
	assert.Equal(t, "/etc/ca.pem", p.TLS.CA)
	assert.Equal(t, "swordfish", p.TLS.Key.Reveal())
}

func mustParse(t *testing.T, text string) *config.Config {
	c, err := config.Parse("f.toml", []byte(text))
	require.NoError(t, err)
	return c
}

// Every broken file is a file of its own, and the wording of its error is under test.
func TestBadFiles(t *testing.T) {
	tests := []struct{ file, want string }{
		{"syntax.bad.toml", `syntax.bad.toml:2: frequency: expected value but found '\n' instead`},
		{"twice.bad.toml", `twice.bad.toml:3: cluster: Key 'cluster' has already been defined.`},
		{"no-cluster.bad.toml", `no-cluster.bad.toml: cluster: is missing: want the name that every metric begins with, as in cluster = "hpc1"`},
		{"cluster-space.bad.toml", `cluster-space.bad.toml:1: cluster: "hpc 1": want letters, digits, "_" and "-", in parts separated by dots, as in "hpc1" or "site.hpc1"`},
		{"cluster-dot.bad.toml", `cluster-dot.bad.toml:1: cluster: "hpc1.": want letters, digits, "_" and "-", in parts separated by dots, as in "hpc1" or "site.hpc1"`},
		{"cluster-number.bad.toml", `cluster-number.bad.toml:1: cluster: is of type int64, want string`},
		{"unknown-top.bad.toml", `unknown-top.bad.toml:3: fequency: unknown key (known: aggregator, cluster, database, folder, frequency, log, log_level)`},
		{"unknown-table.bad.toml", `unknown-table.bad.toml:3: databases: unknown key (known: aggregator, cluster, database, folder, frequency, log, log_level)`},
		{"unknown-key.bad.toml", `unknown-key.bad.toml:6: database.graphite.adress: unknown key (known: address, max_queue, port, tls, type, wait)`},
		{"unknown-nested.bad.toml", `unknown-nested.bad.toml:4: database.graphite.tls.cert: unknown key (known: ca, key)`},
		{"wrong-type.bad.toml", `wrong-type.bad.toml:5: database.graphite.port: is of type string, want integer`},
		{"port-range.bad.toml", `port-range.bad.toml:4: database.graphite.port: 99999 is out of range for uint16`},
		{"duration.bad.toml", `duration.bad.toml:2: frequency: "ten" is no duration: want whole seconds (10) or a string with units ("10s", "1h30m", "90d")`},
		{"frequency-low.bad.toml", `frequency-low.bad.toml:2: frequency: 0s: want whole seconds, from 1s to 24h0m0s`},
		{"frequency-part.bad.toml", `frequency-part.bad.toml:5: aggregator.slurm.frequency: 1.5s: want whole seconds, from 1s to 24h0m0s`},
		{"not-a-table.bad.toml", `not-a-table.bad.toml:4: aggregator.slurm: want a table: [aggregator.slurm]`},
		{"array-of-tables.bad.toml", `array-of-tables.bad.toml:3: database.graphite: want a table: [database.graphite]`},
		{"table-name.bad.toml", `table-name.bad.toml:3: aggregator.my slurm: want a name of at most 64 letters, digits, "_" and "-"`},
		{"max-queue.bad.toml", `max-queue.bad.toml:4: database.graphite.max_queue: 1000 bytes: want at least 1MiB`},
		{"size.bad.toml", `size.bad.toml:4: database.graphite.max_queue: "much" is no size: want whole bytes (4096) or a string with a unit ("512MiB", "1GB")`},
		{"folder.bad.toml", `folder.bad.toml:2: folder: "state": want an absolute path, as in "/var/lib/clusterload"`},
		{"log.bad.toml", `log.bad.toml:2: log: "x.log": want an absolute path, as in "/var/log/clusterload.log"`},
		{"log-level.bad.toml", `log-level.bad.toml:2: log_level: "loud": want debug, info, warn or error`},
		{"secret-env.bad.toml", `secret-env.bad.toml:4: database.graphite.tls.key: the environment has no CLUSTERLOAD_NO_SUCH_VARIABLE`},
		{"secret-kind.bad.toml", `secret-kind.bad.toml:4: database.graphite.tls.key: a secret is a string, {file = "/path"} or {env = "NAME"}`},
		{"syntax.bad.json", `syntax.bad.json:3: not valid JSON: invalid character '"' after object key:value pair`},
		{"no-cluster.bad.json", `no-cluster.bad.json: cluster: is missing: want the name that every metric begins with, as in cluster = "hpc1"`},
		{"database-type.bad.json", `database-type.bad.json:4: database.type: unknown type "influx" (known in a JSON file: graphite; a TOML file knows more)`},
		{"no-address.bad.json", `no-address.bad.json: database.address: is missing: want the host that Graphite runs on, as in "address": "127.0.0.1"`},
		{"no-manager.bad.json", `no-manager.bad.json: workload_manager: is missing: want an object, as in "workload_manager": {"type": "slurm"}`},
		{"frequency.bad.json", `frequency.bad.json:3: frequency: soon: want a whole number`},
	}
	tested := map[string]bool{}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			tested[test.file] = true
			c, err := config.Load(filepath.Join("testdata", test.file))
			if err == nil {
				err = decodeAll(c)
			}
			assert.EqualError(t, err, "testdata/"+test.want)
		})
	}
	files, err := filepath.Glob("testdata/*.bad.*")
	require.NoError(t, err)
	for _, f := range files {
		assert.True(t, tested[filepath.Base(f)], "%s has no row", f)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := config.Load("testdata/none.toml")
	assert.EqualError(t, err, "config: open testdata/none.toml: no such file or directory")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// The file of the Python agent, unchanged.
func TestOriginal(t *testing.T) {
	c, err := config.Load("original.json")
	require.NoError(t, err)
	assert.Equal(t, "hpc1", c.Cluster)
	assert.Equal(t, 10*time.Second, c.Frequency)
	require.Len(t, c.Aggregators, 1)
	require.Len(t, c.Databases, 1)
	var slurm struct {
		Metrics string `toml:"metrics"`
	}
	require.NoError(t, c.Aggregators[0].Decode(&slurm))
	assert.Equal(t, []string{"slurm", "jobs_num"}, []string{c.Aggregators[0].Type, slurm.Metrics})
	var graphite struct {
		Address, Protocol string
		Port              int
	}
	require.NoError(t, c.Databases[0].Decode(&graphite))
	assert.Equal(t, "127.0.0.1 2004 pickle", graphite.Address+" "+"2004"+" "+graphite.Protocol)
	assert.Equal(t, 2004, graphite.Port)
	assert.Len(t, c.Warnings, 1)
}

func TestOriginalIgnoresMore(t *testing.T) {
	c, err := config.Load("testdata/more.json")
	require.NoError(t, err)
	assert.Equal(t, 30*time.Second, c.Frequency)
	require.Len(t, c.Warnings, 3)
	assert.Equal(t, "comment: ignored, as the Python agent did", c.Warnings[0])
	assert.Equal(t, "database.user: ignored, as the Python agent did", c.Warnings[1])
}

// Without a database there is the embedded one, without a file Slurm into it.
func TestDefaults(t *testing.T) {
	c, err := config.Default("head1")
	require.NoError(t, err)
	require.Len(t, c.Aggregators, 1)
	require.Len(t, c.Databases, 1)
	assert.Equal(t, []string{"head1", "slurm", "embedded"}, []string{c.Cluster, c.Aggregators[0].Type, c.Databases[0].Type})
	assert.NoError(t, decodeAll(c))
	assert.EqualValues(t, config.DefaultMaxQueue, c.Databases[0].MaxQueue)
	_, err = config.Default("no name")
	assert.ErrorContains(t, err, "cluster")
}

func TestFingerprint(t *testing.T) {
	base := "cluster = \"a\"\n[database.g]\ntype = \"graphite\"\nport = 7\naddress = \"h\"\n"
	of := func(text string) string { return mustParse(t, text).Databases[0].Fingerprint() }
	assert.Equal(t, of(base), of("# moved\ncluster = \"b\"\n[database.g]\naddress='h'\nport=7\ntype='graphite'"))
	assert.NotEqual(t, of(base), of(base+"max_queue = \"2MiB\""))
	assert.NotEqual(t, of(base), of(base+"tls = {ca = \"/x\"}"))
}

func TestTableErrorf(t *testing.T) {
	c := mustParse(t, "cluster = \"a\"\n\n[aggregator.slrum]\n")
	assert.EqualError(t, c.Aggregators[0].Errorf("unknown aggregator %q", "slrum"), `f.toml:3: aggregator.slrum: unknown aggregator "slrum"`)
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.*")
	for _, file := range append(files, "clusterload.toml", "original.json") {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Parse("f", text)
		if err == nil {
			_ = decodeAll(c)
			assert.NotEmpty(t, c.Cluster)
		}
	})
}
