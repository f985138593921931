package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkDay fills the store, as a process of its own, with a day of points at 10 s and reports what that takes: memory,
// bytes a point on the disk, and the processor time of /render. CLUSTERLOAD_BENCH_SERIES=20000 makes it the size that
// DESIGN.md's figures are for; the rule is a tenth.
func BenchmarkDay(b *testing.B) {
	series := 2000
	if n, err := strconv.Atoi(os.Getenv("CLUSTERLOAD_BENCH_SERIES")); err == nil && n > 0 {
		series = n
	}
	for b.Loop() {
		benchmarkDay(b, series)
	}
}

func benchmarkDay(b *testing.B, series int) {
	folder := b.TempDir()
	ports := freePorts(b, 2)
	c := startChild(b, folder, ports[0], ports[1])
	end := time.Now().Unix() / 10 * 10
	begun := time.Now()
	sendDay(b, c.line, series, end-86400)
	points := float64(series) * 8640
	b.ReportMetric(points/time.Since(begun).Seconds(), "points/s")
	loaded := cpu(b, c.Pid())
	b.ReportMetric(loaded.Seconds()/points*1e9, "cpu-ns/point")
	memory(b, c.Pid(), "loaded")
	quiet(b, c)
	_, h := health(b, c)
	b.ReportMetric(bytesOf(b, folder)/h["samples_in_blocks"].(float64), "B/point")
	const renders = 5
	before := cpu(b, c.Pid())
	for range renders {
		resp, err := http.Get("http://" + c.http + "/render?format=json&target=day.g000.*&from=-24h")
		require.NoError(b, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		require.Equal(b, 200, resp.StatusCode)
		require.Greater(b, n, int64(8_000_000))
		resp.Body.Close()
	}
	b.ReportMetric((cpu(b, c.Pid())-before).Seconds()/renders*1000, "cpu-ms/render")
	before = cpu(b, c.Pid())
	for range renders {
		resp, err := http.Get("http://" + c.http + "/render?format=json&target=day.g000.*&from=-24h&maxDataPoints=1000")
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		resp.Body.Close()
	}
	b.ReportMetric((cpu(b, c.Pid())-before).Seconds()/renders*1000, "cpu-ms/render-1000")
	memory(b, c.Pid(), "rendered")
	require.NoError(b, c.Stop(30*time.Second))
}

// sendDay sends a day, tick by tick, of what a cluster's metrics look like: counts that mostly stay, counts that move, and
// one in five a measured value with three decimals.
func sendDay(b *testing.B, address string, series int, begin int64) {
	conn, err := net.Dial("tcp", address)
	require.NoError(b, err)
	defer conn.Close()
	w := bufio.NewWriterSize(conn, 256<<10)
	names := make([]string, series)
	state := make([]float64, series)
	for s := range names {
		names[s] = fmt.Sprintf("day.g%03d.s%03d", s/100, s%100)
	}
	seed := uint64(88172645463325252)
	var line []byte
	for i := int64(0); i < 8640; i++ {
		for s, name := range names {
			seed ^= seed << 13
			seed ^= seed >> 7
			seed ^= seed << 17
			switch {
			case s%5 == 0:
				state[s] = math.Round(1000*(50+20*math.Sin(float64(i)/700+float64(s))+float64(seed>>40)/(1<<24))) / 1000
			case s%5 < 3 && seed%8 == 0:
				state[s] += float64(seed>>32%7) - 3
			case seed%64 == 0:
				state[s] = float64(seed >> 32 % 500)
			}
			line = append(append(line[:0], name...), ' ')
			line = strconv.AppendFloat(line, state[s], 'f', -1, 64)
			line = strconv.AppendInt(append(line, ' '), begin+10*i, 10)
			if _, err := w.Write(append(line, '\n')); err != nil {
				require.NoError(b, err)
			}
		}
	}
	require.NoError(b, w.Flush())
	require.NoError(b, conn.(*net.TCPConn).CloseWrite())
	_, err = io.ReadAll(conn)
	require.NoError(b, err)
}

// quiet waits until compaction has come to rest.
func quiet(b *testing.B, c *child) {
	last := cpu(b, c.Pid())
	for still := 0; still < 8; {
		time.Sleep(250 * time.Millisecond)
		now := cpu(b, c.Pid())
		if now-last < 20*time.Millisecond {
			still++
		} else {
			still = 0
		}
		last = now
	}
}

// cpu is the processor time that a process has taken.
func cpu(b *testing.B, pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory reports what a process holds now and has held at most, files that it has mapped apart from its own.
func memory(b *testing.B, pid int, when string) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(b, err)
	for line := range strings.SplitSeq(string(status), "\n") {
		f := strings.Fields(line)
		if len(f) == 3 && (f[0] == "VmHWM:" || f[0] == "RssAnon:" || f[0] == "VmRSS:") {
			kb, _ := strconv.Atoi(f[1])
			b.ReportMetric(float64(kb)/1024, "MiB-"+strings.TrimSuffix(f[0], ":")+"-"+when)
		}
	}
}

// bytesOf is what the blocks of a folder take.
func bytesOf(b *testing.B, folder string) float64 {
	total := int64(0)
	for _, meta := range blocks(b, folder) {
		require.NoError(b, filepath.Walk(filepath.Dir(meta), func(_ string, info os.FileInfo, err error) error {
			if err == nil && !info.IsDir() {
				total += info.Size()
			}
			return err
		}))
	}
	return float64(total)
}
