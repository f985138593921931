package command

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// bufferSize is what is read at once. A pipe holds 64 KiB unless it is told otherwise.
const bufferSize = 128 << 10

// lines cuts a stream at its newlines. It keeps its buffer, which grows beyond bufferSize only for a longer line and
// shrinks again with the next run.
type lines struct {
	buf []byte
}

// read calls line with each line of r, up to its end. A line longer than most is left out whole, and so is a last one
// without a newline, which was cut: both are counted as spoilt.
func (l *lines) read(r io.Reader, most int, res *Result, line func([]byte)) error {
	if most == 0 {
		most = MaxLine
	}
	if len(l.buf) != bufferSize {
		l.buf = make([]byte, bufferSize)
	}
	begin, end := 0, 0 // what of the buffer is not handed out yet
	seen := 0          // of that, what is known to hold no newline
	skipping := false  // the line that the buffer begins with was too long
	for {
		if end == len(l.buf) {
			begin, end = l.room(begin, end, most)
		}
		if end-begin > most {
			if !skipping {
				skipping = true
				res.Spoilt++
			}
			begin, end, seen = 0, 0, 0
		}
		n, err := r.Read(l.buf[end:])
		res.Bytes += int64(n)
		end += n
		for {
			at := bytes.IndexByte(l.buf[begin+seen:end], '\n')
			if at < 0 {
				seen = end - begin
				break
			}
			at += begin + seen
			switch {
			case skipping:
				skipping = false
			case at-begin > most:
				res.Spoilt++
			default:
				res.Rows++
				line(l.buf[begin:at])
			}
			begin, seen = at+1, 0
		}
		if skipping || begin == end {
			begin, end, seen = 0, 0, 0
		}
		if err != nil {
			if end > begin {
				res.Spoilt++
			}
			return ended(err)
		}
	}
}

// room makes room behind a full buffer's rest: it moves the rest to the front, and doubles the buffer where the rest is
// more than half of it.
func (l *lines) room(begin, end, most int) (int, int) {
	if rest := end - begin; rest > len(l.buf)/2 && len(l.buf) <= most {
		grown := make([]byte, min(2*len(l.buf), most+bufferSize))
		copy(grown, l.buf[begin:end])
		l.buf = grown
	} else {
		copy(l.buf, l.buf[begin:end])
	}
	return 0, end - begin
}

// ended turns the error that ends a stream into one that says something: the end itself does not, nor does the deadline
// that is set where the run is given up.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}
