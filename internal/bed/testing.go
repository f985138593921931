package bed

import (
	"os"
	"testing"
	"time"
)

// Required names the environment variable that, set to "required", makes a missing server a failure and no skip.
const Required = "CLUSTERLOAD_SERVERS"

// Need skips the test where one of the programs is not installed. Where the environment has CLUSTERLOAD_SERVERS=required,
// as `make test` sets it, it fails instead. It looks in PATH, /usr/sbin and /sbin.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := Look(program); err != nil {
			Missing(t, err.Error())
		}
	}
}

// NeedRoot skips or fails the test, as Need does, where it does not run as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "needs root")
	}
}

// Missing ends the test: skipped on a laptop, failed where servers are required.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(Required) == "required" {
		t.Fatalf("%s (and %s=required)", why, Required)
	}
	t.Skipf("%s (%s=required makes this a failure)", why, Required)
}

// StartTest starts a program for the length of a test, which it ends with a SIGTERM and, ten seconds later, a SIGKILL.
// Where the test failed, the tail of the program's output is logged.
func StartTest(t testing.TB, o Options) *Process {
	t.Helper()
	p, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s: the end of its output:\n%s", p.Name(), p.Tail(4000))
		}
	})
	return p
}

// PortTest is Port for a test.
func PortTest(t testing.TB) int {
	t.Helper()
	port, err := Port()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
