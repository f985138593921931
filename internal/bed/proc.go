package bed

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A proc is one line of the kernel's process table.
type proc struct {
	pid, parent, session int
	state                byte   // R, S, D, T, Z, …
	started              uint64 // clock ticks since boot
}

// parseStat reads /proc/PID/stat. The name, in parentheses, may hold anything, parentheses and newlines too.
//
//	4711 (slurmd) S 1 4711 4711 0 -1 4194560 1061 0 0 0 1 2 0 0 20 0 5 0 81234 …
func parseStat(b []byte) (proc, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return proc{}, fmt.Errorf("proc stat: %q: want pid (name) state …", b)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b[:open])))
	if err != nil {
		return proc{}, fmt.Errorf("proc stat: %q: want a pid first", b)
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 || len(f[0]) != 1 {
		return proc{}, fmt.Errorf("proc stat: %q: want 20 fields after the name", b)
	}
	p := proc{pid: pid, state: f[0][0]}
	var errs [3]error
	p.parent, errs[0] = strconv.Atoi(f[1])
	p.session, errs[1] = strconv.Atoi(f[3])
	p.started, errs[2] = strconv.ParseUint(f[19], 10, 64)
	for _, err := range errs {
		if err != nil {
			return proc{}, fmt.Errorf("proc stat: %q: %w", b, err)
		}
	}
	return p, nil
}

// processes lists what runs on the machine. A process that ends meanwhile is left out.
func processes() []proc {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	ps := make([]proc, 0, len(paths))
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if p, err := parseStat(b); err == nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// descendants lists the children of pid, their children, and so on.
func descendants(pid int) []proc {
	children := map[int][]proc{}
	for _, p := range processes() {
		children[p.parent] = append(children[p.parent], p)
	}
	found := children[pid]
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

// started returns when a process began, in clock ticks since boot, and whether there is one that has not ended. Together
// with the pid it names a process for ever.
func started(pid int) (uint64, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	p, err := parseStat(b)
	return p.started, err == nil && p.state != 'Z'
}
