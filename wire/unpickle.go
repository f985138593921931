package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// ParsePickle reads what one frame of carbon's pickle protocol holds, without its length: a list (or a tuple) of
// (path, (time, value)). It understands what any Python writes for such a list in the protocols 0 to 4, and nothing else:
// no classes, no calls. A point that is not of this shape is an error, and so is a value that is not finite.
func ParsePickle(b []byte) ([]Point, error) {
	p := &unpickler{b: b, memo: map[int]any{}}
	v, err := p.run()
	if err != nil {
		return nil, err
	}
	items, ok := sequence(v)
	if !ok {
		return nil, p.fail("holds a %T: want a list of (path, (time, value))", v)
	}
	points := make([]Point, 0, len(items))
	for _, item := range items {
		point, ok := pickledPoint(item)
		if !ok {
			return nil, p.fail("element %d: want (path, (time, value))", len(points))
		}
		points = append(points, point)
	}
	return points, nil
}

func pickledPoint(item any) (Point, bool) {
	pair, ok := sequence(item)
	if !ok || len(pair) != 2 {
		return Point{}, false
	}
	path, ok := pair[0].(string)
	datum, ok2 := sequence(pair[1])
	if !ok || !ok2 || len(datum) != 2 {
		return Point{}, false
	}
	at, ok := number(datum[0])
	value, ok2 := number(datum[1])
	if !ok || !ok2 {
		return Point{}, false
	}
	seconds, ok := datum[0].(int64)
	if !ok {
		seconds = int64(at)
	}
	return Point{Path: path, Value: value, Time: seconds}, ok || math.Abs(at) <= 1<<62
}

func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case *list:
		return v.items, true
	case tuple:
		return v, true
	}
	return nil, false
}

// number reads a number, or one that is written as text: carbon calls float() on either.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, v-v == 0
	case string:
		f, err := parseNumber(v)
		return f, err == nil
	}
	return 0, false
}

type (
	list  struct{ items []any } // Python appends to it after it is on the stack
	tuple []any
	mark  struct{}
)

// An unpickler is the machine that a pickle is the program of.
type unpickler struct {
	b     []byte
	at    int
	stack []any
	memo  map[int]any
}

func (p *unpickler) fail(format string, args ...any) error {
	return &PickleError{p.at, fmt.Sprintf(format, args...)}
}

func (p *unpickler) run() (any, error) {
	for {
		op, err := p.take(1)
		if err != nil {
			return nil, err
		}
		if op[0] == opStop {
			if len(p.stack) != 1 {
				return nil, p.fail("%d values left: want 1", len(p.stack))
			}
			return p.stack[0], nil
		}
		if err := p.step(op[0]); err != nil {
			return nil, err
		}
	}
}

// step runs one opcode.
func (p *unpickler) step(op byte) error {
	switch op {
	case opMark:
		p.push(mark{})
	case opEmptyList:
		p.push(&list{})
	case ')':
		p.push(tuple{})
	case 'N':
		p.push(nil)
	case '0':
		_, err := p.pop(1)
		return err
	case 'l', 't':
		return p.gather(op)
	case 0x85, 0x86, 0x87: // TUPLE1, 2, 3
		items, err := p.pop(int(op) - 0x84)
		if err != nil {
			return err
		}
		p.push(tuple(items))
	case 'a', opAppends:
		return p.append(op)
	case 0x80: // PROTO
		_, err := p.take(1)
		return err
	case 0x95: // FRAME
		_, err := p.take(8)
		return err
	case 'q', 'r', 'p', 0x94, 'h', 'j', 'g':
		return p.remember(op)
	default:
		v, err := p.literal(op)
		if err != nil {
			return err
		}
		p.push(v)
	}
	return nil
}

func (p *unpickler) push(v any) { p.stack = append(p.stack, v) }

// pop takes the last n values, none of them a mark.
func (p *unpickler) pop(n int) ([]any, error) {
	if len(p.stack) < n {
		return nil, p.fail("stack has %d values: want %d", len(p.stack), n)
	}
	items := append([]any(nil), p.stack[len(p.stack)-n:]...)
	for _, v := range items {
		if _, ok := v.(mark); ok {
			return nil, p.fail("a mark where a value should be")
		}
	}
	p.stack = p.stack[:len(p.stack)-n]
	return items, nil
}

// popMark takes the values above the last mark, and the mark.
func (p *unpickler) popMark() ([]any, error) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if _, ok := p.stack[i].(mark); ok {
			items := append([]any(nil), p.stack[i+1:]...)
			p.stack = p.stack[:i]
			return items, nil
		}
	}
	return nil, p.fail("no mark on the stack")
}

func (p *unpickler) gather(op byte) error {
	items, err := p.popMark()
	if err != nil {
		return err
	}
	if op == 'l' {
		p.push(&list{items})
	} else {
		p.push(tuple(items))
	}
	return nil
}

func (p *unpickler) append(op byte) error {
	pop := p.popMark
	if op == 'a' {
		pop = func() ([]any, error) { return p.pop(1) }
	}
	items, err := pop()
	if err != nil {
		return err
	}
	if len(p.stack) > 0 {
		if l, ok := p.stack[len(p.stack)-1].(*list); ok {
			l.items = append(l.items, items...)
			return nil
		}
	}
	return p.fail("append to what is no list")
}

// remember stores the top of the stack under a number, or brings back what is stored.
func (p *unpickler) remember(op byte) error {
	var key int
	switch op {
	case 'q', 'h':
		b, err := p.take(1)
		if err != nil {
			return err
		}
		key = int(b[0])
	case 'r', 'j':
		b, err := p.take(4)
		if err != nil {
			return err
		}
		key = int(binary.LittleEndian.Uint32(b))
	case 'p', 'g':
		line, err := p.line()
		if err != nil {
			return err
		}
		if key, err = strconv.Atoi(line); err != nil {
			return p.fail("memo %.20q: want a number", line)
		}
	default:
		key = len(p.memo)
	}
	if op == 'h' || op == 'j' || op == 'g' {
		v, ok := p.memo[key]
		if !ok {
			return p.fail("memo %d is empty", key)
		}
		p.push(v)
		return nil
	}
	top, err := p.pop(1)
	if err != nil {
		return err
	}
	p.memo[key] = top[0]
	p.push(top[0])
	return nil
}

// take returns the next n bytes.
func (p *unpickler) take(n int) ([]byte, error) {
	if n < 0 || len(p.b)-p.at < n {
		return nil, p.fail("ends early: want %d more bytes, %d are left", n, len(p.b)-p.at)
	}
	b := p.b[p.at : p.at+n]
	p.at += n
	return b, nil
}

// line returns the text up to the next newline.
func (p *unpickler) line() (string, error) {
	i := bytes.IndexByte(p.b[p.at:], '\n')
	if i < 0 {
		return "", p.fail("ends early: want a newline")
	}
	s := string(p.b[p.at : p.at+i])
	p.at += i + 1
	return s, nil
}
