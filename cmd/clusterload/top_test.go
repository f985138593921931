package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTopPlain(t *testing.T) {
	s := newSite(t)
	s.start()
	s.status(0, "^clusterload OK")
	out, errs, code := s.run(program(t), "top", "--config", s.config, "--ticks", "2")
	require.Zero(t, code, errs)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		assert.Regexp(t, `^\d\d:\d\d:\d\d  jobs 0 running 0 pending  cpus 3/8  gpus 0/0  batch -\+-$`, line)
	}
	assert.NotEqual(t, lines[0], lines[1], "another tick")

	_, errs, code = s.run(program(t), "top", "--config", s.config, "--ticks", "-1")
	assert.Equal(t, 2, code)
	assert.Equal(t, "clusterload: --ticks: -1: want 0 or more\n", errs)
}

func TestTopWithoutAgent(t *testing.T) {
	s := newSite(t)
	_, errs, code := s.run(program(t), "top", "--config", s.config)
	assert.Equal(t, 1, code)
	assert.Equal(t, "clusterload: no agent runs: nobody answers at "+filepath.Join(s.folder, "state", "agent.sock")+"\n", errs)
}

// A terminal is a pseudo terminal with a program on it.
type terminal struct {
	t      *testing.T
	master *os.File
	cmd    *exec.Cmd
	mu     sync.Mutex
	all    strings.Builder
	ended  chan error
}

// openTerminal runs the program on a terminal of this size.
func openTerminal(t *testing.T, columns, rows uint16, env []string, args ...string) *terminal {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	master := os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { _ = master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile("/dev/pts/"+itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	x := &terminal{t: t, master: master, ended: make(chan error, 1)}
	x.resize(columns, rows)
	x.cmd = exec.Command(program(t), args...)
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR="), env...)
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, x.cmd.Start())
	require.NoError(t, slave.Close())
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			x.mu.Lock()
			x.all.Write(buf[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	go func() { x.ended <- x.cmd.Wait() }()
	t.Cleanup(func() { _ = x.cmd.Process.Kill() })
	return x
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + itoa(n%10)
	}
	return string(rune('0' + n))
}

func (x *terminal) resize(columns, rows uint16) {
	require.NoError(x.t, unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}))
}

// shows waits until what came since the last call matches.
func (x *terminal) shows(pattern string) string {
	x.t.Helper()
	match := regexp.MustCompile(pattern)
	var text string
	require.Eventually(x.t, func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		text = x.all.String()
		if match.MatchString(text) {
			x.all.Reset()
			return true
		}
		return false
	}, 30*time.Second, 10*time.Millisecond, "want %s on the terminal, which got %q", pattern, &text)
	return text
}

func (x *terminal) press(keys string) {
	_, err := x.master.WriteString(keys)
	require.NoError(x.t, err)
}

func TestTopOnTerminal(t *testing.T) {
	s := newSite(t)
	s.command("sinfo", `printf 'batch\037up\nidle\037down\n'`)
	s.command("scontrol", "echo 'NodeName=n1 CPUAlloc=3 CPUTot=8 CPULoad=1.50 Gres=gpu:a100:4 GresUsed=gpu:a100:1 RealMemory=4000 AllocMem=1000 FreeMem=2000 State=MIXED Partitions=batch,idle '")
	s.start()
	s.status(0, "^clusterload OK")
	x := openTerminal(t, 100, 30, nil, "top", "--config", s.config)
	text := x.shows(`clusterload  hpc1  every 1s  \d\d:\d\d:\d\d(.|\n)*q quit`)
	assert.Contains(t, text, "\x1b[?1049h", "a screen of its own")
	assert.Contains(t, text, "\x1b[32m███", "what is allocated, in green")
	assert.Regexp(t, `PARTITION▾ +RUN`, text)
	assert.Regexp(t, `\x1b\[31midle `, text, "a partition that is down, in red")
	assert.Contains(t, text, "3/8")
	x.shows(`\x1b\[1;1H[^\n]*every 1s  \d\d:\d\d:\d\d`) // the next tick, without a key

	x.press("\x1b[C")
	x.shows(`PARTITION +RUN▾`)
	x.press("\x1b[D\x1b[D")
	x.shows(`GPUS▾`)
	x.resize(72, 20)
	assert.NotContains(t, x.shows(`\x1b\[2J(.|\n)*q quit`), "NODES UP", "for which 72 columns have no room")

	_, errs, code := s.script("stop.sh")
	require.Zero(t, code, errs)
	x.shows(`No answer since \d\d:\d\d:\d\d: no agent runs`)
	s.start()
	x.shows(`\x1b\[2;1H\x1b\[0m\x1b\[2K(\x1b|$)`) // and the note has gone

	x.press("q")
	require.NoError(t, <-x.ended)
	x.shows(`\x1b\[\?25h\x1b\[\?1049l`)
}

func TestTopEnds(t *testing.T) {
	s := newSite(t)
	s.start()
	s.status(0, "^clusterload OK")
	for name, end := range map[string]func(*terminal){
		"Ctrl-C":  func(x *terminal) { x.press("\x03") },
		"escape":  func(x *terminal) { x.press("\x1b") },
		"SIGTERM": func(x *terminal) { require.NoError(t, x.cmd.Process.Signal(syscall.SIGTERM)) },
	} {
		x := openTerminal(t, 80, 24, []string{"NO_COLOR=1"}, "top", "--config", s.config)
		text := x.shows("q quit")
		assert.NotContains(t, text, "\x1b[32m", "colours that nobody wants")
		end(x)
		require.NoError(t, <-x.ended, name)
		x.shows(`\x1b\[\?1049l`)
		mode, err := unix.IoctlGetTermios(int(x.master.Fd()), unix.TCGETS)
		require.NoError(t, err)
		assert.NotZero(t, mode.Lflag&unix.ECHO, "%s: the terminal echoes again", name)
	}
}

// A check that takes its time shows how far it is, where somebody looks on; the line is gone at the end.
func TestProgressOfCheck(t *testing.T) {
	s := newSite(t)
	wait := filepath.Join(s.folder, "go")
	s.command("squeue", "while [ ! -e "+wait+" ]; do sleep 0.05; done")
	s.write("[database.other]\ntype = \"print\"\n")
	x := openTerminal(t, 90, 24, nil, "check", "--config", s.config)
	x.shows("checking  ░{24}  0/3  1s")
	require.NoError(t, os.WriteFile(wait, nil, 0o600))
	require.NoError(t, <-x.ended)
	assert.NotContains(t, x.shows(`\r\x1b\[K(.|\n)*total`), "checking", "what comes after the line was wiped")
}
