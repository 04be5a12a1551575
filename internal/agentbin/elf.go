package agentbin

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
)

// machines are the ELF machines of the platforms that Podman runs on.
var machines = map[string]elf.Machine{
	"amd64":   elf.EM_X86_64,
	"arm64":   elf.EM_AARCH64,
	"ppc64le": elf.EM_PPC64,
	"riscv64": elf.EM_RISCV,
	"s390x":   elf.EM_S390,
}

// check fails unless path is a program for this machine. A wrong one would
// only be found out inside the sandbox, where nobody can tell the user.
func check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o100 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	var head [20]byte // up to and with e_machine
	if _, err := io.ReadFull(f, head[:]); err != nil || string(head[:4]) != elf.ELFMAG {
		return fmt.Errorf("%s is not an ELF program", path)
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	want, known := machines[runtime.GOARCH]
	if got := elf.Machine(order.Uint16(head[18:])); known && got != want {
		return fmt.Errorf("%s is for another machine: %v, not %v", path, got, want)
	}
	return nil
}
