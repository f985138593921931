package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/queue"
)

// scripted is a client made of functions. It keeps what it took.

// stream is a client whose Send needs a Confirm.

// fixture is a delivery with its folder and log.

// deliver makes a delivery to a client on a queue in folder; change may change its options.

func TestDelivers(t *testing.T) {
	for name, client := range map[string]func(*scripted) database.Client{
		"final":  func(c *scripted) database.Client { return c },
		"stream": func(c *scripted) database.Client { return stream{c} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &scripted{send: func(context.Context, []aggregator.Metric) error { time.Sleep(time.Second); return nil }}
				f := deliver(t, t.TempDir(), client(c), nil)
				f.put(t, 0, 12_345) // before Start
				assert.EqualValues(t, 3, f.Stats().Queue.Blocks, "blocks of 5,000 points")
				f.Start()
				f.put(t, 12_345, 12_350)
				synctest.Wait()
				assert.Zero(t, f.Stats().Sent)
				pass(4500 * time.Millisecond)
				assert.Equal(t, identities(metrics(0, 12_350)), c.all(), "in order")
				s := f.Stats()
				assert.EqualValues(t, 12_350, s.Sent)
				assert.Zero(t, s.Queue.Blocks)
				assert.NoError(t, s.Err)
				if name == "final" {
					assert.Equal(t, time.Second, s.LastSend)
				}
				require.NoError(t, f.Stop(t.Context()))
				assert.True(t, c.closed)
				assert.ErrorIs(t, f.Put(metrics(0, 1)), queue.ErrClosed)
				assert.Empty(t, f.log.String(), "nothing to say")
			})
		})
	}
}

// TestBackoff looks at the pauses between tries, and at the log.

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("connection refused")
		var failing atomic.Pointer[error]
		failing.Store(&refused)
		c := &scripted{send: func(context.Context, []aggregator.Metric) error { return *failing.Load() }}
		f := deliver(t, t.TempDir(), c, func(o *Options) { o.BackoffMin, o.BackoffMax = time.Second, 20*time.Second })
		f.Start()
		f.put(t, 1, 8)
		begin := time.Now()
		pass(20 * time.Minute)

		limits := []time.Duration{1, 2, 4, 8, 16, 20}
		sum, long := time.Duration(0), 0
		require.Greater(t, len(c.sends), 60)
		for i := 1; i < len(c.sends); i++ {
			pause := c.sends[i].Sub(c.sends[i-1])
			assert.LessOrEqual(t, pause, limits[min(i-1, 5)]*time.Second, "pause %d", i)
			assert.Positive(t, pause)
			sum += pause
			if pause > 10*time.Second {
				long++
			}
		}
		assert.Greater(t, long, 10, "pauses take all of their range")
		assert.Less(t, long, len(c.sends)-10)
		s := f.Stats()
		assert.Equal(t, refused, s.Err)
		assert.Equal(t, begin, s.Since)
		assert.EqualValues(t, 1, s.Queue.Blocks)

		throttled, reset := errors.New("throttled"), errors.New("connection reset")
		failing.Store(&throttled)
		pass(time.Minute)
		failing.Store(new(error))
		pass(time.Minute)
		assert.Equal(t, identities(metrics(1, 8)), c.all())
		assert.NoError(t, f.Stats().Err)
		sends := len(c.sends)
		failing.Store(&reset)
		f.put(t, 8, 9)
		pass(time.Second + 1)
		assert.GreaterOrEqual(t, len(c.sends), sends+2, "a success sets the pauses back")
		assert.Equal(t, []string{
			`level=WARN msg="database takes nothing; it is tried again" database=graphite error="connection refused" waiting_blocks=1`,
			`level=WARN msg="database takes nothing; it is tried again" database=graphite error=throttled waiting_blocks=1`,
			`level=INFO msg="database takes points again" database=graphite`,
			`level=WARN msg="database takes nothing; it is tried again" database=graphite error="connection reset" waiting_blocks=1`,
		}, cutLines(f.log.String(), " failed_for"))
	})
}

// pass lets time go by, and everything happen that does until then.

// cutLines splits text in lines and cuts each where the word begins.

// TestIdle has nothing to do for a day: no timer may be left that wakes the machine.

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		f := deliver(t, t.TempDir(), stream{c}, nil)
		f.Start()
		f.put(t, 0, 3)
		pass(24 * time.Hour)
		assert.Len(t, c.sends, 1)
		assert.Equal(t, identities(metrics(0, 3)), c.all())
	})
}

func TestTimeoutAndPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *fixture
		var errs []error // of the try before
		c := &scripted{send: func(ctx context.Context, ms []aggregator.Metric) error {
			errs = append(errs, f.Stats().Err)
			switch len(errs) {
			case 1:
				<-ctx.Done()
				return ctx.Err()
			case 2:
				_ = ms[len(ms)]
			}
			return nil
		}}
		f = deliver(t, t.TempDir(), c, func(o *Options) { o.Timeout = 7 * time.Second })
		f.Start()
		f.put(t, 0, 3)
		pass(7*time.Second - 1)
		assert.NoError(t, f.Stats().Err)
		pass(1)
		assert.ErrorIs(t, f.Stats().Err, context.DeadlineExceeded)
		pass(2 * time.Second)
		require.Len(t, errs, 3)
		assert.EqualError(t, errs[2], "panic: runtime error: index out of range [3] with length 3")
		assert.Contains(t, f.log.String(), "delivery_test.go", "the log says where")
		assert.Equal(t, identities(metrics(0, 3)), c.all())
	})
}

// TestConfirmWindow sends a backlog and counts what is unconfirmed at most.

// TestFailedConfirm sends everything again that was not confirmed, in order, and nothing that was.

// TestBrokenLine has a line that breaks after each fifth block: what is unconfirmed then is lost. All arrives, because

// less is sent before it is confirmed.

// TestErrorsThatDifferInThePortAreOne keeps the log quiet.

func TestErrorsThatDifferInThePortAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := 40_000
		c := &scripted{send: func(context.Context, []aggregator.Metric) error {
			port++
			return fmt.Errorf("send: %w", &net.OpError{Op: "write", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
				Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2003}, Err: syscall.EPIPE})
		}}
		f := deliver(t, t.TempDir(), c, nil)
		f.Start()
		f.put(t, 0, 1)
		pass(5 * time.Minute)
		assert.Equal(t, 1, strings.Count(f.log.String(), "broken pipe"))
	})
}

func TestStop(t *testing.T) {
	slow := func(d time.Duration, err error) func(context.Context, []aggregator.Metric) error {
		return func(ctx context.Context, _ []aggregator.Metric) error {
			select {
			case <-time.After(d):
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	deaf := func(context.Context, []aggregator.Metric) error { time.Sleep(time.Minute); return nil }
	for _, test := range []struct {
		name   string
		send   func(context.Context, []aggregator.Metric) error
		took   time.Duration
		left   int64
		failed string
	}{
		{"the Send in progress ends", slow(2*time.Second, nil), time.Second, 1, ""},
		{"the Send in progress fails", slow(2*time.Second, syscall.EPIPE), time.Second, 2, ""},
		{"the Send in progress is broken off", slow(time.Minute, nil), 4 * time.Second, 2, ""},
		{"the client is deaf", deaf, 5 * time.Second, 2, `database "graphite": stop: the client does not return, and is left behind`},
		{"during a pause", slow(0, syscall.EPIPE), 0, 2, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &scripted{send: test.send}
				folder := t.TempDir()
				f := deliver(t, folder, stream{c}, func(o *Options) {
					o.Timeout, o.BackoffMin, o.BackoffMax = time.Hour, time.Hour, time.Hour
				})
				f.put(t, 0, 1)
				f.put(t, 1, 2)
				f.Start()
				pass(time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				defer cancel()
				begin := time.Now()
				err := f.Stop(ctx)
				assert.Equal(t, test.took, time.Since(begin))
				if test.failed == "" {
					assert.NoError(t, err)
				} else {
					assert.EqualError(t, err, test.failed)
				}
				assert.Equal(t, test.failed == "", c.closed, "a client is not closed under its own feet")
				q, err := queue.Open(queue.Options{Folder: filepath.Join(folder, "queue")})
				require.NoError(t, err)
				assert.Equal(t, test.left, q.Stats().Blocks)
				require.NoError(t, q.Close())
				pass(2 * time.Minute)
			})
		})
	}
}

func TestPutSplits(t *testing.T) {
	big := func(i, bytes int) aggregator.Metric {
		m := metric(0)
		m.Labels = []string{fmt.Sprint(i) + strings.Repeat("x", bytes), "running"}
		return m
	}
	var ms []aggregator.Metric
	for i := range 9 {
		ms = append(ms, big(i, 1<<20))
	}
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		f := deliver(t, t.TempDir(), c, nil)
		require.NoError(t, f.Put(ms))
		assert.EqualValues(t, 4, f.Stats().Queue.Blocks, "by bytes")
		f.Start()
		synctest.Wait()
		assert.Equal(t, identities(ms), c.all())
	})
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		folder := t.TempDir()
		f := deliver(t, folder, c, func(o *Options) {
			require.NoError(t, o.Queue.Close())
			var err error
			o.Queue, err = queue.Open(queue.Options{Folder: filepath.Join(folder, "small"), MaxBytes: 3000})
			require.NoError(t, err)
		})
		ms := []aggregator.Metric{metric(1), big(1, 2000), metric(4), big(2, 3000), metric(7)}
		f.Start()
		for i := range ms {
			require.NoError(t, f.Put(ms[i:i+1]))
			synctest.Wait()
		}
		require.NoError(t, f.Put(ms[2:5]))
		synctest.Wait()
		want := []aggregator.Metric{ms[0], ms[1], ms[2], ms[4], ms[2], ms[4]}
		assert.Equal(t, identities(want), c.all(), "what the queue could never hold does not take the others with it")
		s := f.Stats()
		assert.EqualValues(t, 6, s.Sent)
		assert.EqualValues(t, 2, s.Rejected)
		letters := f.letters(t)
		require.Len(t, letters, 2)
		assert.Contains(t, letters[0].Reason, "block is too large")
	})
}

func TestConcurrentPuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &scripted{}
		f := deliver(t, t.TempDir(), stream{c}, nil)
		f.Start()
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				for n := range 5 {
					assert.NoError(t, f.Put(metrics(i*500+n*100, i*500+n*100+100)))
					f.Stats()
				}
			})
		}
		wait.Wait()
		synctest.Wait()
		assert.ElementsMatch(t, identities(metrics(0, 4000)), c.all())
	})
}

// TestEveryPointOnce has a database that takes, rejects, takes in parts and fails at random. Without an error that

// leaves open what was taken, each point ends taken or in the dead letters with its reason, once.

// picky is a database that never takes the points that have a reason.

// TestOrderIsKeptAroundRejections fails a Confirm whose window has a block with rejected points in its midst.
