package queue

import (
	"bytes"
	"errors"
	"io"
)

const (
	page    = 4 << 10  // what one look at a header reads: small blocks share it, large ones are jumped over
	stretch = 64 << 10 // what the search for the next header after damage reads at a time
)

// scan reads the headers of a segment of size bytes and calls found for each block that lies in it whole, in order.
// Payloads are not read. What is no block, up to the next one or the end of the file, is damage: each such stretch
// counts as one block, and its points are known only where a whole header stands before a payload that was cut off.
// An error is r's own; blocks found before it stand.
func scan(r io.ReaderAt, size int64, salt uint64, found func(at int64, h header, acked bool)) (damage Tally, err error) {
	w := window{r: r, size: size}
	for at := int64(segmentHeaderSize); at < size; {
		b, err := w.read(at, headerSize)
		if err != nil {
			return damage, err
		}
		h, acked, ok := parseHeader(b, salt, at)
		if next := at + headerSize + int64(h.length); ok && next <= size {
			found(at, h, acked)
			at = next
			continue
		}
		damage.Blocks++
		if ok && !acked {
			damage.Points += int64(h.points)
		}
		next, err := w.search(at+1, salt)
		if err != nil {
			return damage, err
		}
		damage.Bytes += next - at
		at = next
	}
	return damage, nil
}

// A window reads a file with few calls: what was read last is kept.
type window struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	at   int64 // the offset of buf in the file
}

// read returns the n bytes at offset at, fewer at the end of the file. They are valid until the next read.
func (w *window) read(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.size-at))
	if at < w.at || at+int64(n) > w.at+int64(len(w.buf)) {
		want := int(min(int64(max(n, page)), w.size-at))
		if cap(w.buf) < want {
			w.buf = make([]byte, want)
		}
		got, err := w.r.ReadAt(w.buf[:want], at)
		w.buf, w.at = w.buf[:got], at
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	from := int(at - w.at)
	return w.buf[from:min(from+n, len(w.buf))], nil
}

// search returns the offset of the first whole block at or after at, or the size of the file.
func (w *window) search(at int64, salt uint64) (int64, error) {
	for at+headerSize <= w.size {
		b, err := w.read(at, stretch)
		if err != nil {
			return 0, err
		}
		for i := 0; i+headerSize <= len(b); i++ {
			next := bytes.Index(b[i:], blockMagic)
			if next < 0 {
				break
			}
			i += next
			here := at + int64(i)
			if h, _, ok := parseHeader(b[i:], salt, here); ok && here+headerSize+int64(h.length) <= w.size {
				return here, nil
			}
		}
		if len(b) < headerSize { // the file became shorter while it was read
			break
		}
		at += int64(len(b) - headerSize + 1)
	}
	return w.size, nil
}
