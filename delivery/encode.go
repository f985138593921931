package delivery

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/clusterload/clusterload/aggregator"
)

// A block of the queue holds metrics and all that is needed to understand them, so that an agent of a later version
// reads what an earlier one left:
//
//	version 1
//	strings   number, then each: length, bytes
//	descs     number, then each: template, kind (one byte), unit, help, source, number of labels
//	groups    to the end, each: cluster, time, number of metrics, then each metric:
//	            desc × 2 + 1 where the value is an integer, its labels, the value, of a counter the rate
//
// Numbers are varints; time and integers are zigzag varints, other values and rates eight bytes of IEEE 754, little
// endian. Strings stand as indexes in the table, descs likewise.
const version = 1

// An encoder writes metrics as blocks. It keeps its tables' memory from one block to the next.
type encoder struct {
	out     []byte
	strings table
	descs   []byte
	known   map[*aggregator.Desc]descRef
	groups  []byte
	recent  []recentLabel // of the metric before, by position
}

type descRef struct {
	index  uint64
	labels int // number of placeholders
}

type recentLabel struct {
	text  string
	index uint64
}

// A table gives each string a number.
type table struct {
	bytes []byte
	index map[string]uint64
}

func (t *table) of(s string) uint64 {
	i, known := t.index[s]
	if !known {
		i = uint64(len(t.index))
		t.index[s] = i
		t.bytes = append(binary.AppendUvarint(t.bytes, uint64(len(s))), s...)
	}
	return i
}

func newEncoder() *encoder {
	return &encoder{strings: table{index: map[string]uint64{}}, known: map[*aggregator.Desc]descRef{}}
}

// encode returns the block that holds ms. It is valid until the next call. The error is that of check, for the first
// metric that has one.
func (e *encoder) encode(ms []aggregator.Metric) ([]byte, error) {
	clear(e.strings.index)
	clear(e.known)
	e.strings.bytes, e.descs, e.groups, e.recent = e.strings.bytes[:0], e.descs[:0], e.groups[:0], e.recent[:0]
	for len(ms) > 0 {
		n := 1
		for n < len(ms) && ms[n].Time == ms[0].Time && ms[n].Cluster == ms[0].Cluster {
			n++
		}
		e.groups = binary.AppendUvarint(e.groups, e.strings.of(ms[0].Cluster))
		e.groups = binary.AppendVarint(e.groups, ms[0].Time)
		e.groups = binary.AppendUvarint(e.groups, uint64(n))
		if err := e.group(ms[:n]); err != nil {
			return nil, err
		}
		ms = ms[n:]
	}
	e.out = append(e.out[:0], version)
	e.out = binary.AppendUvarint(e.out, uint64(len(e.strings.index)))
	e.out = append(e.out, e.strings.bytes...)
	e.out = binary.AppendUvarint(e.out, uint64(len(e.known)))
	e.out = append(e.out, e.descs...)
	e.out = append(e.out, e.groups...)
	return e.out, nil
}

func (e *encoder) group(ms []aggregator.Metric) error {
	var last *aggregator.Desc
	var ref descRef
	for i := range ms {
		m := &ms[i]
		if m.Desc == nil {
			return check(m)
		}
		if m.Desc != last {
			last, ref = m.Desc, e.desc(m.Desc)
		}
		if len(m.Labels) != ref.labels || !finite(m.Value) {
			return check(m)
		}
		e.metric(m, ref.index)
	}
	return nil
}

func (e *encoder) metric(m *aggregator.Metric, desc uint64) {
	b := e.groups
	whole := int64(m.Value)
	integer := float64(whole) == m.Value && (whole != 0 || !math.Signbit(m.Value)) && whole > -1<<53 && whole < 1<<53
	if integer {
		b = binary.AppendUvarint(b, desc<<1|1)
	} else {
		b = binary.AppendUvarint(b, desc<<1)
	}
	for i, l := range m.Labels {
		if i == len(e.recent) {
			e.recent = append(e.recent, recentLabel{l, e.strings.of(l)})
		} else if e.recent[i].text != l {
			e.recent[i] = recentLabel{l, e.strings.of(l)}
		}
		b = binary.AppendUvarint(b, e.recent[i].index)
	}
	if integer {
		b = binary.AppendVarint(b, whole)
	} else {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.Value))
	}
	if m.Desc.Kind == aggregator.Counter {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.Rate))
	}
	e.groups = b
}

// desc gives a desc its place in the block's table.
func (e *encoder) desc(d *aggregator.Desc) descRef {
	ref, known := e.known[d]
	if known {
		return ref
	}
	ref = descRef{uint64(len(e.known)), placeholders(d)}
	e.known[d] = ref
	e.descs = binary.AppendUvarint(e.descs, e.strings.of(d.Template))
	e.descs = append(e.descs, byte(d.Kind))
	e.descs = binary.AppendUvarint(e.descs, e.strings.of(string(d.Unit)))
	e.descs = binary.AppendUvarint(e.descs, e.strings.of(d.Help))
	e.descs = binary.AppendUvarint(e.descs, e.strings.of(d.Source))
	e.descs = binary.AppendUvarint(e.descs, uint64(ref.labels))
	return ref
}

func placeholders(d *aggregator.Desc) (n int) {
	for _, p := range d.Parts() {
		if p.Placeholder {
			n++
		}
	}
	return n
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// check says what makes a metric one that no database could take.
func check(m *aggregator.Metric) error {
	if m.Desc == nil {
		return fmt.Errorf("metric without a desc, labels %q", m.Labels)
	}
	if n := placeholders(m.Desc); len(m.Labels) != n {
		return fmt.Errorf("metric %q: %d labels %q, want %d", m.Desc.Template, len(m.Labels), m.Labels, n)
	}
	if !finite(m.Value) {
		return fmt.Errorf("metric %q %q: value %v is not finite", m.Desc.Template, m.Labels, m.Value)
	}
	return nil
}
