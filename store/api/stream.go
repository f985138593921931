package api

import (
	"compress/gzip"
	"io"
	"net/http"
)

// A stream sends a long answer piece by piece. Text is appended to b.
type stream struct {
	q *request
	b []byte
	w io.Writer
	z *gzip.Writer
}

// stream begins an answer.
func (q *request) stream(kind string) *stream {
	h := q.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	s := &stream{q: q, b: make([]byte, 0, flushAt+4<<10), w: q.w}
	if q.acceptsGzip() {
		h.Set("Content-Encoding", "gzip")
		h.Add("Vary", "Accept-Encoding")
		s.z, _ = gzip.NewWriterLevel(q.w, gzip.BestSpeed) // the level is right
		s.w = s.z
	}
	return s
}

// send sends b and returns it empty.
func (s *stream) send(b []byte) ([]byte, error) {
	if !s.q.written {
		s.q.written = true
		s.q.w.WriteHeader(http.StatusOK)
	}
	if err := s.q.ctx.Err(); err != nil {
		return nil, err
	}
	_, err := s.w.Write(b)
	return b[:0], err
}

// flush sends what is gathered once it is much.
func (s *stream) flush() error {
	if len(s.b) < flushAt {
		return nil
	}
	var err error
	s.b, err = s.send(s.b)
	return err
}

// close sends the rest.
func (s *stream) close() error {
	if _, err := s.send(s.b); err != nil {
		return err
	}
	if s.z != nil {
		return s.z.Close()
	}
	return nil
}
