package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	// MaxFrame is the longest frame of pickled points, in bytes, that is worth writing. Carbon takes 1 MiB and drops the
	// connection at more.
	MaxFrame = 512 << 10

	// MaxPickled is the longest that one point makes a frame, in bytes, and a frame of one point is at most so much
	// and its FrameOverhead.
	MaxPickled    = 1 + 4 + MaxPath + 1 + 1 + 8 + 1 + 8 + 1 + 1
	FrameOverhead = 4 + len(pickleHead) + len(pickleTail)
)

// The opcodes of Python's pickle protocol 2 that are written, see pickletools.py of Python.
const (
	opProto      = "\x80"
	opEmptyList  = ']'
	opMark       = '('
	opBinUnicode = 'X' // length as 4 bytes, little-endian, and UTF-8
	opBinInt     = 'J' // 4 bytes, little-endian, signed
	opLong1      = '\x8a'
	opBinFloat   = 'G' // 8 bytes, big-endian
	opTuple2     = '\x86'
	opAppends    = 'e'
	opStop       = '.'

	pickleHead = string(opProto) + "\x02" + string(opEmptyList) + string(opMark)
	pickleTail = string(opAppends) + string(opStop)
)

// AppendPickle appends one frame with the next points of the batch to dst, as carbon's pickle receiver reads them: the
// length in 4 bytes, big-endian, and the list [(path, (time, value)), …] in pickle protocol 2. The frame stays within
// limit bytes, its length included, but holds one point at least. Where no point is left, it appends nothing.
func (g *Graphite) AppendPickle(dst []byte, limit int) []byte {
	frame := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, pickleHead...)
	first := len(dst)
	for {
		m, pieces, value := g.point()
		if m == nil {
			break
		}
		start := len(dst)
		dst = append(dst, opBinUnicode, 0, 0, 0, 0)
		path := len(dst)
		dst = appendPath(dst, pieces, m)
		if fault := g.pathFault(dst[path:], m); fault != "" {
			g.refuse(fault)
			dst = dst[:start]
			continue
		}
		binary.LittleEndian.PutUint32(dst[path-4:], uint32(len(dst)-path))
		dst = appendPickledTime(dst, m.Time)
		dst = append(dst, opBinFloat)
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(value))
		dst = append(dst, opTuple2, opTuple2)
		if len(dst)-frame+len(pickleTail) > limit && start > first {
			dst = dst[:start]
			break
		}
		g.advance(m)
	}
	if len(dst) == first {
		return dst[:frame]
	}
	dst = append(dst, pickleTail...)
	binary.BigEndian.PutUint32(dst[frame:], uint32(len(dst)-frame-4))
	return dst
}

func appendPickledTime(dst []byte, at int64) []byte {
	if at == int64(int32(at)) {
		dst = append(dst, opBinInt)
		return binary.LittleEndian.AppendUint32(dst, uint32(at))
	}
	dst = append(dst, opLong1, 8)
	return binary.LittleEndian.AppendUint64(dst, uint64(at))
}

// A PickleError says where a pickle cannot be read and why.
type PickleError struct {
	Offset int
	Reason string
}

func (e *PickleError) Error() string { return fmt.Sprintf("pickle: byte %d: %s", e.Offset, e.Reason) }
