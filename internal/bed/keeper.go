package bed

import (
	"encoding/json"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keeperName is argv[0] of a keeper: what makes this program one, and what ps shows.
const keeperName = "clusterload-bed-keeper"

// A keeper's open files beside the standard three.
const (
	requestsFile = 3 // the lifeline: requests from the program; its end is the end of everything
	answersFile  = 4
)

// A request asks a keeper for one thing: to start a process, or to signal one.
type request struct {
	ID     int      `json:"id"` // names the answer and, of a start, from then on the process
	Start  *Options `json:"start,omitempty"`
	Signal int      `json:"signal,omitempty"`
	Whole  bool     `json:"whole,omitempty"`  // the process's whole session, not it alone
	Of     int      `json:"of,omitempty"`     // the ID of the process to signal
	Remove string   `json:"remove,omitempty"` // a folder to remove at the very end
}

// An answer ends a request, or tells that a process has exited.
type answer struct {
	ID     int    `json:"id"`
	Pid    int    `json:"pid,omitempty"`
	Error  string `json:"error,omitempty"`
	Exited bool   `json:"exited,omitempty"` // ID is that of a start; Code or Signal say how
	Code   int    `json:"code,omitempty"`
	Signal int    `json:"signal,omitempty"`
}

// A program that runs as a keeper never reaches its main.
func init() {
	if len(os.Args) > 0 && os.Args[0] == keeperName {
		k := &keeper{running: map[int]int{}, sessions: map[int]int{}}
		k.run()
		os.Exit(0)
	}
}

type keeper struct {
	mu       sync.Mutex // held over fork, reap and signal: no signal reaches a pid that was given to someone else
	answers  *json.Encoder
	running  map[int]int // pid → ID
	sessions map[int]int // ID → pid of the session's first process, ended ones too: their children may live on
	remove   []string    // folders that go once all has ended
}

func (k *keeper) run() {
	unix.CloseOnExec(requestsFile)
	unix.CloseOnExec(answersFile)
	k.answers = json.NewEncoder(os.NewFile(answersFile, "answers"))
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		k.answer(answer{Error: "adopt orphans: " + err.Error()})
		return
	}
	// The pipe's end tells when to go: a Ctrl-C or a closed terminal is the program's to handle. Caught and not ignored,
	// since what is ignored stays so in every process started from here.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			k.reap()
		}
	}()

	requests := json.NewDecoder(os.NewFile(requestsFile, "requests"))
	for {
		var r request
		if requests.Decode(&r) != nil {
			break
		}
		k.answer(k.handle(r))
	}
	k.end()
}

func (k *keeper) answer(a answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.answers.Encode(a) // the program may be gone; the end of its requests says so
}

func (k *keeper) handle(r request) answer {
	a := answer{ID: r.ID}
	var err error
	switch {
	case r.Start != nil:
		a.Pid, err = k.start(r.ID, r.Start)
	case r.Remove != "":
		k.remove = append(k.remove, r.Remove)
	default:
		err = k.signal(r.Of, syscall.Signal(r.Signal), r.Whole)
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

// start forks from the main thread, which lives as long as the keeper does: the kernel ties a child's death signal to the
// thread that made it. The signal is for the one case that the keeper itself is killed.
func (k *keeper) start(id int, o *Options) (int, error) {
	log := os.DevNull
	if o.Log != "" {
		log = o.Log
	}
	out, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	in, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer in.Close()

	k.mu.Lock()
	defer k.mu.Unlock()
	pid, err := syscall.ForkExec(o.Path, append([]string{o.Path}, o.Args...), &syscall.ProcAttr{
		Dir: o.Dir, Env: o.Env, Files: []uintptr{in.Fd(), out.Fd(), out.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, &os.PathError{Op: "start", Path: o.Path, Err: err}
	}
	k.running[pid], k.sessions[id] = id, pid
	return pid, nil
}

func (k *keeper) signal(id int, s syscall.Signal, whole bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	pid, known := k.sessions[id]
	if !known {
		return os.ErrProcessDone
	}
	if !whole {
		if _, alive := k.running[pid]; !alive {
			return os.ErrProcessDone
		}
		return syscall.Kill(pid, s)
	}
	for _, p := range descendants(os.Getpid()) {
		if p.session == pid {
			_ = syscall.Kill(p.pid, s) // it may have ended since the look
		}
	}
	return nil
}

// reap collects every child that has ended, adopted ones among them.
func (k *keeper) reap() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		id, ours := k.running[pid]
		if !ours {
			continue
		}
		delete(k.running, pid)
		a := answer{ID: id, Exited: true, Code: status.ExitStatus()}
		if status.Signaled() {
			a.Code, a.Signal = 0, int(status.Signal())
		}
		_ = k.answers.Encode(a)
	}
}

// end kills all descendants, and again what they left behind meanwhile, until none is left. One that the kernel cannot end
// (stuck in a dead mount) is given up after ten seconds.
func (k *keeper) end() {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		k.reap()
		left := descendants(os.Getpid())
		if len(left) == 0 {
			break
		}
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, folder := range k.remove {
		_ = os.RemoveAll(folder)
	}
}
