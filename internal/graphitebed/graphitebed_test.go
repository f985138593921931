package graphitebed

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
)

// A whole Graphite: what is sent to carbon is found and rendered, also after carbon was restarted or killed, and Stop
// leaves nothing.
func TestGraphite(t *testing.T) {
	begun := time.Now()
	g := StartTest(t, Options{})
	t.Logf("started in %s", time.Since(begun))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	at := time.Now().Unix() - 60
	write := func(name string, value float64) {
		c, err := net.Dial("tcp", g.Line)
		require.NoError(t, err)
		_, err = fmt.Fprintf(c, "bed.%s %v %d\n", name, value, at)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	stored := func(name string, value float64) {
		require.NoError(t, bed.WaitFor(ctx, name+" to be stored", func() (bool, error) {
			series, err := g.Render(ctx, "bed."+name, time.Unix(at-5, 0), time.Unix(at+5, 0))
			return err == nil && len(series) == 1 && series[0].At(at) == value, err
		}))
	}
	write("one", 1.25)
	stored("one", 1.25)
	series, err := g.Render(ctx, "bed.one", time.Unix(at-5, 0), time.Unix(at+5, 0))
	require.NoError(t, err)
	require.Len(t, series[0].Points, 10)
	assert.Equal(t, map[int64]float64{at: 1.25}, series[0].Values())
	assert.True(t, math.IsNaN(series[0].At(at+1)))

	require.NoError(t, g.Restart(ctx))
	stored("one", 1.25)
	write("two", -7)
	stored("two", -7)

	require.NoError(t, g.Kill())
	_, err = net.Dial("tcp", g.Line)
	require.Error(t, err)
	require.NoError(t, g.Restart(ctx))
	write("three", 3e9)
	stored("three", 3e9)

	nodes, err := g.Find(ctx, "bed.*")
	require.NoError(t, err)
	assert.ElementsMatch(t, []Node{{"bed.one", true}, {"bed.two", true}, {"bed.three", true}}, nodes)
	nodes, err = g.Find(ctx, "*")
	require.NoError(t, err)
	assert.Contains(t, nodes, Node{"bed", false})

	carbon := g.Carbon()
	require.NoError(t, g.Stop())
	assert.False(t, carbon.Running())
	_, err = os.Stat(g.Folder)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestStartFails(t *testing.T) {
	bed.Need(t, Programs...)
	_, err := Start(t.Context(), Options{Retention: "nonsense", NoWeb: true, Folder: t.TempDir()})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "carbon-cache")
}
