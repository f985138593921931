package slurm

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/internal/command"
)

// bigCluster is how the multiplied queue differs from the captured one of a handful of users.
const (
	bigUsers     = 400
	bigAccounts  = 60
	bigUsersEach = 30     // users with a job like a captured one
	bigBlock     = 50_000 // lines that are all different; a longer queue repeats them
)

// writeQueue writes n lines of squeue to a file: a capture, multiplied, with an ID, a user, an account, CPUs and times of
// its own in each line.
func writeQueue(t testing.TB, version string, n int) (path string, size int64) {
	lines := capture(t, version, "squeue.out")
	var block [][]byte
	for i := range min(n, bigBlock) {
		f := bytes.Split(lines[i%len(lines)], []byte{separator})
		user := (i%len(lines)*7 + i/len(lines)%bigUsersEach*13) % bigUsers
		f[fieldJobID] = strconv.AppendInt(nil, int64(1_000_000+i), 10)
		f[fieldUser] = fmt.Appendf(nil, "user%04d", user)
		f[fieldAccount] = fmt.Appendf(nil, "proj%02d", user%bigAccounts)
		cpus := i * 31 % 64 * int(f[fieldNodes][0]-'0')
		f[fieldCPUs] = strconv.AppendInt(nil, int64(cpus), 10)
		_, rest, _ := bytes.Cut(f[fieldTRES], comma)
		f[fieldTRES] = fmt.Appendf(nil, "cpu=%d,%s", cpus, rest)
		submit, err := strconv.Atoi(string(f[fieldSubmit]))
		require.NoError(t, err)
		f[fieldSubmit] = strconv.AppendInt(nil, int64(submit-i%100_000), 10)
		block = append(block, append(bytes.Join(f, []byte{separator}), '\n'))
	}
	path = filepath.Join(t.TempDir(), "queue")
	file, err := os.Create(path)
	require.NoError(t, err)
	w := bufio.NewWriterSize(file, 1<<20)
	for i := range n {
		l := block[i%len(block)]
		size += int64(len(l))
		_, err = w.Write(l)
		require.NoError(t, err)
	}
	require.NoError(t, w.Flush())
	require.NoError(t, file.Close())
	return path, size
}

// floor is the least that any reader of the queue does: it reads a program's output from a pipe, parts each line into its
// fields and counts the lines of each partition and state.
func floor(path string) (map[string]int, error) {
	cmd := exec.Command("/bin/cat", path)
	r, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	counts, err := countLines(r)
	if err != nil {
		return nil, err
	}
	return counts, cmd.Wait()
}

func countLines(r io.Reader) (map[string]int, error) {
	counts := map[string]*int{}
	buf := make([]byte, 128<<10)
	var f [fieldCount][]byte
	end := 0
	for {
		n, err := r.Read(buf[end:])
		end += n
		begin := 0
		for {
			at := bytes.IndexByte(buf[begin:end], '\n')
			if at < 0 {
				break
			}
			line := buf[begin : begin+at]
			rest := line
			for i := range f {
				at := bytes.IndexByte(rest, separator)
				f[i], rest = rest[:at], rest[at+1:]
			}
			first := len(f[0]) + len(f[1]) + len(f[2]) + 3
			key := line[first : first+len(f[fieldPartition])+1+len(f[fieldState])]
			if c := counts[string(key)]; c != nil {
				*c++
			} else {
				counts[string(key)] = new(int)
				*counts[string(key)] = 1
			}
			begin += at + 1
		}
		end = copy(buf, buf[begin:end])
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	out := map[string]int{}
	for k, n := range counts {
		out[k] = *n
	}
	return out, nil
}

// queueCaller is the agent's own way of a call of squeue, whose output is a file's.
func queueCaller(path string) *caller {
	log := slog.New(slog.DiscardHandler)
	c := defaults()
	return &caller{name: "queue", cmd: command.Command{Path: "/bin/cat", Args: []string{path}, Env: command.Environment()},
		reader: newJobs(&c, newTokens(log)), log: log}
}

// cpuTime is what this process has used, user and system, without its children.
func cpuTime(t testing.TB) time.Duration {
	var u unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkQueue reads a queue from a program through a pipe, and says how many times the CPU of the least possible loop
// that takes: both are measured in turns, in one run.
func BenchmarkQueue(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("lines=%d", n), func(b *testing.B) {
			path, size := writeQueue(b, "26.05", n)
			agent := queueCaller(path)
			var batch aggregator.Batch
			tick := func() {
				batch.Reset(time.Unix(1_795_213_440, 0))
				agent.run(b.Context(), batch.Time)
				agent.emit(&batch)
			}
			tick() // names are learnt once
			var ours, least time.Duration
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				begin := cpuTime(b)
				tick()
				ours += cpuTime(b) - begin
				b.StopTimer()
				require.NoError(b, agent.err)
				require.Equal(b, int64(n), agent.result.Rows)
				begin = cpuTime(b)
				counts, err := floor(path)
				least += cpuTime(b) - begin
				require.NoError(b, err)
				require.NotEmpty(b, counts)
				b.StartTimer()
			}
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N*n), "cpu-ns/line")
			b.ReportMetric(float64(least.Nanoseconds())/float64(b.N*n), "floor-ns/line")
			b.ReportMetric(float64(ours)/float64(least), "times-floor")
		})
	}
}

// BenchmarkQueueMemory runs the agent's reading and the least possible loop in processes of their own, and says the most
// resident memory of each: it must not grow with the queue.
func BenchmarkQueueMemory(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("lines=%d", n), func(b *testing.B) {
			path, _ := writeQueue(b, "26.05", n)
			for b.Loop() {
				b.ReportMetric(peakOf(b, "agent", path), "agent-MB")
				b.ReportMetric(peakOf(b, "floor", path), "floor-MB")
			}
		})
	}
}

const queueMemoryOf = "CLUSTERLOAD_QUEUE_MEMORY_OF"

// peakOf runs this test binary as a process that reads the queue in a way, and returns its peak memory in MB.
func peakOf(b *testing.B, way, path string) float64 {
	exe, err := os.Executable()
	require.NoError(b, err)
	cmd := exec.Command(exe, "-test.run=^TestQueueMemoryProcess$", path)
	cmd.Env = append(os.Environ(), queueMemoryOf+"="+way)
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	_, after, found := strings.Cut(string(out), "peak-kB ")
	require.True(b, found, "%s", out)
	kB, err := strconv.Atoi(strings.Fields(after)[0])
	require.NoError(b, err)
	return float64(kB) / 1000
}

// TestQueueMemoryProcess is no test but the process of BenchmarkQueueMemory.
func TestQueueMemoryProcess(t *testing.T) {
	path := os.Args[len(os.Args)-1]
	switch os.Getenv(queueMemoryOf) {
	case "agent":
		agent := queueCaller(path)
		var batch aggregator.Batch
		for range 3 {
			batch.Reset(time.Unix(1_795_213_440, 0))
			agent.run(t.Context(), batch.Time)
			require.NoError(t, agent.err)
			agent.emit(&batch)
		}
	case "floor":
		_, err := floor(path)
		require.NoError(t, err)
	default:
		t.Skip("runs in BenchmarkQueueMemory only")
	}
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Println("peak-kB", strings.Fields(after)[0])
}
