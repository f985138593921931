package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
)

// childVariable makes the test's own program the store: its arguments, as JSON.
const childVariable = "CLUSTERLOAD_STORE_TEST"

func TestMain(m *testing.M) {
	if args := os.Getenv(childVariable); args != "" {
		var list []string
		if err := json.Unmarshal([]byte(args), &list); err != nil {
			panic(err)
		}
		os.Args = append(os.Args[:1], list...)
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A child is the store as a process of its own.
type child struct {
	*bed.Process
	http, line string
}

// startChild starts the store on a folder and waits until it says that it is ready. Its addresses stay the same over
// restarts.
func startChild(t testing.TB, folder, http, line string, flags ...string) *child {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "notify")
	ready, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer ready.Close()
	args, err := json.Marshal(append([]string{"--path", folder, "--listen", http, "--line", line}, flags...))
	require.NoError(t, err)
	program, err := os.Executable()
	require.NoError(t, err)
	log := filepath.Join(t.TempDir(), "log")
	p, err := bed.Start(bed.Options{Name: "clusterload-store", Path: program, Log: log,
		Env: append(os.Environ(), childVariable+"="+string(args), "NOTIFY_SOCKET="+socket)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })
	require.NoError(t, ready.SetReadDeadline(time.Now().Add(time.Minute)))
	b := make([]byte, 100)
	n, err := ready.Read(b)
	require.NoError(t, err, "not ready: %s", p.Tail(4000))
	require.Equal(t, "READY=1", string(b[:n]))
	return &child{p, http, line}
}

// freePorts returns addresses on loopback that nobody listens on.
func freePorts(t testing.TB, n int) []string {
	t.Helper()
	var list []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		list = append(list, l.Addr().String())
	}
	return list
}

// deliver sends lines and says whether the store has acknowledged them: the end of stream, and no reset.
func deliver(address string, lines []byte) error {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := conn.Write(lines); err != nil {
		return err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// values asks for one series as a map from time to value.
func values(t testing.TB, server, target string, from, until int64) map[int64]float64 {
	t.Helper()
	resp, err := http.Get("http://" + server + "/render?" + url.Values{"target": {target}, "format": {"json"}, "noNullPoints": {"1"},
		"from": {fmt.Sprint(from)}, "until": {fmt.Sprint(until)}}.Encode())
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode, "%s", body)
	var list []renderedSeries
	require.NoError(t, json.Unmarshal(body, &list), "%s", body)
	got := map[int64]float64{}
	for _, s := range list {
		for _, d := range s.Datapoints {
			got[int64(*d[1])] = *d[0]
		}
	}
	return got
}

// TestKill kills the store again and again while it takes points: what it had acknowledged is there, with the right values.
func TestKill(t *testing.T) {
	folder := t.TempDir()
	ports := freePorts(t, 2)
	begin := time.Now().Unix()/10*10 - 3600*6
	acknowledged := map[int64]bool{}
	next := int64(0)
	c := startChild(t, folder, ports[0], ports[1])
	for range 8 {
		stop := make(chan struct{})
		killed := make(chan struct{})
		go func(p *child, after time.Duration) {
			defer close(killed)
			select {
			case <-time.After(after):
			case <-stop:
			}
			_ = p.Kill()
		}(c, time.Duration(rand.IntN(60))*time.Millisecond)
		for next < 2000 {
			var b bytes.Buffer
			for s := range 20 {
				fmt.Fprintf(&b, "kill.s%d %d.%03d %d\n", s, next, s, begin+10*next)
			}
			if deliver(ports[1], b.Bytes()) != nil {
				break // sent again after the restart, as the agent does
			}
			acknowledged[next] = true
			next++
		}
		close(stop)
		<-killed
		c = startChild(t, folder, ports[0], ports[1])
	}
	require.Greater(t, len(acknowledged), 10)
	for s := range 20 {
		got := values(t, c.http, fmt.Sprintf("kill.s%d", s), begin-10, begin+10*next+10)
		for n := range acknowledged {
			want := float64(n) + float64(s)/1000
			require.InDelta(t, want, got[begin+10*n], 1e-9, "series %d, point %d", s, n)
		}
	}
	require.NoError(t, c.Stop(10*time.Second))
	t.Logf("%d batches were acknowledged over 8 kills", len(acknowledged))
}

// history fills a store with a day, so that there are blocks, and returns the time it begins.
func history(t testing.TB, c *child) int64 {
	t.Helper()
	begin := time.Now().Unix()/60*60 - 20*3600
	var b bytes.Buffer
	for i := int64(0); i < 20*60; i++ {
		for s := range 5 {
			fmt.Fprintf(&b, "day.s%d %d.%d %d\n", s, i, s, begin+60*i)
		}
	}
	require.NoError(t, deliver(c.line, b.Bytes()))
	return begin
}

// blocks lists the folders of blocks, the oldest first.
func blocks(t testing.TB, folder string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(folder, "01*", "meta.json"))
	require.NoError(t, err)
	return list
}

func health(t testing.TB, c *child) (int, map[string]any) {
	t.Helper()
	resp, err := http.Get("http://" + c.http + "/_health")
	require.NoError(t, err)
	defer resp.Body.Close()
	var h map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&h))
	return resp.StatusCode, h
}

// awaitBlocks waits until all but the last hours of history are in blocks.
func awaitBlocks(t testing.TB, c *child) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, c.WaitFor(ctx, "blocks", func() (bool, error) {
		_, h := health(t, c)
		return h["samples_in_blocks"].(float64) >= 5*60*16, nil
	}))
}

// TestDamage starts the store over each kind of damage: it starts, says what it lost, serves the rest, and takes points.
func TestDamage(t *testing.T) {
	prepared := t.TempDir()
	ports := freePorts(t, 2)
	c := startChild(t, prepared, ports[0], ports[1])
	begin := history(t, c)
	awaitBlocks(t, c)
	require.NoError(t, c.Stop(20*time.Second))
	tests := []struct {
		name   string
		harm   func(t *testing.T, folder string)
		least  int // points of 1200 that are left
		log    string
		setOff bool // something is moved to the folder damaged
	}{
		{"nothing", func(*testing.T, string) {}, 1200, "", false},
		{"block without index", inBlock("index", func(string) []byte { return nil }), 900, "block is damaged and lost", true},
		{"index cut short", inBlock("index", func(s string) []byte { return []byte(s[:len(s)/2]) }), 900, "block is damaged and lost", true},
		{"index flipped", inBlock("index", func(s string) []byte { return flip(s, len(s)-20) }), 900, "block is damaged and lost", true},
		{"meta cut short", inBlock("meta.json", func(s string) []byte { return []byte(s[:20]) }), 900, "block is damaged and lost", true},
		{"chunks flipped", inBlock("chunks/000001", func(s string) []byte { return flip(s, 60) }), 1000, "block is damaged: the rest of it is served", false},
		{"log cut short", inLog(func(s string) []byte { return []byte(s[:len(s)-7]) }), 900, "", false},
		{"log flipped", inLog(func(s string) []byte { return flip(s, len(s)/2) }), 900, "", false},
		{"log of zeros", inLog(func(s string) []byte { return make([]byte, len(s)) }), 900, "", false},
		{"log of noise", inLog(func(s string) []byte { return bytes.Repeat([]byte("noise"), len(s)/5) }), 900, "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "store")
			require.NoError(t, os.CopyFS(folder, os.DirFS(prepared)))
			test.harm(t, folder)
			c := startChild(t, folder, ports[0], ports[1])
			for s := range 5 {
				got := values(t, c.http, fmt.Sprintf("day.s%d", s), begin-60, begin+20*3600)
				assert.GreaterOrEqual(t, len(got), test.least, "series %d", s)
				for at, v := range got {
					require.InDelta(t, float64((at-begin)/60)+float64(s)/10, v, 1e-9, "an altered value at %d", at)
				}
			}
			now := time.Now().Unix()
			require.NoError(t, deliver(c.line, fmt.Appendf(nil, "after.x 17.5 %d\n", now)))
			assert.Len(t, values(t, c.http, "after.x", now-60, now), 1)
			status, _ := health(t, c)
			assert.Equal(t, 200, status)
			assert.Contains(t, c.Tail(10000), test.log)
			_, err := os.Stat(filepath.Join(folder, "damaged"))
			if test.setOff {
				assert.NoError(t, err)
			}
			require.NoError(t, c.Stop(10*time.Second))
		})
	}
}

// inBlock changes a file of the oldest block; nil removes it.
func inBlock(name string, change func(string) []byte) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		rewrite(t, filepath.Join(filepath.Dir(blocks(t, folder)[0]), name), change)
	}
}

// inLog changes the write-ahead log's fullest segment.
func inLog(change func(string) []byte) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		list, err := filepath.Glob(filepath.Join(folder, "wal", "0*"))
		require.NoError(t, err)
		largest, size := "", int64(-1)
		for _, name := range list {
			if info, err := os.Stat(name); err == nil && info.Size() > size {
				largest, size = name, info.Size()
			}
		}
		require.Greater(t, size, int64(100))
		rewrite(t, largest, change)
	}
}

func rewrite(t *testing.T, name string, change func(string) []byte) {
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	if b = change(string(b)); b == nil {
		require.NoError(t, os.Remove(name))
		return
	}
	require.NoError(t, os.WriteFile(name, b, 0o644))
}

func flip(s string, at int) []byte {
	b := []byte(s)
	b[at] ^= 0x55
	return b
}

// TestFullDisk fills the disk under the store, a small one in memory: the store stays up, takes nothing, serves what it has,
// resets its senders, and goes on by itself once there is room; started on the full disk, it serves its blocks.
func TestFullDisk(t *testing.T) {
	bed.NeedRoot(t)
	disk := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=96m"))
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	folder := filepath.Join(disk, "store")
	ports := freePorts(t, 2)
	flags := []string{"--keep-free", "32MiB"}
	c := startChild(t, folder, ports[0], ports[1], flags...)
	begin := history(t, c)
	awaitBlocks(t, c)

	filler := filepath.Join(disk, "filler")
	now := time.Now().Unix()
	line := fmt.Appendf(nil, "full.x 42.5 %d\n", now)
	left := ""
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := bed.WaitFor(ctx, "the store to notice", func() (bool, error) {
		fill(t, filler, 4<<10) // again: compaction gives back what it had reserved
		status, h := health(t, c)
		left = fmt.Sprint(h)
		return status == http.StatusInsufficientStorage, nil
	})
	require.NoError(t, err, left)
	assert.Error(t, deliver(c.line, line), "not acknowledged")
	assert.Len(t, values(t, c.http, "day.s3", begin-60, begin+20*3600), 1200)
	assert.True(t, c.Running())

	require.NoError(t, c.Kill())
	c = startChild(t, folder, ports[0], ports[1], flags...)
	assert.Error(t, deliver(c.line, line), "not acknowledged by the one that reads only")
	assert.GreaterOrEqual(t, len(values(t, c.http, "day.s3", begin-60, begin+20*3600)), 800, "blocks are served")

	require.NoError(t, os.Remove(filler))
	require.NoError(t, bed.WaitFor(ctx, "the store to take points again", func() (bool, error) { return deliver(c.line, line) == nil, nil }))
	assert.Equal(t, map[int64]float64{now / 10 * 10: 42.5}, values(t, c.http, "full.x", now-60, now))
	assert.Len(t, values(t, c.http, "day.s3", begin-60, begin+20*3600), 1200, "nothing was lost")
	require.NoError(t, c.Stop(10*time.Second))
}

// fill writes a file until no more than so many bytes are free.
func fill(t *testing.T, name string, left int64) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	chunk := []byte(strings.Repeat("x", 64<<10))
	for {
		var fs syscall.Statfs_t
		require.NoError(t, syscall.Statfs(name, &fs))
		free := int64(fs.Bavail) * fs.Bsize
		if free <= left {
			return
		}
		if _, err := f.Write(chunk[:min(free-left, int64(len(chunk)))]); errors.Is(err, syscall.ENOSPC) {
			return
		} else {
			require.NoError(t, err)
		}
	}
}
