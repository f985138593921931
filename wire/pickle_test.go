package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
)

// frames cuts what AppendPickle wrote at its lengths.
func frames(t testing.TB, b []byte) [][]byte {
	var all [][]byte
	for len(b) > 0 {
		require.GreaterOrEqual(t, len(b), 4)
		n := int(binary.BigEndian.Uint32(b))
		require.GreaterOrEqual(t, len(b), 4+n)
		all = append(all, b[4:4+n])
		b = b[4+n:]
	}
	return all
}

func pickleBatch(n int) []aggregator.Metric {
	var ms []aggregator.Metric
	for i := range n {
		m := metric(users, float64(i)*1.25-3, fmt.Sprintf("ü%d", i))
		m.Time += int64(i)
		ms = append(ms, m)
	}
	ms[1].Time = 1 << 31
	ms[2].Time = math.MaxInt64
	ms[3].Time = 0
	return ms
}

func TestPickle(t *testing.T) {
	ms := pickleBatch(300)
	g := NewGraphite(GraphiteOptions{Tagged: true})
	for _, limit := range []int{1, 1000, MaxFrame} {
		var got []Point
		for g.Begin(ms); g.More(); {
			b := g.AppendPickle([]byte("kept"), limit)
			require.Equal(t, "kept", string(b[:4]))
			fs := frames(t, b[4:])
			require.Len(t, fs, 1)
			points, err := ParsePickle(fs[0])
			require.NoError(t, err)
			assert.True(t, len(b)-4 <= limit || len(points) == 1)
			got = append(got, points...)
		}
		require.Len(t, got, len(ms))
		for i, m := range ms {
			assert.Equal(t, Point{"user.jobs;cluster=hpc1;user=" + m.Labels[0], m.Value, m.Time}, got[i])
		}
	}
}

// Where nothing is to be written there is no frame; the longest point fits what is said of it.
func TestPickleEdges(t *testing.T) {
	g := NewGraphite(GraphiteOptions{})
	g.Begin([]aggregator.Metric{metric(rpcs, 1, "ann")})
	assert.Equal(t, "x", string(g.AppendPickle([]byte("x"), MaxFrame)))
	assert.False(t, g.More())

	m := metric(total, 1)
	m.Time = math.MaxInt64
	m.Cluster = strings.Repeat("abc.", (MaxPath-len(".jobs.total"))/4) + "z"
	g.Begin([]aggregator.Metric{m})
	b := g.AppendPickle(nil, 1)
	assert.LessOrEqual(t, len(b), MaxPickled+FrameOverhead)
	assert.Greater(t, len(b), MaxPickled+FrameOverhead-5)
}

// Python itself reads what is written, with carbon's restrictions: no classes.
func TestPickleInPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	const program = `
import io, json, pickle, struct, sys
class Safe(pickle.Unpickler):
    def find_class(self, module, name):
        raise pickle.UnpicklingError(module)
b = sys.stdin.buffer.read()
out = []
while b:
    n, = struct.unpack("!I", b[:4])
    for raw in Safe(io.BytesIO(b[4:4+n]), encoding="utf-8").load():
        path, (time, value) = raw
        assert isinstance(path, str) and type(time) is int and type(value) is float
        out.append([path, str(time), value])
    b = b[4+n:]
print(json.dumps(out))`
	ms := pickleBatch(50)
	g := NewGraphite(GraphiteOptions{Tagged: true})
	var b []byte
	for g.Begin(ms); g.More(); {
		b = g.AppendPickle(b, 700)
	}
	cmd := exec.Command(python, "-c", program)
	cmd.Stdin = bytes.NewReader(b)
	text, err := cmd.Output()
	require.NoError(t, err)
	var got [][3]any
	require.NoError(t, json.Unmarshal(text, &got))
	require.Len(t, got, len(ms))
	for i, m := range ms {
		assert.Equal(t, [3]any{"user.jobs;cluster=hpc1;user=" + m.Labels[0], fmt.Sprint(m.Time), m.Value}, got[i])
	}
}

// pythonPickles is pickle.dumps([("a.b", (1753000000, 1.5)), ("c", (2.0, 3)), ("a.b", (70000, -1))], protocol=N) of
// Python 3.11, for N from 0 to 4.
var pythonPickles = []string{
	"286c70300a2856612e620a70310a2849313735333030303030300a46312e350a7470320a7470330a612856630a70340a2846322e300a49330a7470350a7470360a612867310a284937303030300a492d310a7470370a7470380a612e",
	"5d710028285803000000612e627101284a40a87c68473ff8000000000000747102747103285801000000637104284740000000000000004b03747105747106286801284a701101004affffffff747107747108652e",
	"80025d7100285803000000612e6271014a40a87c68473ff800000000000086710286710358010000006371044740000000000000004b0386710586710668014a701101004affffffff867107867108652e",
	"80035d7100285803000000612e6271014a40a87c68473ff800000000000086710286710358010000006371044740000000000000004b0386710586710668014a701101004affffffff867107867108652e",
	"80049540000000000000005d94288c03612e62944a40a87c68473ff8000000000000869486948c0163944740000000000000004b038694869468014a701101004affffffff86948694652e",
}

func TestParsePythonsPickles(t *testing.T) {
	for protocol, text := range pythonPickles {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		got, err := ParsePickle(b)
		require.NoError(t, err, "protocol %d", protocol)
		assert.Equal(t, []Point{{"a.b", 1.5, 1753000000}, {"c", 3, 2}, {"a.b", -1, 70000}}, got, "protocol %d", protocol)
		for n := range b {
			_, err := ParsePickle(b[:n])
			assert.Error(t, err, "protocol %d cut at %d", protocol, n)
		}
	}
}

func TestParsePickleRefuses(t *testing.T) {
	tests := []struct{ pickle, want string }{
		{"", `pickle: byte 0: ends early: want 1 more bytes, 0 are left`},
		{"N.", `pickle: byte 2: holds a <nil>: want a list of (path, (time, value))`},
		{"](K\x01K\x02e.", `pickle: byte 8: element 0: want (path, (time, value))`},
		{"cos\nsystem\n.", `pickle: byte 1: opcode 'c' is not of a list of points`},
		{"](.", `pickle: byte 3: 2 values left: want 1`},
		{"e", `pickle: byte 1: no mark on the stack`},
		{"a", `pickle: byte 1: stack has 0 values: want 1`},
		{"K\x01(e", `pickle: byte 4: append to what is no list`},
		{"h\x07.", `pickle: byte 2: memo 7 is empty`},
		{"\x8a\x09", `pickle: byte 2: a number of 9 bytes: want at most 8`},
		{"X\xff\xff\xff\xffabc", `pickle: byte 5: ends early: want 4294967295 more bytes, 3 are left`},
		{"Ix\n", `pickle: byte 3: "x": want a number or a plain string`},
		{"](\x86", `pickle: byte 3: a mark where a value should be`},
	}
	for _, test := range tests {
		_, err := ParsePickle([]byte(test.pickle))
		assert.EqualError(t, err, test.want, "%q", test.pickle)
		var p *PickleError
		assert.ErrorAs(t, err, &p)
	}
}
