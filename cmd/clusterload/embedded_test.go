package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
)

// embeddedSite is a site whose only database is the embedded one.
type embeddedSite struct {
	*site
	url string
}

func newEmbeddedSite(t *testing.T) *embeddedSite {
	s := newSite(t)
	ports, err := bed.Ports(2)
	require.NoError(t, err)
	text := fmt.Sprintf("cluster = \"hpc1\"\nfrequency = 1\nfolder = %q\n\n[aggregator.slurm]\ncommands = %q\n\n[database.embedded]\nlisten = \"127.0.0.1:%d\"\nline = \"127.0.0.1:%d\"\n", filepath.Join(s.folder, "state"), s.bin, ports[0], ports[1])
	require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
	return &embeddedSite{s, fmt.Sprintf("http://127.0.0.1:%d", ports[0])}
}

// times returns when the store has values of a path.
func (s *embeddedSite) times(path string) map[int64]float64 {
	response, err := http.Get(s.url + "/render?format=json&from=-5min&target=" + path)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	var series []struct{ Datapoints [][2]*float64 }
	if json.NewDecoder(response.Body).Decode(&series) != nil {
		return nil
	}
	times := map[int64]float64{}
	for _, one := range series {
		for _, p := range one.Datapoints {
			if p[0] != nil {
				times[int64(*p[1])] = *p[0]
			}
		}
	}
	return times
}

// grows waits until the store has n more values of a path than it had.
func (s *embeddedSite) grows(path string, n int) {
	s.t.Helper()
	before := len(s.times(path))
	require.Eventually(s.t, func() bool { return len(s.times(path)) >= before+n }, time.Minute, 50*time.Millisecond, s.log())
}

// storeOf returns the process id of the store whose parent is pid.
func storeOf(t *testing.T, pid int) int {
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	require.NoError(t, err)
	for _, path := range children {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for child := range strings.FieldsSeq(string(text)) {
			name, _ := os.ReadFile("/proc/" + child + "/comm")
			if strings.HasPrefix(string(name), "clusterload-sto") {
				id, err := strconv.Atoi(child)
				require.NoError(t, err)
				return id
			}
		}
	}
	require.Fail(t, "no store")
	return 0
}

// The store is started, started again where it is killed, keeps what it had, and ends with the agent, however that ends.
func TestEmbedded(t *testing.T) {
	s := newEmbeddedSite(t)
	pid := s.start()
	s.grows("hpc1.nodes.mixed", 3)
	page, err := http.Get(s.url + "/")
	require.NoError(t, err)
	require.NoError(t, page.Body.Close())
	assert.Equal(t, http.StatusOK, page.StatusCode)

	out, errs, code := s.run(program(t), "check", "--config", s.config)
	assert.Zero(t, code, errs)
	assert.Regexp(t, `(?m)^database +embedded +ok `, out)

	before := s.times("hpc1.nodes.mixed")
	require.NoError(t, syscall.Kill(storeOf(t, pid), syscall.SIGKILL))
	s.logged("embedded store ended; it is started again")
	s.grows("hpc1.nodes.mixed", 3)
	after := s.times("hpc1.nodes.mixed")
	for at, v := range before {
		assert.Equal(t, v, after[at], "at %d", at)
	}

	store := storeOf(t, pid)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Eventually(t, func() bool { return !alive(store) }, 30*time.Second, 20*time.Millisecond, "it outlives a killed agent")
	pid = s.start()
	s.grows("hpc1.nodes.mixed", 2)
	store = storeOf(t, pid)
	_, errs, code = s.script("stop.sh")
	assert.Zero(t, code, errs)
	assert.False(t, alive(store))

	// no second was lost while the agent ran: what the dead store did not take waited in the queue
	pid = s.start()
	s.grows("hpc1.nodes.mixed", 1)
	final := s.times("hpc1.nodes.mixed")
	for at := range before {
		assert.Contains(t, final, at)
	}
	assert.True(t, alive(pid))
}
