package agent

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// commandLines are the command lines of a document: the lines of its sh blocks that begin with the program's name.
func commandLines(t *testing.T, path string) []string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			if strings.HasPrefix(line, "clusterload ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}

// words splits a line as a shell does, as far as the documents need it: at spaces that are not within single quotes.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// Every command line of the docs, and of the help's examples, is one that the program takes.
func TestDocumentedCommands(t *testing.T) {
	lines := commandLines(t, "../docs/command-line.md")
	require.Greater(t, len(lines), 12)
	a, d := Builtin()
	examples := (&program{aggregators: a, databases: d}).command()
	for _, c := range examples.Commands() {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, " | ")
			line, _, _ = strings.Cut(line, " >")
			line, _, _ = strings.Cut(strings.TrimSpace(line), "   ") // a remark
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "clusterload ") {
				lines = append(lines, line)
			}
		}
	}
	for _, line := range lines {
		root := (&program{aggregators: a, databases: d}).command()
		root.InitDefaultCompletionCmd()
		cmd, rest, err := root.Find(words(line)[1:])
		require.NoError(t, err, line)
		assert.NotEqual(t, root, cmd, line)
		require.NoError(t, cmd.ParseFlags(rest), line)
		assert.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), line)
	}
}

// Every flag of the commands that the document is about is in it or in their help, and every key of status too.
func TestDocumentedFlags(t *testing.T) {
	text, err := os.ReadFile("../docs/command-line.md")
	require.NoError(t, err)
	root := (&program{}).command()
	for _, name := range []string{"status", "top", "query"} {
		cmd, _, err := root.Find([]string{name})
		require.NoError(t, err)
		assert.NotEmpty(t, cmd.Example)
		for _, flag := range []string{"json", "socket", "ticks", "plain", "url", "from", "until", "format", "token-file", "timeout", "points", "width", "height"} {
			if cmd.Flags().Lookup(flag) != nil {
				assert.Contains(t, string(text), "--"+flag, name)
			}
		}
	}
	for _, c := range root.Commands() {
		assert.Contains(t, string(text), "`"+c.Name()+"`", "the list of commands")
	}
}
