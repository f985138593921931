package queue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// files is what the queue asks of a file system. Tests put one in its place that fails, and one that forgets what was
// not synced.
type files interface {
	MakeFolder(path string) error
	Lock(name string) (io.Closer, error) // fails at once where another holds it
	List(folder string) ([]fileInfo, error)
	Create(name string) (file, error) // refuses a name that is taken
	Open(name string) (file, error)   // for reading and writing
	Read(name string) ([]byte, error)
	Rename(from, to string) error
	Remove(name string) error
	SyncFolder(path string) error
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error // data and length; returns once they are on the disk
}

type fileInfo struct {
	name    string
	regular bool
}

// osFiles is the file system of the operating system.
type osFiles struct{}

func (osFiles) MakeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return osFiles{}.SyncFolder(filepath.Dir(path))
}

func (osFiles) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	err = retry(func() error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) })
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		return nil, &inUse{strings.TrimSpace(string(holder))}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	if err := f.Truncate(0); err == nil { // the process id is for people: a full disk need not keep the queue from opening
		_, _ = f.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	}
	return f, nil
}

// inUse is the error of a lock that another process, or another queue of this one, holds.
type inUse struct{ pid string }

func (e *inUse) Error() string {
	if e.pid == "" {
		return "in use by another process"
	}
	return "in use by process " + e.pid
}

func (e *inUse) Is(target error) bool { return target == ErrInUse }

func (osFiles) List(folder string) ([]fileInfo, error) {
	entries, err := os.ReadDir(folder)
	infos := make([]fileInfo, 0, len(entries))
	for _, e := range entries {
		infos = append(infos, fileInfo{e.Name(), e.Type().IsRegular()})
	}
	return infos, err
}

func (osFiles) Create(name string) (file, error) {
	return openOS(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (osFiles) Open(name string) (file, error) { return openOS(name, os.O_RDWR) }

func openOS(name string, flags int) (file, error) {
	f, err := os.OpenFile(name, flags|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFiles) Read(name string) ([]byte, error) { return os.ReadFile(name) }
func (osFiles) Rename(from, to string) error     { return os.Rename(from, to) }
func (osFiles) Remove(name string) error         { return os.Remove(name) }
func (osFiles) SyncFolder(path string) (err error) {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Sync is fdatasync: the time stamps may wait.
func (f osFile) Sync() error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = retry(func() error { return syscall.Fdatasync(int(fd)) })
	}); err != nil {
		return err
	}
	if failed != nil {
		return &fs.PathError{Op: "fdatasync", Path: f.Name(), Err: failed}
	}
	return nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
