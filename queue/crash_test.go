package queue

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMachineCrashes does at random what a queue can do, on a disk that fails at random, and crashes the machine: what
// was not synced is there in parts. Every block whose Put returned, with nothing in memory then, comes back as it was,
// in order, unless it was acknowledged.
func TestMachineCrashes(t *testing.T) {
	rounds := uint64(300)
	if testing.Short() {
		rounds = 50
	}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &model{t: t, random: rand.New(rand.NewPCG(seed, 1)), disk: newDisk(seed), next: 1, acked: map[int]bool{}}
			for range 6 {
				m.life()
			}
		})
	}
}

// model is what the test knows of a queue.
type model struct {
	t      *testing.T
	random *rand.Rand
	disk   *disk
	q      *Queue
	out    []*Block
	next   int          // number of the next block
	safe   int          // all blocks below are on the disk for certain
	acked  map[int]bool // may come again, need not
}

// life opens the queue, uses it, and crashes.
func (m *model) life() {
	q, err := open(Options{Folder: "/q", SegmentBytes: 200 + m.random.Int64N(2000)}, m.disk)
	require.NoError(m.t, err)
	m.q, m.out = q, nil
	for range 20 + m.random.IntN(60) {
		m.step()
	}
	if m.random.IntN(4) == 0 {
		m.disk.setFail(nil)
		require.NoError(m.t, q.Close())
		m.safe = m.next
	}
	m.disk = m.disk.crash()
	m.check()
}

func (m *model) step() {
	switch m.random.IntN(10) {
	case 0, 1, 2, 3:
		put(m.t, m.q, m.next, m.next+1)
		m.next++
		if m.q.Stats().Memory.Blocks == 0 {
			m.safe = m.next
		}
	case 4, 5:
		b, err := m.q.TryNext()
		if err != nil {
			assert.ErrorIs(m.t, err, syscall.EMFILE)
		} else if b != nil {
			number(m.t, b)
			m.out = append(m.out, b)
		}
	case 6, 7:
		if b := m.pick(); b != nil {
			m.acked[number(m.t, b)] = true
			if err := b.Ack(); err != nil {
				assert.ErrorIs(m.t, err, syscall.EIO)
			}
		}
	case 8:
		if b := m.pick(); b != nil {
			b.Nack()
		}
	case 9:
		m.disk.setFail(nil)
		if m.random.IntN(2) == 0 {
			ops := []string{"write", "sync", "create", "syncfolder", "truncate", "remove", "open"}[m.random.IntN(7)]
			random := rand.New(rand.NewPCG(m.random.Uint64(), 2))
			m.disk.setFail(func(op, _ string) error {
				switch {
				case !strings.Contains(ops, op) || random.IntN(3) == 0:
					return nil
				case op == "open":
					return syscall.EMFILE
				}
				return syscall.EIO
			})
		}
	}
}

// pick takes any block that is out.
func (m *model) pick() *Block {
	if len(m.out) == 0 {
		return nil
	}
	i := m.random.IntN(len(m.out))
	b := m.out[i]
	m.out = append(m.out[:i], m.out[i+1:]...)
	return b
}

// check reads what is there after the crash, on a copy of the disk, and compares.
func (m *model) check() {
	q, err := open(Options{Folder: "/q"}, m.disk.crashNothing())
	require.NoError(m.t, err)
	defer q.Close()
	there := map[int]bool{}
	last := 0
	for _, i := range drain(m.t, q) {
		if !there[i] && i < last {
			assert.Failf(m.t, "out of order", "block %d after %d", i, last)
		}
		there[i], last = true, max(i, last)
	}
	for i := 1; i < m.safe; i++ {
		if !there[i] && !m.acked[i] {
			assert.Failf(m.t, "lost", "block %d of %d", i, m.next-1)
		}
	}
	assert.Zero(m.t, q.Stats().Dropped)
	for i := 1; i < m.next; i++ { // the rest may be lost: the next life does not ask for it
		if !there[i] {
			m.acked[i] = true
		}
	}
	m.safe = m.next
}

const victim = "CLUSTERLOAD_QUEUE_VICTIM"

// TestMain lets the test's program be the process that is killed.
func TestMain(m *testing.M) {
	if folder := os.Getenv(victim); folder != "" {
		beKilled(folder)
	}
	os.Exit(m.Run())
}

// beKilled puts, reads and acknowledges without end, and says each of it: "put 7" once Put has returned, "ack 7" before
// and "done 7" after Ack.
func beKilled(folder string) {
	first, err := strconv.Atoi(os.Getenv(victim + "_FIRST"))
	if err != nil {
		panic(err)
	}
	q, err := Open(Options{Folder: folder, SegmentBytes: 3000})
	if err != nil {
		panic(err)
	}
	random := rand.New(rand.NewPCG(uint64(first), 3))
	var out []*Block
	for i := first; ; i++ {
		if err := q.Put([]byte(payload(i)), i); err != nil {
			panic(err)
		}
		fmt.Println("put", i)
		for len(out) < random.IntN(8) {
			b, err := q.TryNext()
			if err != nil {
				panic(err)
			}
			if b == nil {
				break
			}
			out = append(out, b)
		}
		for len(out) > 0 && random.IntN(3) > 0 {
			at := random.IntN(len(out))
			fmt.Println("ack", out[at].Points())
			if err := out[at].Ack(); err != nil {
				panic(err)
			}
			fmt.Println("done", out[at].e.points)
			out = append(out[:at], out[at+1:]...)
		}
	}
}

// TestKill kills a process at random moments, again and again on one folder. Every Put that returned is there
// afterwards, and what was acknowledged does not come again.
func TestKill(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 30
	}
	folder := t.TempDir()
	random := rand.New(rand.NewPCG(4, 4))
	left, maybe := map[int]bool{}, map[int]bool{} // put and not acknowledged; Put or Ack had begun
	next, repeats := 1, 0
	for round := range rounds {
		said, tail := runVictim(t, folder, next, 1+random.IntN(120))
		for _, line := range said {
			verb, text, _ := strings.Cut(line, " ")
			i, err := strconv.Atoi(text)
			require.NoError(t, err, line)
			switch verb {
			case "put":
				left[i], next = true, i+1
			case "ack":
				delete(left, i)
				maybe[i] = true
			case "done":
				delete(maybe, i)
			}
		}
		maybe[next] = true // its Put may have been done, and not said
		next++
		require.Empty(t, tail)

		q := openQueue(t, Options{Folder: folder})
		there := map[int]bool{}
		var back []*Block
		for {
			b, err := q.TryNext()
			require.NoError(t, err)
			if b == nil {
				break
			}
			i := number(t, b)
			if maybe[i] {
				repeats++
				left[i] = true
			}
			assert.True(t, left[i], "round %d: block %d came again after its Ack", round, i)
			there[i] = true
			back = append(back, b)
		}
		for i := range left {
			assert.True(t, there[i], "round %d: block %d is lost", round, i)
		}
		clear(maybe)
		for _, b := range back {
			b.Nack()
		}
		require.NoError(t, q.Close())
		if t.Failed() {
			return
		}
	}
	t.Logf("%d blocks, %d kills, %d repeats", next, rounds, repeats)
}

// runVictim starts the process, kills it once it has said n lines, and returns all that it said, and its errors.
func runVictim(t *testing.T, folder string, first, n int) (said []string, errors string) {
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
		if err != nil { // a last line without its end was said only in part
			break
		}
		said = append(said, strings.TrimSpace(line))
	}
	require.Error(t, cmd.Wait())
	return said, stderr.String()
}
