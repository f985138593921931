package agent

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/config"
)

// The sample file starts an agent as it is, and with every commented default taken in: no setting in it is misspelt, and
// the defaults of the file's top are those of the code.
func TestSampleFile(t *testing.T) {
	text, err := os.ReadFile("../config/clusterload.toml")
	require.NoError(t, err)
	commented := regexp.MustCompile(`(?m)^#([a-z_]+ = )`)
	assert.Len(t, commented.FindAll(text, -1), 18)
	all := commented.ReplaceAll(text, []byte("$1"))

	a, d := Builtin()
	var configs []*config.Config
	for _, text := range [][]byte{text, all} {
		c, err := config.Parse("clusterload.toml", text)
		require.NoError(t, err)
		p, err := (factories{a, d, quiet()}).plan(c, nil, nil)
		require.NoError(t, err)
		require.Len(t, p.startTasks, 1)
		require.Len(t, p.startDatabases, 1)
		assert.Equal(t, 30*time.Second, p.startTasks[0].task.Deadline)
		configs = append(configs, c)
	}
	short, long := configs[0], configs[1]
	assert.Equal(t, []any{short.Cluster, short.Frequency, short.Log, short.LogLevel}, []any{long.Cluster, long.Frequency, long.Log, long.LogLevel})
	assert.Equal(t, config.DefaultFolder(), short.Folder)
	assert.Equal(t, "/var/lib/clusterload", long.Folder)
	assert.EqualValues(t, 1<<30, short.Databases[0].MaxQueue)
}
