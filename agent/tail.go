package agent

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// tail passes what is written on and keeps its last line, for an error that says why.
type tail struct {
	w  io.Writer
	mu sync.Mutex
	b  []byte
}

const tailBytes = 1 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailBytes):]
	t.mu.Unlock()
	return t.w.Write(p)
}

// last returns the last line.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.b)
	return strings.TrimSpace(string(text[bytes.LastIndexByte(text, '\n')+1:]))
}
