package spawn

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// capSet is a set of capabilities, one bit each.
type capSet uint64

func caps(numbers ...uint) capSet {
	var s capSet
	for _, n := range numbers {
		s |= 1 << n
	}
	return s
}

func (s capSet) has(n uint) bool { return s&(1<<n) != 0 }

// words splits the set as capset(2) wants it.
func (s capSet) words() (low, high uint32) { return uint32(s), uint32(s >> 32) }

var (
	// rootCaps is what code keeps that runs as the sandbox's root: enough to
	// install packages, nothing that reaches beyond files and processes.
	rootCaps = caps(unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID,
		unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_NET_BIND_SERVICE)

	// initCaps is what the agent itself keeps: the same, and the right to
	// take capabilities from its children.
	initCaps = rootCaps | caps(unix.CAP_SETPCAP)
)

// confineThread takes from the calling thread, and so from every child that
// it forks, the bounding set but for keep, all inheritable and ambient
// capabilities, and the possibility to gain privileges by execve. The thread's
// own effective set stays: it is needed to switch identities, and switching
// clears it.
func confineThread(keep capSet) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	// Ambient capabilities are inheritable ones, so this clears them too.
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("clear inheritable capabilities: %w", err)
	}
	return dropBounding(keep, func(n uint) error { return unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0) })
}

// dropBounding drops what is not in keep, the sentinel last.
func dropBounding(keep capSet, drop func(uint) error) error {
	for n := lastCap(); ; n-- {
		if !keep.has(n) && bounding(n) {
			if err := drop(n); err != nil {
				return fmt.Errorf("drop capability %d from the bounding set: %w", n, err)
			}
		}
		if n == sentinel {
			return nil
		}
	}
}

// bounding reports whether the calling thread's bounding set has a capability.
func bounding(n uint) bool {
	in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
	return err == nil && in == 1
}

// ConfineSelf reduces every thread of this process, and all to come, to the
// capabilities that a sandbox's init needs. It is to be called once, early,
// and only by PID 1.
func ConfineSelf() error {
	err := dropBounding(initCaps, func(n uint) error {
		_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	low, high := initCaps.words()
	for i, keep := range []uint32{low, high} {
		data[i].Permitted &= keep
		data[i].Effective &= keep
		data[i].Inheritable = 0
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("reduce capabilities: %w", errno)
	}
	return nil
}

// lastCap is the highest capability that the kernel knows.
func lastCap() uint {
	n := uint(unix.CAP_LAST_CAP)
	for n < 63 {
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n+1), 0, 0, 0); err != nil {
			break
		}
		n++
	}
	return n
}
