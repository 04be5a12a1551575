package cli

import "io/fs"

// The letters of a mode as ls -l gives it.
var (
	fileTypes = []struct {
		bit    fs.FileMode
		letter byte
	}{
		{fs.ModeDir, 'd'},
		{fs.ModeSymlink, 'l'},
		{fs.ModeNamedPipe, 'p'},
		{fs.ModeSocket, 's'},
		{fs.ModeDevice, 'b'},
		{fs.ModeCharDevice, 'c'}, // comes together with ModeDevice
	}
	specialBits = []struct {
		bit     fs.FileMode
		at      int
		on, off byte // with and without the permission to execute
	}{
		{fs.ModeSetuid, 3, 's', 'S'},
		{fs.ModeSetgid, 6, 's', 'S'},
		{fs.ModeSticky, 9, 't', 'T'},
	}
)

// modeOf gives a mode as ls -l does, which package fs does not quite.
func modeOf(m fs.FileMode) string {
	b := []byte("-rwxrwxrwx")
	for i := range 9 {
		if m&(1<<i) == 0 {
			b[9-i] = '-'
		}
	}
	for _, t := range fileTypes {
		if m&t.bit != 0 {
			b[0] = t.letter
		}
	}
	for _, s := range specialBits {
		switch {
		case m&s.bit == 0:
		case b[s.at] == 'x':
			b[s.at] = s.on
		default:
			b[s.at] = s.off
		}
	}
	return string(b)
}
