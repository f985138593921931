package queue

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is the text of block i in a queue small enough to be damaged in every place.
func small(i int) string { return string(bytes.Repeat([]byte{byte('a' + i)}, 3+2*i)) }

// A sample is a queue file with four blocks of which the third is acknowledged, as a crash leaves it or sealed.
type sample struct {
	name   string
	bytes  []byte
	starts []int64 // of blocks, and the end
	acked  int
}

func samples(t testing.TB) []sample {
	var all []sample
	for _, sealed := range []bool{false, true} {
		d := newDisk(5)
		q, err := open(Options{Folder: "/q"}, d)
		require.NoError(t, err)
		s := sample{acked: 2}
		for i := range 4 {
			end := int64(segmentHeaderSize)
			if q.active != nil {
				end = q.active.end
			}
			s.starts = append(s.starts, end)
			require.NoError(t, q.Put([]byte(small(i)), 10+i))
		}
		s.starts = append(s.starts, q.active.end)
		var out []*Block
		for range 3 {
			b, err := q.TryNext()
			require.NoError(t, err)
			out = append(out, b)
		}
		require.NoError(t, out[2].Ack())
		if sealed {
			require.NoError(t, q.Close())
		}
		s.name = d.segmentNames()[0]
		s.bytes = slices.Clone(d.names[s.name].data)
		all = append(all, s)
	}
	return all
}

// reopen opens a queue whose one file is b, reads all and returns the texts, and what Stats says at the end.
func (s sample) reopen(t *testing.T, b []byte) (texts []string, stats Stats) {
	t.Helper()
	d := newDisk(5)
	d.names[s.name] = &inode{data: b}
	q, err := open(Options{Folder: "/q"}, d)
	require.NoError(t, err, "damage never keeps a queue from opening")
	defer q.Close()
	for {
		block, err := q.TryNext()
		require.NoError(t, err)
		if block == nil {
			break
		}
		texts = append(texts, string(block.Bytes()))
		require.NoError(t, block.Ack())
	}
	require.Zero(t, q.Stats().Tally)
	put(t, q, 1, 2)
	require.Equal(t, upTo(1, 2), drain(t, q), "and it works on")
	return texts, q.Stats()
}

// want returns the texts of the blocks that do not touch the bytes from first to last; the acknowledged one only where
// its flag does.
func (s sample) want(first, last int64) []string {
	var texts []string
	for i := range 4 {
		begin, end := s.starts[i], s.starts[i+1]
		flag := begin + flagAt
		switch {
		case i == s.acked && first == flag && last == flag:
			texts = append(texts, small(i)) // not exactly acknowledged: it comes again
		case i == s.acked:
		case first == last && first > flag && first < begin+headerSize: // three bytes that mean nothing
			texts = append(texts, small(i))
		case first == last && first == flag:
			texts = append(texts, small(i))
		case last < begin || first >= end:
			texts = append(texts, small(i))
		}
	}
	return texts
}

func TestEveryCut(t *testing.T) {
	for _, s := range samples(t) {
		require.Equal(t, []string{small(0), small(1), small(3)}, s.want(-1, -1))
		for size := range int64(len(s.bytes)) {
			got, stats := s.reopen(t, slices.Clone(s.bytes[:size]))
			assert.Equal(t, s.want(size, int64(len(s.bytes))), got, "cut to %d bytes", size)
			whole := slices.Contains(s.starts, size) || size < segmentHeaderSize
			if !whole {
				assert.NotZero(t, stats.Damaged.Blocks, "cut to %d bytes", size)
			}
			if size >= s.starts[3]+headerSize {
				assert.EqualValues(t, 13, stats.Damaged.Points, "the header says how many were cut off, at %d bytes", size)
			}
		}
	}
}

func TestEveryBitFlipped(t *testing.T) {
	for _, s := range samples(t) {
		for at := range int64(len(s.bytes)) {
			for bit := range 8 {
				b := slices.Clone(s.bytes)
				b[at] ^= 1 << bit
				got, stats := s.reopen(t, b)
				want := s.want(at, at)
				assert.Equal(t, want, got, "bit %d of byte %d", bit, at)
				if len(want) < 3 {
					assert.EqualValues(t, 1, stats.Damaged.Blocks, "bit %d of byte %d", bit, at)
				}
			}
		}
	}
}

func TestEveryTailZeroed(t *testing.T) {
	for _, s := range samples(t) {
		for at := range int64(len(s.bytes)) {
			b := append(slices.Clone(s.bytes[:at]), make([]byte, int64(len(s.bytes))-at)...)
			got, _ := s.reopen(t, b)
			if at >= s.starts[3]+flagAt && at < s.starts[3]+headerSize { // its payload is zeroed too
				at = s.starts[3] + headerSize
			}
			assert.Equal(t, s.want(at, int64(len(s.bytes))), got, "zero from %d on", at)
		}
		got, _ := s.reopen(t, append(slices.Clone(s.bytes), make([]byte, 100_000)...))
		assert.Equal(t, s.want(-1, -1), got, "zeros behind the end")
	}
}

// TestDamagedPayloadIsSkippedOnce counts an altered payload as one block with its points, over a restart too.
func TestDamagedPayloadIsSkippedOnce(t *testing.T) {
	o := Options{Folder: t.TempDir()}
	q := openQueue(t, o)
	put(t, q, 1, 6)
	at := q.active.entries[2].at + headerSize + 50
	name := q.active.path
	_, err := q.active.file.WriteAt([]byte{'!'}, at)
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2}, []int{number(t, take(t, q, 1)[0]), number(t, take(t, q, 1)[0])})
	assert.Equal(t, 4, number(t, take(t, q, 1)[0]))
	assert.Equal(t, sum(3, 4), q.Stats().Damaged)
	require.NoError(t, q.Close())
	assert.FileExists(t, name)

	q = openQueue(t, o)
	assert.Equal(t, []int{1, 2, 4, 5}, drain(t, q))
	assert.Zero(t, q.Stats().Damaged)
}

// TestForgedBlock has a payload that holds a whole block in the file's own format: where the outer block is damaged,
// the search for the next one must not take it.
func TestForgedBlock(t *testing.T) {
	d := newDisk(3)
	q := openDisk(t, d, Options{})
	forged := appendHeader(nil, header{length: 4, points: 9, time: 1, sum: crc32.Checksum([]byte("evil"), castagnoli)}, 0, 0)
	forged = append(forged, "evil"...)
	require.NoError(t, q.Put(forged, 5))
	copied := slices.Clone(d.names[d.segmentNames()[0]].data[segmentHeaderSize:]) // a real one, from another place
	require.NoError(t, q.Put(copied, 6))
	put(t, q, 1, 2)
	data := d.names[d.segmentNames()[0]].data
	data[segmentHeaderSize+4] ^= 1
	data[q.active.entries[1].at+4] ^= 1
	after := d.crashNothing()
	q = openDisk(t, after, Options{})
	assert.Equal(t, upTo(1, 2), drain(t, q))
	assert.Equal(t, Tally{Blocks: 1, Bytes: 2*headerSize + int64(len(forged)+len(copied))}, q.Stats().Damaged, "two neighbours are one stretch")
}

// crashNothing is a kill -9: the machine stays up, and what was written is there.
func (d *disk) crashNothing() *disk {
	after := newDisk(9)
	for name, n := range d.names {
		after.names[name] = &inode{data: slices.Clone(n.data)}
	}
	return after
}

// TestDamageInLargeBlocks searches over more than one buffer.
func TestDamageInLargeBlocks(t *testing.T) {
	for _, length := range []int{page - headerSize, stretch - 1, stretch, stretch + headerSize, 3*stretch + 17} {
		d := newDisk(3)
		q := openDisk(t, d, Options{})
		for i := range 3 {
			require.NoError(t, q.Put(bytes.Repeat([]byte{blockMagic[0], blockMagic[1], blockMagic[2], byte(i)}, length/4+1)[:length], i+1))
		}
		data := d.names[d.segmentNames()[0]].data
		data[q.active.entries[1].at] ^= 1
		q = openDisk(t, d.crashNothing(), Options{})
		for _, i := range []int{0, 2} {
			b := take(t, q, 1)[0]
			assert.Equal(t, i+1, b.Points())
			assert.Equal(t, byte(i), b.Bytes()[3])
			assert.Len(t, b.Bytes(), length)
		}
		assert.Equal(t, Tally{Blocks: 1, Bytes: headerSize + int64(length)}, q.Stats().Damaged)
	}
}

// TestOpenReadsLittle opens a long backlog with a few bytes of each file, and reads one file at a time afterwards.
func TestOpenReadsLittle(t *testing.T) {
	d := newDisk(3)
	o := Options{SegmentBytes: 10_000}
	q := openDisk(t, d, o)
	put(t, q, 1, 800)
	before := q.Stats()
	segments := len(d.segmentNames())
	require.Greater(t, segments, 30)
	loaded := 0
	for _, s := range q.segments {
		if s.file != nil {
			loaded++
		}
	}
	assert.LessOrEqual(t, loaded, 2, "the one to read and the one to write")
	require.NoError(t, q.Close())

	d.read = 0
	q = openDisk(t, d, o)
	assert.Equal(t, segments*segmentHeaderSize, d.read)
	after := q.Stats()
	assert.Equal(t, before, after)
	out := take(t, q, 3)
	assert.Less(t, d.read, segments*segmentHeaderSize+20_000)
	require.NoError(t, out[2].Ack())
	require.NoError(t, q.Close())

	q = openDisk(t, d, o)
	before.sub(sum(3, 4))
	assert.Equal(t, before, q.Stats(), "a segment that was touched is counted by reading it")
	assert.Equal(t, append([]int{1, 2}, upTo(4, 800)...), drain(t, q))
	assert.Empty(t, d.segmentNames())
}

// TestSummaryIsChecked has a summary that says more than the file holds.
func TestSummaryIsChecked(t *testing.T) {
	d := newDisk(3)
	q := openDisk(t, d, Options{SegmentBytes: 1000})
	put(t, q, 1, 30)
	require.NoError(t, q.Close())
	names := d.segmentNames()
	cut := d.names[names[1]]
	cut.data = cut.data[:len(cut.data)-1]
	lost := d.names[names[2]]
	clear(lost.data[segmentHeaderSize:])
	q = openDisk(t, d, Options{})
	assert.EqualValues(t, 1, q.Stats().Damaged.Blocks, "a wrong length shows at once")
	got := drain(t, q)
	want := sum(1, 30)
	for _, i := range got {
		want.sub(sum(i, i+1))
	}
	damaged := q.Stats().Damaged
	assert.Equal(t, want.Points, damaged.Points, "the points of a sealed segment are known even if its blocks are gone")
	assert.Equal(t, want.Blocks, damaged.Blocks)
	assert.Equal(t, want.Bytes, damaged.Bytes)
}

func FuzzScan(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.bytes, uint64(1))
		f.Add(s.bytes[:len(s.bytes)-5], binary.LittleEndian.Uint64(s.bytes[8:]))
	}
	f.Fuzz(func(t *testing.T, b []byte, salt uint64) {
		end, total := int64(segmentHeaderSize), int64(0)
		damage, err := scan(bytes.NewReader(b), int64(len(b)), salt, func(at int64, h header, _ bool) {
			assert.GreaterOrEqual(t, at, end, "blocks are in order and apart")
			end = at + headerSize + int64(h.length)
			assert.LessOrEqual(t, end, int64(len(b)))
			total += end - at
		})
		require.NoError(t, err)
		if len(b) > segmentHeaderSize {
			assert.Equal(t, int64(len(b)), segmentHeaderSize+total+damage.Bytes, "every byte is in a block or damage")
		}
		s, ok := parseSummary(b, salt)
		if ok {
			assert.Equal(t, b[:touchedAt], appendSummary(nil, s, salt)[:touchedAt])
		}
	})
}

// FuzzBlocks damages a file in any two places: what comes back is always some of the originals, in order.
func FuzzBlocks(f *testing.F) {
	f.Add(uint16(64), byte(1), uint16(90), byte(128))
	f.Add(uint16(95), byte(0xff), uint16(68), byte(3))
	all := samples(f)
	f.Fuzz(func(t *testing.T, at uint16, x byte, at2 uint16, y byte) {
		s := all[at%2]
		b := slices.Clone(s.bytes)
		b[int(at/2)%len(b)] ^= x
		b[int(at2)%len(b)] ^= y
		got, _ := s.reopen(t, b)
		rest := []string{small(0), small(1), small(2), small(3)}
		for _, text := range got {
			i := slices.Index(rest, text)
			require.GreaterOrEqual(t, i, 0, "%q is no original, or out of order", text)
			rest = rest[i+1:]
		}
	})
}

// TestFormat holds the bytes of the format: a change of them would make what older versions left unreadable.
func TestFormat(t *testing.T) {
	const salt = 0x0123456789abcdef
	hello := header{length: 5, points: 3, time: 1700000000123456789, sum: crc32.Checksum([]byte("hello"), castagnoli)}
	block := append(appendHeader(nil, hello, salt, segmentHeaderSize), "hello"...)
	assert.Equal(t, "c1b10c9e 05000000 03000000 15cd853dfe9c9717 4cbb719a 8d1f55d3 5a000000 68656c6c6f", spaced(block, 4, 8, 12, 20, 24, 28, 32))
	sealed := appendSummary(nil, summary{1, 3, 101, hello.time, true}, salt)
	assert.Equal(t, "434c515545554501 efcdab8967452301 01000000 0300000000000000 6500000000000000 15cd853dfe9c9717 4699ba61 3c 000000000000000000000000000000", spaced(sealed, 8, 16, 20, 28, 36, 44, 48, 49))

	folder := t.TempDir()
	name := filepath.Join(folder, "0000000000000007-0123456789abcdef.v1")
	require.NoError(t, os.WriteFile(name, append(sealed, block...), 0o600))
	q := openQueue(t, Options{Folder: folder})
	assert.Equal(t, Tally{1, 3, 37}, q.Stats().Tally)
	b := take(t, q, 1)[0]
	assert.Equal(t, "hello", string(b.Bytes()))
	assert.Equal(t, 3, b.Points())
	assert.EqualValues(t, 1700000000123456789, b.Time().UnixNano())
}

// spaced is b in hex, with a space at each of these places.
func spaced(b []byte, at ...int) string {
	text, last := "", 0
	for _, i := range at {
		text += hex.EncodeToString(b[last:i]) + " "
		last = i
	}
	return text + hex.EncodeToString(b[last:])
}
