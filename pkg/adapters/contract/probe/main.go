// Command probe is what the contract suite runs inside sandboxes where a shell
// would not be exact enough, or where there is none. It is static and imports
// the standard library alone.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verbs are what the first argument can be.
var verbs = map[string]func(args []string) error{
	"args":   printArgs,
	"cat":    func([]string) error { return copyAll(os.Stdout, os.Stdin) },
	"dial":   dial,
	"env":    printEnv,
	"exit":   exit,
	"memory": useMemory,
	"ps":     listProcesses,
	"send":   send,
	"serve":  serve,
	"status": printStatus,
	"touch":  touch,
}

func main() {
	verb, ok := verbs[strings.Join(os.Args[min(1, len(os.Args)):min(2, len(os.Args))], "")]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: probe VERB ARGUMENTS")
		os.Exit(2)
	}
	if err := verb(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// printArgs prints one argument a line, quoted.
func printArgs(args []string) error {
	for _, a := range args {
		fmt.Printf("%q\n", a)
	}
	return nil
}

// printEnv prints the environment, sorted, one variable a line, quoted.
func printEnv([]string) error {
	env := os.Environ()
	slices.Sort(env)
	return printArgs(env)
}

func exit(args []string) error {
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	os.Exit(code)
	return nil
}

// printStatus prints the kernel's view of this process.
func printStatus([]string) error {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return err
	}
	defer f.Close()
	return copyAll(os.Stdout, f)
}

// useMemory touches MIBS MiB of memory and says how far it got. With a second
// argument it keeps them, and stays.
func useMemory(args []string) error {
	mibs, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var kept [][]byte
	for n := range mibs {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
		fmt.Println(n + 1)
	}
	fmt.Println("all", len(kept))
	if len(args) > 1 {
		time.Sleep(time.Hour)
	}
	runtime.KeepAlive(kept)
	return nil
}

// touch creates COUNT files in DIR.
func touch(args []string) error {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range count {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", args[0], i), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// listProcesses prints pid, parent, group, state and command line of every
// process, or its name in brackets where it has no command line any more.
func listProcesses([]string) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[shut+1:]))
		cmdline, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err != nil || len(cmdline) == 0 {
			cmdline = fmt.Appendf(nil, "[%s]", stat[open+1:shut])
		}
		line := strings.Map(printable, strings.TrimRight(string(cmdline), "\x00"))
		fmt.Fprintln(out, e.Name(), fields[1], fields[2], fields[0], line)
	}
	return out.Flush()
}

// printable keeps a command line on one line.
func printable(r rune) rune {
	if r < ' ' {
		return ' '
	}
	return r
}

func copyAll(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	return err
}
