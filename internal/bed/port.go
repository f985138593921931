package bed

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below the kernel's usual range for outgoing connections (32768 and up), so that no connection of
// anyone takes one away between the look and the server's own bind.
const (
	firstPort = 10240
	lastPort  = 32000
)

// reserved holds the reservation of each port that this program has been given, until it ends.
var reserved struct {
	sync.Mutex
	locks []net.Listener
}

// Port returns a port that is free on loopback for TCP and for UDP. It is given once: neither to a later call nor to
// another program that asks this package while this one lives. It never touches a port that something listens on.
func Port() (int, error) {
	reserved.Lock()
	defer reserved.Unlock()
	for range 500 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		// An abstract socket is a lock that the kernel drops with the process.
		lock, err := net.Listen("unix", "@clusterload-bed-port-"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		if !free(port) {
			lock.Close()
			continue
		}
		reserved.locks = append(reserved.locks, lock)
		return port, nil
	}
	return 0, fmt.Errorf("port: none free from %d to %d", firstPort, lastPort)
}

// Ports returns n different free ports, as Port does.
func Ports(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		p, err := Port()
		if err != nil {
			return nil, err
		}
		ports[i] = p
	}
	return ports, nil
}

func free(port int) bool {
	address := ":" + strconv.Itoa(port) // any address: a server there would take loopback's connections too
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	u.Close()
	return true
}
