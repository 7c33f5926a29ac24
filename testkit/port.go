package testkit

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// The ports that FreePort looks through: below those that systems hand out by themselves.
const (
	firstPort = 10_000
	manyPorts = 20_000
	ownPorts  = 199 // of one process, before it comes to those of the next one
)

var portsTried atomic.Int64

// FreePort gives a port of 127.0.0.1 for a server that is started a little later, or comes back after a while. Of a port that the
// system has handed out, somebody else may be given it meanwhile: a listener on port 0, or a client as its own; a client that calls
// that port while nobody listens there may even be given this very port, and talk to itself. These ports are nobody's but who asks
// here, and two processes begin at different ones.
func FreePort() (int, error) {
	var err error
	for range manyPorts {
		port := firstPort + (os.Getpid()*ownPorts+int(portsTried.Add(1)))%manyPorts
		var l net.Listener
		if l, err = net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("looking for a free port: %w", err)
}
