package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// takeForeground makes this program a process group of its own and the terminal's foreground one, where it is part of that
// already, so that Ctrl-C reaches it alone and not make, which would call the demo's end an error. The returned function
// gives the terminal back.
func takeForeground(terminal *os.File) (giveBack func()) {
	fd, group := int(terminal.Fd()), syscall.Getpgrp()
	front, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || front != group || group == os.Getpid() {
		return func() {}
	}
	if syscall.Setpgid(0, 0) != nil {
		return func() {}
	}
	toFront(fd, os.Getpid())
	return func() { toFront(fd, group) }
}

// toFront makes a process group the terminal's foreground one. A group that asks from the background gets SIGTTOU, which
// would stop it; nothing started later inherits that it is ignored.
func toFront(fd, group int) {
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, group)
}
