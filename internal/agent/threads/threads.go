// Package threads keeps threads in reserve. The Go runtime ends the program when
// the kernel refuses it a new one, and that is what the kernel does where code in
// the sandbox has started as many processes as there may be: the agent would end,
// and the sandbox with it. A thread that the runtime once had it keeps.
package threads

import (
	"runtime"
	"sync"
)

// Reserve makes the runtime start n threads beside those that are at work.
func Reserve(n int) {
	var locked, ended sync.WaitGroup
	release := make(chan struct{})
	locked.Add(n)
	for range n {
		ended.Go(func() {
			// As long as it is locked, nothing else can run on its thread.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			locked.Done()
			<-release
		})
	}
	locked.Wait()
	close(release)
	ended.Wait()
}
