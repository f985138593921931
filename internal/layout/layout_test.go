// Package layout holds the rules that the project's folders keep: what may import what.
package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/clusterload/clusterload/"

// mayImport says for each folder at the top which packages of this module its files may import. "X" allows a folder and
// all below it; tests may in addition import their own folder, the test suites and the test beds below internal.
var mayImport = map[string][]string{
	"cmd":        {"agent", "config", "store", "web", "internal"},
	"agent":      {"aggregator", "workload", "database", "wire", "queue", "delivery", "config", "internal"},
	"workload":   {"aggregator", "workload", "internal"},
	"database":   {"aggregator", "database", "wire", "internal"},
	"delivery":   {"aggregator", "database", "queue", "wire"},
	"store":      {"wire", "internal"},
	"wire":       {"aggregator", "internal/registry"},
	"aggregator": {"internal/registry"},
	"config":     {"internal/setting"},
	"queue":      {},
	"web":        {},
	"internal":   {"internal"},
	"docs":       {"agent", "aggregator", "database"}, // the examples
}

// inTests is what tests may import beyond the table.
var inTests = []string{"internal", "database/databasetest"}

// shared lists, for the folders of plugins, what of the folder a plugin may import: plugins do not know one another.
var shared = map[string][]string{"workload": {}, "database": {"database/databasetest"}}

func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "build" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, path)
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if local, ok := strings.CutPrefix(imported, module); ok {
				assert.Empty(t, forbidden(filepath.ToSlash(rel), local))
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, files, 20)
}

// forbidden says why file may not import the package local of this module, or nothing.
func forbidden(file, local string) string {
	top, _, _ := strings.Cut(file, "/")
	allowed, known := mayImport[top]
	if !known {
		return file + ": the folder " + top + " is not in the table of this test"
	}
	folder := filepath.ToSlash(filepath.Dir(file))
	test := strings.HasSuffix(file, "_test.go")
	under := func(parent string) bool { return local == parent || strings.HasPrefix(local, parent+"/") }
	if test && (local == folder || slices.ContainsFunc(inTests, under)) {
		return ""
	}
	if !slices.ContainsFunc(allowed, under) {
		return file + " imports " + local + ", and " + top + " may import only " + strings.Join(allowed, ", ")
	}
	// one plugin never imports another; the list of all of them imports each
	if _, plugin := shared[top]; plugin && under(top) && local != top && folder != top+"/all" && !strings.HasPrefix(folder, local) && !slices.ContainsFunc(shared[top], under) {
		return file + " imports " + local + ": plugins do not know one another"
	}
	return ""
}

func TestForbidden(t *testing.T) {
	tests := []struct {
		file, local string
		ok          bool
	}{
		{"workload/slurm/squeue.go", "aggregator", true},
		{"workload/slurm/squeue.go", "internal/command", true},
		{"workload/slurm/squeue.go", "database", false},
		{"workload/slurm/squeue.go", "workload/host", false},
		{"workload/all/all.go", "workload/slurm", true},
		{"database/all/all.go", "database/graphite", true},
		{"database/print/print.go", "database/graphite", false},
		{"database/print/print.go", "wire", true},
		{"database/print/print_test.go", "database/databasetest", true},
		{"queue/queue.go", "aggregator", false},
		{"store/store.go", "agent", false},
		{"cmd/clusterload/main.go", "agent", true},
		{"cmd/clusterload/main.go", "queue", false},
		{"wire/graphite.go", "internal/registry", true},
		{"wire/graphite.go", "internal/setting", false},
		{"stray/x.go", "wire", false},
	}
	for _, test := range tests {
		got := forbidden(test.file, test.local)
		assert.Equal(t, test.ok, got == "", "%s imports %s: %q", test.file, test.local, got)
	}
}
