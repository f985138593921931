// Package terminal draws in a terminal: its size and modes, colours, keys, a screen that is redrawn, and progress.
package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Is tells whether f is a terminal.
func Is(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// The size that is taken where a terminal does not say.
const (
	defaultColumns = 80
	defaultRows    = 24
)

// Size returns the columns and rows of f, which are 80 and 24 where f does not say.
func Size(f *os.File) (columns, rows int) {
	w, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || w.Col == 0 || w.Row == 0 {
		return defaultColumns, defaultRows
	}
	return int(w.Col), int(w.Row)
}

// Raw makes the terminal f hand over each key as it is pressed, without echoing it, and returns what makes it as it
// was. Ctrl-C still ends the program.
func Raw(f *os.File) (restore func(), err error) {
	fd := int(f.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, os.NewSyscallError("tcgetattr", err)
	}
	raw := *before
	raw.Lflag &^= unix.ICANON | unix.ECHO
	raw.Iflag &^= unix.IXON | unix.ICRNL
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, os.NewSyscallError("tcsetattr", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}
