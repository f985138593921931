package wire

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// literal reads the number or text that an opcode stands for.
func (p *unpickler) literal(op byte) (any, error) {
	switch op {
	case 'G':
		b, err := p.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case 'K', 'M', 'J', 0x8a:
		return p.integer(op)
	case 'F', 'I', 'L', 'V', 'S':
		return p.text(op)
	}
	return p.counted(op)
}

// integer reads a little-endian number: unsigned in 1 or 2 bytes, signed in 4 or in as many as a byte says.
func (p *unpickler) integer(op byte) (any, error) {
	n := map[byte]int{'K': 1, 'M': 2, 'J': 4}[op]
	if n == 0 {
		b, err := p.take(1)
		if err != nil {
			return nil, err
		}
		if n = int(b[0]); n > 8 {
			return nil, p.fail("a number of %d bytes: want at most 8", n)
		}
	}
	b, err := p.take(n)
	if err != nil {
		return nil, err
	}
	var v uint64
	for i, c := range b {
		v |= uint64(c) << (8 * i)
	}
	if (op == 'J' || op == 0x8a) && n > 0 {
		shift := 64 - 8*n
		return int64(v<<shift) >> shift, nil
	}
	return int64(v), nil
}

// text reads a number or a string of protocol 0, which ends in a newline.
func (p *unpickler) text(op byte) (any, error) {
	s, err := p.line()
	if err != nil {
		return nil, err
	}
	switch op {
	case 'F':
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return v, nil
		}
	case 'I', 'L':
		if v, err := strconv.ParseInt(strings.TrimSuffix(s, "L"), 10, 64); err == nil {
			return v, nil
		}
	case 'V':
		if !strings.Contains(s, `\`) { // \u0020 and the like: no path has them
			return s, nil
		}
	case 'S':
		if n := len(s); n > 1 && s[0] == s[n-1] && (s[0] == '\'' || s[0] == '"') && !strings.Contains(s, `\`) {
			return s[1 : n-1], nil
		}
	}
	return nil, p.fail("%.50q: want a number or a plain string", s)
}

// counted reads text that its length stands before.
func (p *unpickler) counted(op byte) (any, error) {
	width := map[byte]int{'U': 1, 0x8c: 1, 'T': 4, 'X': 4}[op]
	if width == 0 {
		return nil, p.fail("opcode %q is not of a list of points", op)
	}
	b, err := p.take(width)
	if err != nil {
		return nil, err
	}
	n := uint32(b[0])
	if width == 4 {
		n = binary.LittleEndian.Uint32(b)
	}
	text, err := p.take(int(n))
	return string(text), err
}
