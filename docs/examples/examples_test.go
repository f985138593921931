// Package examples tests the programs that the documents lead through: they build, they run, and the documents show
// them as they are.
package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// build makes the example's program.
func build(t *testing.T, name string) string {
	program := filepath.Join(t.TempDir(), name)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./"+name).CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

func write(t *testing.T, path, text string) string {
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestAggregator(t *testing.T) {
	program, folder := build(t, "spool"), t.TempDir()
	mover := filepath.Join(folder, "mover")
	require.NoError(t, os.Mkdir(mover, 0o700))
	for _, name := range []string{"a", "b", "c"} {
		write(t, filepath.Join(mover, name), "x")
	}
	file := write(t, filepath.Join(folder, "c.toml"), `cluster = "hpc1"
folder = "`+folder+`"
[aggregator.spool]
path = "`+mover+`"
[database.print]
`)
	out, err := exec.CommandContext(t.Context(), program, "once", "--config", file).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `(?m)^hpc1\.spool\.files 3 \d+$`, string(out))

	out, err = exec.CommandContext(t.Context(), program, "metrics").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "| `spool.files` | gauge | count | Files that wait to be moved | the folder |")

	require.NoError(t, os.RemoveAll(mover))
	out, err = exec.CommandContext(t.Context(), program, "once", "--config", file).CombinedOutput()
	assert.Error(t, err)
	assert.NotContains(t, string(out), "hpc1.spool.files")
}

func TestDatabase(t *testing.T) {
	program, folder := build(t, "csv"), t.TempDir()
	rows := filepath.Join(folder, "load.csv")
	file := write(t, filepath.Join(folder, "c.toml"), `cluster = "hpc1"
frequency = 1
folder = "`+folder+`"
[aggregator.slurm]
[database.csv]
path = "`+rows+`"
`)
	agent := exec.CommandContext(t.Context(), program, "run", "--config", file)
	require.NoError(t, agent.Start())
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(rows)
		return strings.Contains(string(text), `,hpc1,agent.rss_bytes,[],`)
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, agent.Process.Signal(os.Interrupt))
	assert.NoError(t, agent.Wait())

	file = write(t, filepath.Join(folder, "bad.toml"), "cluster = \"hpc1\"\n[aggregator.slurm]\n\n[database.csv]\npfad = \"/x\"\n")
	out, err := exec.CommandContext(t.Context(), program, "run", "--config", file).CombinedOutput()
	assert.Error(t, err)
	assert.Equal(t, "clusterload: "+file+":5: database.csv.pfad: unknown key (known: max_queue, path, type)\n", string(out))
}

// The documents show the programs from their first declaration to their last line, word for word.
func TestDocuments(t *testing.T) {
	for document, name := range map[string]string{"adding-an-aggregator.md": "spool", "adding-a-database.md": "csv"} {
		text, err := os.ReadFile(filepath.Join("..", document))
		require.NoError(t, err)
		code, err := os.ReadFile(filepath.Join(name, "main.go"))
		require.NoError(t, err)
		assert.Contains(t, string(text), "```go\n"+string(code)+"```\n", "%s shows %s/main.go", document, name)
		lines := 0
		_, body, _ := strings.Cut(string(code), ")\n") // after the imports
		for line := range strings.SplitSeq(body, "\n") {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		assert.Less(t, lines, 30, "%s is short", name)
	}
}
