package web

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"time"
)

// send sends the points of all series from one time to another to a carbon, as lines in the order of time, and returns how
// many there were once carbon has read them all. Points for which skip is true are left out.
func (h *history) send(address string, from, until int64, skip func(path string, at int64) bool) (int, error) {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	w := bufio.NewWriterSize(c, 1<<18)
	n := 0
	paths := h.paths()
	var line []byte
	for t := from - from%h.step; t <= until; t += h.step {
		for _, p := range paths {
			if skip != nil && skip(p, t) {
				continue
			}
			v := h.series[p](t)
			if math.IsNaN(v) {
				continue
			}
			line = append(append(line[:0], p...), ' ')
			line = append(strconv.AppendFloat(line, v, 'g', -1, 64), ' ')
			line = append(strconv.AppendInt(line, t, 10), '\n')
			if _, err := w.Write(line); err != nil {
				return n, fmt.Errorf("after %d points: %w", n, err)
			}
			n++
		}
	}
	if err := w.Flush(); err != nil {
		return n, err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return n, err
	}
	_, err = io.Copy(io.Discard, c) // its end: carbon has read to the end of ours
	return n, err
}
