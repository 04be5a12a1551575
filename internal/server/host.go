package server

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// size is what a sandbox without limits can use.
type size struct {
	cpus         int
	memory, disk int64 // bytes
}

// hostSize is that of the host, which does not change.
var hostSize = sync.OnceValue(func() size {
	s := size{cpus: runtime.NumCPU()}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		s.memory = int64(info.Totalram) * int64(info.Unit)
	}
	var fs unix.Statfs_t
	if unix.Statfs("/", &fs) == nil {
		s.disk = int64(fs.Blocks) * fs.Bsize
	}
	return s
})
