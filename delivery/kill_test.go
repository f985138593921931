package delivery

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
	"github.com/clusterload/clusterload/queue"
)

const (
	victim = "CLUSTERLOAD_DELIVERY_VICTIM"
	each   = 7 // points in one block of the victim
)

// TestMain lets the test's program be the process that is killed.
func TestMain(m *testing.M) {
	if folder := os.Getenv(victim); folder != "" {
		if err := beKilled(folder); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// ledger is a database that is a file: a line for each point that it took. It outlives the process that is killed. Like
// a stream it keeps some for later, and loses them where Confirm fails.
type ledger struct {
	file    *os.File
	random  *rand.Rand
	pending strings.Builder
}

func (l *ledger) Send(_ context.Context, ms []aggregator.Metric) error {
	for i := range ms {
		fmt.Fprintln(&l.pending, int(ms[i].Value))
	}
	if l.random.IntN(10) == 0 {
		l.pending.Reset()
		return fmt.Errorf("reset")
	}
	return nil
}

func (l *ledger) Confirm(context.Context) error {
	text := l.pending.String()
	l.pending.Reset()
	if l.random.IntN(10) == 0 {
		_, _ = l.file.WriteString(text[:l.random.IntN(len(text)+1)] + "\n") // it took some, and nobody knows
		return fmt.Errorf("reset")
	}
	_, err := l.file.WriteString(text)
	return err
}

func (l *ledger) Close() error { return l.file.Close() }

var _ database.Confirmer = (*ledger)(nil)

func openLedger(folder string, seed int) (*Delivery, error) {
	q, err := queue.Open(queue.Options{Folder: filepath.Join(folder, "queue"), SegmentBytes: 2000})
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder, "ledger"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	client := &ledger{file: file, random: rand.New(rand.NewPCG(uint64(seed), 6))}
	return New(Options{Name: "ledger", Queue: q, Client: client, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond}), nil
}

// beKilled puts without end and says each block that was taken, while it is delivered.
func beKilled(folder string) error {
	first, err := strconv.Atoi(os.Getenv(victim + "_FIRST"))
	if err != nil {
		return err
	}
	d, err := openLedger(folder, first)
	if err != nil {
		return err
	}
	d.Start()
	for i := first; ; i += each {
		var ms []aggregator.Metric
		for n := range each {
			ms = append(ms, aggregator.Metric{Desc: load, Cluster: "hpc1", Value: float64(i + n)})
		}
		if err := d.Put(ms); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

// TestKill kills the process at random moments while it takes and delivers, again and again. In the end the database
// has every point whose Put returned, and repeats only of what was under way.
func TestKill(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(8, 8))
	put := map[int]bool{}
	next := 0
	for range rounds {
		for _, i := range runVictim(t, folder, next, 1+random.IntN(60)) {
			for n := range each {
				put[i+n] = true
			}
			next = i + each
		}
		next += each // the last may have been put and not said
	}
	synctest.Test(t, func(t *testing.T) {
		d, err := openLedger(folder, next)
		require.NoError(t, err)
		d.Start()
		pass(time.Hour)
		assert.Zero(t, d.Stats().Queue.Blocks)
		assert.Zero(t, d.Stats().Queue.Damaged)
		require.NoError(t, d.Stop(t.Context()))
	})
	took, repeats := map[int]int{}, 0
	for line := range strings.Lines(read(t, filepath.Join(folder, "ledger"))) {
		if i, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
			if took[i]++; took[i] > 1 {
				repeats++
			}
		}
	}
	for i := range put {
		assert.NotZero(t, took[i], "point %d is lost", i)
	}
	t.Logf("%d points, %d kills, %d repeats", len(put), rounds, repeats)
}

// runVictim starts the process, kills it once it has said n lines, and returns all that it said.
func runVictim(t *testing.T, folder string, first, n int) (said []int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+folder, victim+"_FIRST="+strconv.Itoa(first))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewReader(pipe)
	for i := 0; ; i++ {
		if i == n {
			require.NoError(t, cmd.Process.Kill())
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		point, err := strconv.Atoi(strings.TrimSpace(line))
		require.NoError(t, err, line)
		said = append(said, point)
	}
	require.Error(t, cmd.Wait())
	require.Empty(t, stderr.String())
	return said
}
