package main

import (
	"io"
	"math"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseLine(t *testing.T) {
	path, p, err := parseLine("demo.partition.gpu.jobs.running 12.5 1763676001")
	require.NoError(t, err)
	assert.Equal(t, "demo.partition.gpu.jobs.running", path)
	assert.Equal(t, point{12.5, 1763676001}, p)
	for line, want := range map[string]string{
		"":                        `graphite line: "": want path, value and time`,
		"demo.a 1":                `graphite line: "demo.a 1": want path, value and time`,
		"demo.a b 1 2":            `graphite line: "demo.a b 1 2": want path, value and time`,
		"demo.a one 1763676001":   `graphite line: "demo.a one 1763676001": want a finite value, not "one"`,
		"demo.a NaN 1763676001":   `graphite line: "demo.a NaN 1763676001": want a finite value, not "NaN"`,
		"demo.a 7 1763676001.5":   `graphite line: "demo.a 7 1763676001.5": want Unix seconds, not "1763676001.5"`,
		"demo.a 7 -5":             `graphite line: "demo.a 7 -5": want Unix seconds, not "-5"`,
		"demo.a 1e999 1763676001": `graphite line: "demo.a 1e999 1763676001": want a finite value, not "1e999"`,
	} {
		_, _, err := parseLine(line)
		assert.EqualError(t, err, want)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add("demo.partition.gpu.jobs.running 12.5 1763676001")
	f.Add("a -0 0")
	f.Fuzz(func(t *testing.T, line string) {
		path, p, err := parseLine(line)
		if err != nil {
			return
		}
		assert.False(t, math.IsNaN(p.value) || math.IsInf(p.value, 0))
		again, q, err := parseLine(path + " " + strconv.FormatFloat(p.value, 'g', -1, 64) + " " + strconv.FormatInt(p.at, 10))
		require.NoError(t, err)
		assert.Equal(t, path, again)
		assert.Equal(t, p, q)
	})
}

// send pushes lines as the agent does: it ends its side and waits until the other is closed, too.
func send(t *testing.T, f *feed, lines string) {
	t.Helper()
	c, err := net.Dial("tcp", f.listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(c, lines)
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	_, err = c.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err, "all was read")
	require.NoError(t, c.Close())
}

func TestFeed(t *testing.T) {
	f, err := listen("demo")
	require.NoError(t, err)
	defer f.close()
	send(t, f, "demo.jobs.running 3 100\ndemo.jobs.pending 5 100\ndemo.agent.command.queue.ok 1 100\n")
	<-f.ticked
	assert.Equal(t, load{at: 100, series: 3, values: map[string]float64{"jobs.running": 3, "jobs.pending": 5, "agent.command.queue.ok": 1}}, f.now(4))

	send(t, f, "demo.jobs.running 11 102\ndemo.jobs.running 13 98\nmore nonsense\n")
	assert.Empty(t, f.ticked, "nothing of the commands")
	l := f.now(4)
	assert.Equal(t, int64(102), l.at)
	assert.Equal(t, map[string]float64{"jobs.running": 11, "jobs.pending": 5, "agent.command.queue.ok": 1}, l.values, "an older value comes too late")
	assert.EqualError(t, l.bad, `graphite line: "more nonsense": want path, value and time`)

	send(t, f, "demo.agent.command.queue.ok 0 105\n")
	<-f.ticked
	assert.Equal(t, map[string]float64{"jobs.running": 11, "agent.command.queue.ok": 0}, f.now(4).values, "what is no longer pushed is not shown")
}
