// Package filelock lets one process at a time do a thing, and the others wait
// for it: a lock on a file, which the kernel gives back however its holder
// ends, and for which one can wait without asking again and again.
package filelock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock is a held lock.
type Lock struct{ file *os.File }

// Acquire takes the lock of a file, which is created with the directories above
// it and never removed. It waits until ctx ends.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// For writing, although nothing is written: only then does its closing
	// count as an event.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err = take(ctx, file); err != nil {
		file.Close()
		return nil, err
	}
	return &Lock{file}, nil
}

// Release gives the lock back.
func (l *Lock) Release() { l.file.Close() }

func take(ctx context.Context, file *os.File) error {
	if err := try(file); !errors.Is(err, unix.EWOULDBLOCK) {
		return err
	}
	closings, err := watch(file.Name())
	if err != nil {
		return err
	}
	defer closings.Close()
	stop := context.AfterFunc(ctx, func() { closings.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	events := make([]byte, 4096)
	for {
		// Again at first: its holder may have gone before the watch began.
		if err := try(file); !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if _, err := closings.Read(events); err != nil {
			return errors.Join(context.Cause(ctx), ignoreDeadline(err))
		}
	}
}

func ignoreDeadline(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func try(file *os.File) error { return Flock(file, unix.LOCK_EX|unix.LOCK_NB) }

// Flock is flock(2) on an open file, whatever signals come.
func Flock(file *os.File, how int) error {
	for {
		err := unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// watch reports when somebody closes the file.
func watch(path string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CLOSE_WRITE); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("inotify_add_watch", err)
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}
