package bed

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const stat = "4711 (slurm) d\n(x) S 17 4712 4713 0 -1 4194560 1061 0 0 0 1 2 0 0 20 0 5 0 81234 1000 200"

func TestParseStat(t *testing.T) {
	p, err := parseStat([]byte(stat))
	require.NoError(t, err)
	assert.Equal(t, proc{pid: 4711, parent: 17, session: 4713, state: 'S', started: 81234}, p)
	for _, bad := range []string{"", "4711", "x (y) S 1 2 3", "1 (y) S 1 2 3", ")(", stat[:60],
		"1 (y) S a 4712 4713 0 -1 4194560 1061 0 0 0 1 2 0 0 20 0 5 0 81234", "1 (y) SS 3 4712 4713 0 -1 4194560 1061 0 0 0 1 2 0 0 20 0 5 0 81234"} {
		_, err := parseStat([]byte(bad))
		assert.Error(t, err, "%q", bad)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(stat))
	f.Add([]byte("1 (a) Z 0 0 0"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = parseStat(b) })
}

func TestProcesses(t *testing.T) {
	begun, ok := started(os.Getpid())
	assert.True(t, ok)
	found := false
	for _, p := range descendants(os.Getppid()) {
		if p.pid == os.Getpid() {
			found = true
			assert.Equal(t, begun, p.started)
			assert.Equal(t, os.Getppid(), p.parent)
		}
	}
	assert.True(t, found, "this test below its parent")
	_, ok = started(1 << 30)
	assert.False(t, ok)
}
