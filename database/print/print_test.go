package print

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/aggregator"
	"github.com/clusterload/clusterload/database"
)

func open(t *testing.T, text string) (database.Client, error) {
	return New(database.Options{Name: "print", Decode: func(v any) error {
		_, err := toml.Decode(text, v)
		return err
	}})
}

// capture runs f while one of the program's streams is a pipe, and returns what came out of it.
func capture(t *testing.T, stream **os.File, f func()) string {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	old := *stream
	*stream = w
	defer func() { *stream = old }()
	read := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		read <- string(b)
	}()
	f()
	require.NoError(t, w.Close())
	return <-read
}

func batch() []aggregator.Metric {
	load := &aggregator.Desc{Template: "load"}
	sent := &aggregator.Desc{Template: "net.{device}.sent", Kind: aggregator.Counter}
	torn := &aggregator.Desc{Template: "a..b"}
	m := func(d *aggregator.Desc, value, rate float64, labels ...string) aggregator.Metric {
		return aggregator.Metric{Desc: d, Cluster: "hpc1", Labels: labels, Time: 1753000000, Value: value, Rate: rate}
	}
	return []aggregator.Metric{m(load, 1.5, 0), m(torn, 2, 0), m(sent, 3000, math.NaN(), "eth0"), m(sent, 4000, 7, "eth1")}
}

const want = `hpc1.load 1.5 1753000000
hpc1.net.eth0.sent 3000 1753000000
hpc1.net.eth1.sent 4000 1753000000
hpc1.net.eth1.sent.per_second 7 1753000000
`

func TestPrint(t *testing.T) {
	for text, stream := range map[string]**os.File{"": &os.Stdout, `stream = "stdout"`: &os.Stdout, `stream = "stderr"`: &os.Stderr} {
		got := capture(t, stream, func() {
			c, err := open(t, text)
			require.NoError(t, err)
			err = c.Send(t.Context(), batch())
			assert.Equal(t, &database.Rejected{Points: []database.Point{{Index: 1, Reason: `template "a..b": has an empty path element`}}}, err)
			assert.NoError(t, c.Send(t.Context(), nil))
			assert.NoError(t, c.Close())
		})
		assert.Equal(t, want, got, text)
	}
}

func TestPrintMuch(t *testing.T) {
	var ms []aggregator.Metric
	for range 5000 {
		ms = append(ms, batch()[0])
	}
	var got strings.Builder
	c, err := open(t, "")
	require.NoError(t, err)
	c.(*Client).w = &got
	require.NoError(t, c.Send(t.Context(), ms))
	assert.Equal(t, strings.Repeat("hpc1.load 1.5 1753000000\n", 5000), got.String())
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestPrintErrors(t *testing.T) {
	_, err := open(t, `stream = "file"`)
	assert.EqualError(t, err, `stream: unknown "file" (known: stdout, stderr)`)

	c, err := open(t, "")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, c.Send(ctx, batch()), context.Canceled)

	c.(*Client).w = full{}
	assert.EqualError(t, c.Send(t.Context(), batch()), "print to stdout: no space left on device")
}
