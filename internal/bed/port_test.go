package bed_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
)

func TestPort(t *testing.T) {
	seen := map[int]bool{}
	var tcp []net.Listener
	for range 100 {
		port := bed.PortTest(t)
		require.False(t, seen[port], "port %d twice", port)
		seen[port] = true
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		tcp = append(tcp, l)
		u, err := net.ListenPacket("udp", address)
		require.NoError(t, err)
		u.Close()
		assert.Less(t, port, 32768, "below the ports of outgoing connections")
	}
	for _, l := range tcp {
		ok, err := bed.Dials("tcp", l.Addr().String())()
		assert.NoError(t, err)
		assert.True(t, ok)
		l.Close()
		ok, err = bed.Dials("tcp", l.Addr().String())()
		assert.NoError(t, err)
		assert.False(t, ok)
	}
	several, err := bed.Ports(3)
	require.NoError(t, err)
	for _, port := range several {
		assert.False(t, seen[port], "port %d twice", port)
		seen[port] = true
	}
	assert.Len(t, seen, 103)
}
