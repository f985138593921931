package delivery

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/clusterload/clusterload/aggregator"
)

// A decoder reads blocks that an encoder wrote. It keeps its memory from one block to the next.
type decoder struct {
	metrics []aggregator.Metric
	labels  []string
	strings []string
	descs   []decodedDesc
	known   map[descKey]*aggregator.Desc
}

type decodedDesc struct {
	desc   *aggregator.Desc
	labels int
}

// descKey is all that a desc says.
type descKey struct {
	template, unit, help, source string
	kind                         aggregator.Kind
}

// keptDescs bounds the descs that are remembered. An agent has some hundreds; more can only come from names that
// change without end, and those are forgotten.
const keptDescs = 10_000

func newDecoder() *decoder { return &decoder{known: map[descKey]*aggregator.Desc{}} }

// decode returns the metrics of a block; they are valid until the next call. Equal descs are one *Desc in all blocks,
// so that clients can remember by pointer what they made of one. An error means that b is no block, or one of a
// later version; nothing of it is returned.
func (d *decoder) decode(b []byte) ([]aggregator.Metric, error) {
	clear(d.metrics)
	clear(d.labels)
	d.metrics, d.labels, d.strings, d.descs = d.metrics[:0], d.labels[:0], d.strings[:0], d.descs[:0]
	if len(b) == 0 || b[0] != version {
		return nil, fmt.Errorf("block: version %q: want %d", b[:min(len(b), 1)], version)
	}
	c := &cursor{all: b, rest: b[1:]}
	d.readStrings(c)
	d.readDescs(c)
	for len(c.rest) > 0 && c.err == nil {
		d.readGroup(c)
	}
	if c.err != nil {
		return nil, c.err
	}
	return d.metrics, nil
}

// readStrings cuts all strings out of one copy of the table: one allocation a block.
func (d *decoder) readStrings(c *cursor) {
	n := c.count("strings", 1)
	begin := c.rest
	for range n {
		c.skip(c.number("length of a string"))
	}
	if c.err != nil {
		return
	}
	text := string(begin[:len(begin)-len(c.rest)])
	at := cursor{rest: begin}
	for range n {
		length := int(at.number(""))
		from := len(begin) - len(at.rest)
		d.strings = append(d.strings, text[from:from+length])
		at.skip(uint64(length))
	}
}

func (d *decoder) readDescs(c *cursor) {
	for range c.count("descs", 6) {
		key := descKey{template: d.text(c)}
		key.kind = aggregator.Kind(c.byte())
		key.unit, key.help, key.source = d.text(c), d.text(c), d.text(c)
		labels := c.number("number of labels")
		if c.err != nil {
			return
		}
		if key.kind > aggregator.Counter {
			c.fail("kind %d of %q: want 0 or 1", key.kind, key.template)
			return
		}
		desc := d.intern(key)
		if n := placeholders(desc); uint64(n) != labels {
			c.fail("%d labels of %q: want %d", labels, key.template, n)
			return
		}
		d.descs = append(d.descs, decodedDesc{desc, int(labels)})
	}
}

// intern returns the one desc that says what key says.
func (d *decoder) intern(key descKey) *aggregator.Desc {
	if desc, known := d.known[key]; known {
		return desc
	}
	if len(d.known) >= keptDescs {
		clear(d.known)
	}
	key = descKey{strings.Clone(key.template), strings.Clone(key.unit), strings.Clone(key.help), strings.Clone(key.source), key.kind}
	desc := &aggregator.Desc{Template: key.template, Kind: key.kind, Unit: aggregator.Unit(key.unit), Help: key.help, Source: key.source}
	d.known[key] = desc
	return desc
}

func (d *decoder) readGroup(c *cursor) {
	cluster, time := d.text(c), c.varint()
	for range c.count("metrics", 2) {
		m := aggregator.Metric{Cluster: cluster, Time: time, Rate: math.NaN()}
		tag := c.number("desc")
		if c.err == nil && tag>>1 >= uint64(len(d.descs)) {
			c.fail("desc %d of %d", tag>>1, len(d.descs))
		}
		if c.err != nil {
			return
		}
		desc := d.descs[tag>>1]
		m.Desc = desc.desc
		from := len(d.labels)
		for range desc.labels {
			d.labels = append(d.labels, d.text(c))
			if c.err != nil {
				return
			}
		}
		m.Labels = d.labels[from:len(d.labels):len(d.labels)]
		if tag&1 == 1 {
			m.Value = float64(c.varint())
		} else {
			m.Value = c.float()
		}
		if m.Desc.Kind == aggregator.Counter {
			m.Rate = c.float()
		}
		if c.err == nil && !finite(m.Value) {
			c.fail("value %v of %q", m.Value, m.Desc.Template)
		}
		if c.err != nil {
			return
		}
		d.metrics = append(d.metrics, m)
	}
}

// text reads the number of a string and returns the string.
func (d *decoder) text(c *cursor) string {
	i := c.number("string")
	if c.err == nil && i >= uint64(len(d.strings)) {
		c.fail("string %d of %d", i, len(d.strings))
	}
	if c.err != nil {
		return ""
	}
	return d.strings[i]
}

// A cursor reads numbers from bytes until the first error.
type cursor struct {
	all, rest []byte
	err       error
}

// fail keeps the first error.
func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("block of %d bytes: byte %d: %s", len(c.all), len(c.all)-len(c.rest), fmt.Sprintf(format, args...))
	}
}

func (c *cursor) number(what string) uint64 {
	if c.err != nil {
		return 0
	}
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.fail("%s: want a number", what)
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) varint() int64 {
	v := c.number("number")
	return int64(v>>1) ^ -int64(v&1)
}

// count reads how many items of at least size bytes follow, no more than there is room for.
func (c *cursor) count(what string, size int) uint64 {
	n := c.number(what)
	if n > uint64(len(c.rest)/size) {
		c.fail("%d %s in %d bytes", n, what, len(c.rest))
		return 0
	}
	return n
}

func (c *cursor) skip(n uint64) {
	if c.err == nil && n > uint64(len(c.rest)) {
		c.fail("string of %d bytes: only %d left", n, len(c.rest))
	}
	if c.err == nil {
		c.rest = c.rest[n:]
	}
}

func (c *cursor) byte() byte {
	if c.err != nil || len(c.rest) == 0 {
		c.fail("want a byte")
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

func (c *cursor) float() float64 {
	if c.err != nil || len(c.rest) < 8 {
		c.fail("want a value of 8 bytes")
		return 0
	}
	v := binary.LittleEndian.Uint64(c.rest)
	c.rest = c.rest[8:]
	return math.Float64frombits(v)
}
