package delivery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

func TestEveryPointOnce(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		for _, confirms := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 5))
				reasons := map[string]string{} // of what the database will never take
				all := metrics(0, 3000)
				for i := range all {
					if id := identity(&all[i]); random.IntN(20) == 0 {
						reasons[id] = fmt.Sprint("never ", i)
					}
				}
				db := &picky{random: rand.New(rand.NewPCG(seed, 9)), reasons: reasons, taken: map[string]int{}}
				var client database.Client = db
				if confirms {
					client = confirming{db}
				}
				f := deliver(t, t.TempDir(), client, nil)
				f.Start()
				for from := 0; from < len(all); {
					to := min(from+1+random.IntN(300), len(all))
					require.NoError(t, f.Put(all[from:to]))
					from = to
					pass(time.Duration(random.IntN(3)) * time.Second)
				}
				pass(24 * time.Hour)
				s := f.Stats()
				require.Zero(t, s.Queue.Blocks, "%v", s.Err)
				assert.EqualValues(t, len(reasons), s.Rejected)
				assert.EqualValues(t, len(all)-len(reasons), s.Sent)
				dead := map[string]string{}
				for _, l := range f.letters(t) {
					id := fmt.Sprint(l.Metric.Cluster, " ", l.Metric.Template, " ", l.Metric.Labels, " ", l.Metric.Time, " ", l.Metric.Value)
					assert.Empty(t, dead[id], "%s is there twice", id)
					dead[id] = l.Reason
				}
				assert.Equal(t, reasons, dead)
				for i := range all {
					id := identity(&all[i])
					want := 1
					if reasons[id] != "" {
						want = 0
					}
					assert.Equal(t, want, db.taken[id], id)
				}
				assert.Len(t, db.taken, len(all)-len(reasons))
			})
		}
	}
}

type picky struct {
	random  *rand.Rand
	reasons map[string]string
	taken   map[string]int
	pending []string // sent and not confirmed
	confirm bool
}

func (p *picky) Send(_ context.Context, ms []aggregator.Metric) error {
	if p.random.IntN(4) == 0 {
		p.pending = nil
		return syscall.ECONNREFUSED
	}
	rejected := &database.Rejected{}
	var good []string
	for i := range ms {
		if reason := p.reasons[identity(&ms[i])]; reason != "" {
			rejected.Points = append(rejected.Points, database.Point{Index: i, Reason: reason})
		} else {
			good = append(good, identity(&ms[i]))
		}
	}
	p.random.Shuffle(len(rejected.Points), func(i, j int) {
		rejected.Points[i], rejected.Points[j] = rejected.Points[j], rejected.Points[i]
	})
	if len(rejected.Points) > 0 && p.random.IntN(3) == 0 { // it stops somewhere, and takes none of the others
		rejected.Points = append(rejected.Points[:1+p.random.IntN(len(rejected.Points))], database.Point{Index: -1}, database.Point{Index: len(ms)})
		rejected.Rest = errors.New("storage is busy")
		p.pending = nil
		return rejected
	}
	if p.confirm {
		p.pending = append(p.pending, good...)
	} else {
		p.take(good)
	}
	if len(rejected.Points) > 0 {
		return rejected
	}
	return nil
}

func (p *picky) take(ids []string) {
	for _, id := range ids {
		p.taken[id]++
	}
}

func (p *picky) Close() error { return nil }

type confirming struct{ *picky }

func (c confirming) Send(ctx context.Context, ms []aggregator.Metric) error {
	c.picky.confirm = true
	return c.picky.Send(ctx, ms)
}

func (c confirming) Confirm(context.Context) error {
	if c.random.IntN(3) == 0 {
		c.pending = nil
		return syscall.ECONNRESET
	}
	c.take(c.pending)
	c.pending = nil
	return nil
}

func TestOrderIsKeptAroundRejections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		c.send = func(_ context.Context, ms []aggregator.Metric) error {
			for i := range ms {
				if ms[i].Value == 6 {
					return &database.Rejected{Points: []database.Point{{Index: i, Reason: "six"}}}
				}
			}
			return nil
		}
		fails := 2
		c.confirm = func(context.Context) error {
			if fails--; fails >= 0 {
				return syscall.ECONNRESET
			}
			return nil
		}
		f := deliver(t, t.TempDir(), stream{c}, nil)
		for i := 0; i < 12; i += 3 {
			f.put(t, i, i+3)
		}
		f.Start()
		pass(time.Minute)
		once := append(identities(metrics(0, 6)), identities(metrics(7, 12))...)
		assert.Equal(t, append(append(append([]string{}, once...), once...), once...), c.all())
		require.Len(t, f.letters(t), 1)
		assert.EqualValues(t, 11, f.Stats().Sent)
	})
}

func TestWrappedRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := &scripted{}
		c.send = func(_ context.Context, ms []aggregator.Metric) error {
			if n++; n == 1 {
				return errors.Join(&database.Rejected{Points: []database.Point{{Index: 1, Reason: "bad"}}}, syscall.EPIPE)
			}
			return nil
		}
		f := deliver(t, t.TempDir(), c, nil)
		f.Start()
		f.put(t, 0, 3)
		pass(time.Minute)
		assert.Equal(t, 2, n)
		assert.Contains(t, c.all(), identities(metrics(2, 3))[0])
		assert.Len(t, f.letters(t), 1)
		assert.True(t, math.IsNaN(metric(0).Rate))
	})
}
