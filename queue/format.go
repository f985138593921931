package queue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"regexp"
	"strconv"
)

// A segment file starts with 64 bytes, all numbers little endian:
//
//	0   8  magic "CLQUEUE\x01"
//	8   8  salt, as in the file's name
//	16  4  blocks put, acknowledged ones too
//	20  8  their points
//	28  8  where the last block ends: the length of the file
//	36  8  when the first block was put, Unix nanoseconds
//	44  4  CRC32C of the bytes before
//	48  1  untouched, until the first acknowledgement after sealing
//
// The numbers are zero, and the checksum wrong, until the segment is sealed. Blocks follow, each with a header:
//
//	0   4  magic
//	4   4  length of the payload
//	8   4  points in it
//	12  8  when it was put, Unix nanoseconds
//	20  4  CRC32C of the payload
//	24  4  CRC32C of salt, offset of this header in the file, and the bytes before
//	28  1  pending or acknowledged; the one byte that changes, outside of every checksum
const (
	segmentHeaderSize = 64
	touchedAt         = 48
	headerSize        = 32
	flagAt            = 28
)

// The two values of a flag differ in all eight bits, so that no single flipped bit turns one into the other. Whatever
// is not exactly acknowledged is pending, and whatever is not exactly untouched is touched.
const (
	pending      = 0x5A
	acknowledged = 0xA5
	untouched    = 0x3C
	touched      = 0xC3
)

// MaxBlock is the largest payload, in bytes.
const MaxBlock = 64 << 20

var (
	segmentMagic = []byte("CLQUEUE\x01")
	blockMagic   = []byte{0xC1, 0xB1, 0x0C, 0x9E}
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
	segmentName  = regexp.MustCompile(`^([0-9a-f]{16})-([0-9a-f]{16})\.v1$`)
)

// A header says what a block holds.
type header struct {
	length, points uint32
	time           int64 // Unix nanoseconds
	sum            uint32
}

// appendHeader appends the header of a pending block that stands at offset at of the segment with this salt.
func appendHeader(b []byte, h header, salt uint64, at int64) []byte {
	from := len(b)
	b = append(b, blockMagic...)
	b = binary.LittleEndian.AppendUint32(b, h.length)
	b = binary.LittleEndian.AppendUint32(b, h.points)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.time))
	b = binary.LittleEndian.AppendUint32(b, h.sum)
	b = binary.LittleEndian.AppendUint32(b, headerSum(b[from:], salt, at))
	return append(b, pending, 0, 0, 0)
}

// headerSum covers the salt and the offset too: neither a copy of a block inside another's payload nor what an older
// file left on the disk is ever taken for a block.
func headerSum(fields []byte, salt uint64, at int64) uint32 {
	var place [16]byte
	binary.LittleEndian.PutUint64(place[:], salt)
	binary.LittleEndian.PutUint64(place[8:], uint64(at))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, fields)
}

// parseHeader reads the header at the start of b, which stands at offset at. It is false where there is none.
func parseHeader(b []byte, salt uint64, at int64) (h header, acked, ok bool) {
	if len(b) < headerSize || !bytes.HasPrefix(b, blockMagic) ||
		binary.LittleEndian.Uint32(b[24:]) != headerSum(b[:24], salt, at) {
		return header{}, false, false
	}
	h = header{
		length: binary.LittleEndian.Uint32(b[4:]),
		points: binary.LittleEndian.Uint32(b[8:]),
		time:   int64(binary.LittleEndian.Uint64(b[12:])),
		sum:    binary.LittleEndian.Uint32(b[20:]),
	}
	return h, b[flagAt] == acknowledged, h.length <= MaxBlock
}

// A summary is what a sealed segment says about itself, so that it need not be read to be counted.
type summary struct {
	blocks    uint32
	points    uint64
	end       int64
	first     int64 // Unix nanoseconds
	untouched bool
}

func appendSummary(b []byte, s summary, salt uint64) []byte {
	from := len(b)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint64(b, salt)
	b = binary.LittleEndian.AppendUint32(b, s.blocks)
	b = binary.LittleEndian.AppendUint64(b, s.points)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.end))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.first))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
	flag := byte(touched)
	if s.untouched {
		flag = untouched
	}
	return append(append(b, flag), make([]byte, segmentHeaderSize-touchedAt-1)...)
}

// openHeader is the header of a segment that is not sealed.
func openHeader(salt uint64) []byte {
	b := append(make([]byte, 0, segmentHeaderSize), segmentMagic...)
	b = binary.LittleEndian.AppendUint64(b, salt)
	return append(b, make([]byte, segmentHeaderSize-len(b))...)
}

// parseSummary reads a segment's header. It is false where the segment is not sealed or the header is damaged; the
// blocks can be read all the same.
func parseSummary(b []byte, salt uint64) (s summary, ok bool) {
	if len(b) < segmentHeaderSize || !bytes.HasPrefix(b, segmentMagic) ||
		binary.LittleEndian.Uint64(b[8:]) != salt ||
		binary.LittleEndian.Uint32(b[44:]) != crc32.Checksum(b[:44], castagnoli) {
		return summary{}, false
	}
	return summary{
		blocks:    binary.LittleEndian.Uint32(b[16:]),
		points:    binary.LittleEndian.Uint64(b[20:]),
		end:       int64(binary.LittleEndian.Uint64(b[28:])),
		first:     int64(binary.LittleEndian.Uint64(b[36:])),
		untouched: b[touchedAt] == untouched,
	}, true
}

// maxID leaves room above: numbers only grow.
const maxID = 1 << 62

// fileName spells a segment's name: its number, which gives the order, its salt, and the version of the format.
func fileName(id, salt uint64) string { return fmt.Sprintf("%016x-%016x.v1", id, salt) }

func parseFileName(name string) (id, salt uint64, ok bool) {
	m := segmentName.FindStringSubmatch(name)
	if m == nil {
		return 0, 0, false
	}
	id, _ = strconv.ParseUint(m[1], 16, 64) // sixteen hex digits always fit
	salt, _ = strconv.ParseUint(m[2], 16, 64)
	return id, salt, id > 0 && id <= maxID
}
