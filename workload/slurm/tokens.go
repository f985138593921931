package slurm

import (
	"log/slog"
	"sync"
)

// tokens counts the words that this version of the program does not know: states, flags, reasons. Each is warned of
// once; agent.unknown_tokens is how often any of them was read. Readers that run side by side share it.
type tokens struct {
	log *slog.Logger

	mu     sync.Mutex
	total  uint64
	warned map[token]struct{}
}

type token struct{ kind, word string }

// maxWarned bounds the words remembered, and so the warnings of one run of the agent.
const maxWarned = 1000

func newTokens(log *slog.Logger) *tokens {
	return &tokens{log: log, warned: map[token]struct{}{}}
}

// unknown counts a word of a kind, such as "node state", that is not known. The word is cut to what fits a log line.
func (t *tokens) unknown(kind string, word []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	word = clip(word)
	if _, done := t.warned[token{kind, string(word)}]; done || len(t.warned) >= maxWarned {
		return
	}
	t.warned[token{kind, string(word)}] = struct{}{}
	t.log.Warn("unknown word from Slurm", "kind", kind, "word", string(word))
}

// count returns how often any unknown word was read since the start.
func (t *tokens) count() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}
