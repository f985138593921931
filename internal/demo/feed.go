package main

import (
	"bufio"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clusterload/clusterload/internal/terminal/loadview"
)

// A feed is the database of the demo: it takes Graphite lines over TCP and knows the last value of each series. It closes
// a connection once the agent has ended its side, which tells the agent that all was read.
type feed struct {
	listener net.Listener
	prefix   string        // of every path: the cluster's name and a dot
	ticked   chan struct{} // has a value once a tick's figures of Slurm are there, or that its commands failed

	mu     sync.Mutex
	points map[string]point // by path, without the prefix
	latest int64
	bad    error // the last line that was none
}

type point struct {
	value float64
	at    int64 // Unix seconds
}

// listen starts a feed on a free port of loopback.
func listen(cluster string) (*feed, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &feed{listener: l, prefix: cluster + ".", ticked: make(chan struct{}, 1), points: map[string]point{}}
	go f.accept()
	return f, nil
}

func (f *feed) port() int { return f.listener.Addr().(*net.TCPAddr).Port }

func (f *feed) close() error { return f.listener.Close() }

func (f *feed) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		go f.read(c)
	}
}

func (f *feed) read(c net.Conn) {
	defer c.Close()
	slurm := false
	for lines := bufio.NewScanner(c); lines.Scan(); {
		if strings.HasPrefix(f.add(lines.Text()), "agent.command.") {
			slurm = true
		}
	}
	if slurm {
		select {
		case f.ticked <- struct{}{}:
		default: // one is waiting already
		}
	}
}

// add takes a line of the feed and returns its path without the cluster.
func (f *feed) add(line string) string {
	path, p, err := parseLine(line)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.bad = err
		return ""
	}
	path = strings.TrimPrefix(path, f.prefix)
	if p.at >= f.points[path].at {
		f.points[path] = p
	}
	f.latest = max(f.latest, p.at)
	return path
}

// parseLine reads a Graphite line:
//
//	demo.partition.gpu.jobs.running 12 1763676000
func parseLine(line string) (string, point, error) {
	w := strings.Fields(line)
	if len(w) != 3 {
		return "", point{}, fmt.Errorf("graphite line: %q: want path, value and time", line)
	}
	value, err := strconv.ParseFloat(w[1], 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return "", point{}, fmt.Errorf("graphite line: %q: want a finite value, not %q", line, w[1])
	}
	at, err := strconv.ParseInt(w[2], 10, 64)
	if err != nil || at < 0 {
		return "", point{}, fmt.Errorf("graphite line: %q: want Unix seconds, not %q", line, w[2])
	}
	return w[0], point{value, at}, nil
}

// A load is what the feed knew at one time: the values that were of the last ticks, by path.
type load struct {
	at     int64
	series int
	values map[string]float64
	bad    error
}

// now returns the load. A value older than age seconds before the latest tick is not in it: what failed shows nothing,
// not what was true once.
func (f *feed) now(age int64) load {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := load{at: f.latest, values: make(map[string]float64, len(f.points)), bad: f.bad}
	for path, p := range f.points {
		if p.at >= f.latest-age {
			l.values[path] = p.value
		}
	}
	l.series = len(l.values)
	return l
}

// view is the load as the terminal shows it.
func (l load) view() *loadview.Load {
	v := loadview.New(time.Unix(l.at, 0))
	for path, value := range l.values {
		v.Set(path, value)
	}
	return v
}
