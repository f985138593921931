// Package main_test runs the program as its users do: built, with files and signals.
package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var built struct {
	once   sync.Once
	folder string
	err    error
	output []byte
}

// program builds the agent, and beside it the store, once, and returns the agent's path.
func program(t testing.TB) string {
	built.once.Do(func() {
		built.folder, built.err = os.MkdirTemp("", "clusterload-test-")
		if built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", built.folder+"/", ".", "../clusterload-store")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		built.output, built.err = build.CombinedOutput()
	})
	require.NoError(t, built.err, string(built.output))
	return filepath.Join(built.folder, "clusterload")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		_ = os.RemoveAll(built.folder)
	}
	os.Exit(code)
}
