package grafana

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/slurmbed"
)

var record = flag.Bool("record", false, "record testdata/agent.lines.gz anew, from a real Slurm and a real agent; takes three minutes")

const (
	recording     = "testdata/agent.lines.gz"
	recordedTicks = 12
	tick          = 10 // seconds between two of the recorded ticks
)

// TestRecord makes the recording that the other tests feed to their Graphites: what an agent sends in two minutes from a
// Slurm with jobs in every state and a stream of new ones. A line is "path value age", the age in seconds before the last
// tick. The first tick is left out, since it has no rates.
//
//	go test ./internal/grafana -run TestRecord -record
func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("-record records anew")
	}
	bed.NeedRoot(t)
	bed.Need(t, slurmbed.Programs...)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	agent := build(t, "clusterload")
	cluster, err := slurmbed.Start(ctx, slurmbed.Options{Profile: slurmbed.Full})
	require.NoError(t, err)
	defer func() { require.NoError(t, cluster.Stop()) }()
	_, err = cluster.Mix(ctx)
	require.NoError(t, err)
	go cluster.Stream(ctx, nil)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	folder := t.TempDir()
	config := filepath.Join(folder, "clusterload.toml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `cluster = "hpc1"
frequency = %d
folder = %q
[aggregator.slurm]
slurm_conf = %q
jobs_num = true
nodes = true
[database.graphite]
address = "127.0.0.1"
port = %d
`, tick, folder, cluster.Conf(), l.Addr().(*net.TCPAddr).Port), 0o600))
	bed.StartTest(t, bed.Options{Path: agent, Args: []string{"run", "--config", config}, Log: filepath.Join(folder, "log")})
	save(t, listen(ctx, t, l))
}

// listen takes lines until the wanted ticks are whole, which is so once one more begins, and returns them by their time.
func listen(ctx context.Context, t *testing.T, l net.Listener) map[int64][]string {
	lines := make(chan string, 1000)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				for s := bufio.NewScanner(c); s.Scan(); {
					lines <- s.Text()
				}
				_ = c.Close()
			}()
		}
	}()
	ticks := map[int64][]string{}
	for {
		select {
		case <-ctx.Done():
			require.NoError(t, context.Cause(ctx))
		case line := <-lines:
			fields := strings.Fields(line)
			require.Len(t, fields, 3, "%q", line)
			at, err := strconv.ParseInt(fields[2], 10, 64)
			require.NoError(t, err)
			ticks[at] = append(ticks[at], fields[0]+" "+fields[1])
		}
		if len(ticks) == recordedTicks+2 {
			return ticks
		}
	}
}

func save(t *testing.T, ticks map[int64][]string) {
	var times []int64
	for at := range ticks {
		times = append(times, at)
	}
	slices.Sort(times)
	times = times[1 : recordedTicks+1]
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	require.NoError(t, err)
	for _, at := range times {
		slices.Sort(ticks[at])
		for _, line := range ticks[at] {
			_, err := fmt.Fprintf(z, "%s %d\n", line, times[len(times)-1]-at)
			require.NoError(t, err)
		}
	}
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(recording, b.Bytes(), 0o644))
	t.Logf("%d ticks of %d lines", len(times), len(ticks[times[0]]))
}
