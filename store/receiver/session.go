package receiver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/clusterload/clusterload/wire"
)

// read reads into b, and commits when nothing has come for a while. It returns as soon as something has come.
func (s *session) read(b []byte) (int, error) {
	for {
		wait := time.Time{}
		if s.batch.Len() > 0 {
			wait = time.Now().Add(idle)
		}
		if err := s.conn.SetReadDeadline(wait); err != nil {
			return 0, err
		}
		if s.receiver.ended() { // it has woken the one that read before the deadline was set anew
			return 0, errEnding
		}
		n, err := s.conn.Read(b)
		if n > 0 {
			return n, nil
		}
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if s.receiver.ended() {
			return 0, errEnding
		}
		if err := s.commit(); err != nil {
			return 0, &commitError{err}
		}
	}
}

// A commitError is a commit that failed while a connection was read: what was read has to be sent again.
type commitError struct{ error }

func (e *commitError) Unwrap() error { return e.error }

// Retry says that the same points may be kept later.
func (e *commitError) Retry() bool { return true }

// lines reads lines until the end of the stream. A last line without its end is dropped, as carbon drops it: it may be the
// beginning of one whose sender was killed.
func (s *session) lines() error {
	buffer := make([]byte, 0, 64<<10)
	for {
		if len(buffer) == cap(buffer) {
			return fmt.Errorf("line %.200q…: want at most %d bytes", buffer, maxLine)
		}
		n, err := s.read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		rest, lineErr := s.eachLine(buffer)
		if lineErr != nil {
			return lineErr
		}
		buffer = buffer[:copy(buffer[:cap(buffer)], rest)]
		if err == nil {
			continue
		}
		return err
	}
}

// eachLine takes the whole lines of b and returns the rest.
func (s *session) eachLine(b []byte) ([]byte, error) {
	for {
		line, rest, found := bytes.Cut(b, []byte("\n"))
		if len(line) > maxLine {
			return nil, fmt.Errorf("line %.200q…: want at most %d bytes", line, maxLine)
		}
		if !found {
			return b, nil
		}
		b = rest
		if err := s.line(line); err != nil {
			return nil, err
		}
	}
}

// line takes one line. A bad one is noted and left out.
func (s *session) line(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	p, err := wire.ParseLine(line)
	if err != nil {
		s.receiver.note(err)
		return nil
	}
	return s.add(p)
}

// pickles reads frames until the end of the stream.
func (s *session) pickles() error {
	var length [pickleLen]byte
	frame := make([]byte, 0, 64<<10)
	for {
		if err := s.readFull(length[:]); err != nil {
			return err
		}
		n := int(binary.BigEndian.Uint32(length[:]))
		if n > maxFrame {
			return fmt.Errorf("pickle of %d bytes: want at most %d", n, maxFrame)
		}
		if cap(frame) < n {
			frame = make([]byte, 0, n)
		}
		frame = frame[:n]
		if err := s.readFull(frame); err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("pickle of %d bytes: %w", n, io.ErrUnexpectedEOF)
			}
			return err
		}
		points, err := wire.ParsePickle(frame)
		if err != nil {
			s.receiver.note(err)
		}
		for _, p := range points {
			if err := s.add(p); err != nil {
				return err
			}
		}
	}
}

// readFull fills b. The stream may end before its first byte.
func (s *session) readFull(b []byte) error {
	for got := 0; got < len(b); {
		n, err := s.read(b[got:])
		got += n
		if err != nil && got < len(b) {
			if errors.Is(err, io.EOF) && got > 0 {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
