package graphitebed

import (
	"context"
	"testing"
	"time"

	"github.com/clusterload/clusterload/internal/bed"
)

// StartTest starts a Graphite for the length of a test, which is skipped, or failed where servers are required, on a machine
// without it.
func StartTest(t testing.TB, o Options) *Graphite {
	t.Helper()
	bed.Need(t, Programs...)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	g, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("carbon-cache: the end of its output:\n%s", g.carbon.Tail(3000))
		}
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
	return g
}
