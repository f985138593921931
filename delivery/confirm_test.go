package delivery

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

func TestConfirmWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unconfirmed, most, confirms := 0, 0, 0
		c := &scripted{}
		c.send = func(context.Context, []aggregator.Metric) error {
			unconfirmed++
			most = max(most, unconfirmed)
			return nil
		}
		c.confirm = func(context.Context) error { unconfirmed = 0; confirms++; return nil }
		f := deliver(t, t.TempDir(), stream{c}, nil)
		for i := range 200 {
			f.put(t, i, i+1)
		}
		f.Start()
		synctest.Wait()
		assert.Equal(t, windowBlocks, most)
		assert.Equal(t, 4, confirms, "three full windows, and one where the queue had no more")
		assert.Equal(t, identities(metrics(0, 200)), c.all())
		assert.Zero(t, f.Stats().Queue.Blocks)
	})
}

func TestConfirmWindowBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, most := 0, 0
		c := &scripted{}
		c.send = func(context.Context, []aggregator.Metric) error { n++; most = max(most, n); return nil }
		c.confirm = func(context.Context) error { n = 0; return nil }
		f := deliver(t, t.TempDir(), stream{c}, nil)
		for i := range 8 {
			m := metric(0)
			m.Labels = []string{strings.Repeat(fmt.Sprint(i), 3<<20), "running"}
			require.NoError(t, f.Put([]aggregator.Metric{m}))
		}
		f.Start()
		synctest.Wait()
		assert.Equal(t, 3, most, "8 MiB are full")
		assert.EqualValues(t, 8, f.Stats().Sent)
	})
}

func TestFailedConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		results := []error{nil, syscall.ECONNRESET, nil}
		c.confirm = func(context.Context) error { err := results[0]; results = results[1:]; return err }
		f := deliver(t, t.TempDir(), stream{c}, nil)
		for i := range 70 {
			f.put(t, i, i+1)
		}
		f.Start()
		synctest.Wait()
		assert.EqualValues(t, 64, f.Stats().Sent)
		assert.EqualValues(t, 6, f.Stats().Queue.Blocks)
		assert.ErrorIs(t, f.Stats().Err, syscall.ECONNRESET)
		pass(time.Second)
		assert.Equal(t, append(identities(metrics(0, 70)), identities(metrics(64, 70))...), c.all())
		assert.EqualValues(t, 70, f.Stats().Sent)
		assert.Zero(t, f.Stats().Queue.Blocks)
	})
}

func TestBrokenLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		n, confirmed := 0, 0
		c.send = func(context.Context, []aggregator.Metric) error {
			if n++; n%5 == 0 {
				return syscall.ECONNRESET
			}
			return nil
		}
		c.confirm = func(context.Context) error { confirmed++; return nil }
		f := deliver(t, t.TempDir(), stream{c}, nil)
		for i := range 100 {
			f.put(t, i, i+1)
		}
		f.Start()
		pass(10 * time.Minute)
		assert.EqualValues(t, 100, f.Stats().Sent)
		assert.Subset(t, c.all(), identities(metrics(0, 100)))
		assert.Less(t, confirmed, 70, "and more again while it holds")
	})
}
