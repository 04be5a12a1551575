package quixand_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/quixand/quixand/pkg/quixand"
)

// The shortest working program. A program of your own links an engine, too:
//
//	import _ "github.com/quixand/quixand/pkg/adapters/podman"
func Example() {
	ctx := context.Background()
	sb, err := quixand.Create(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer sb.Kill(ctx)

	if _, err := sb.Files.WriteString(ctx, "hello.txt", "hi!"); err != nil {
		log.Fatal(err)
	}
	res, err := sb.Run(ctx, "cat", "hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text())
	// Output: hi!
}

// exampleSandbox leaves the errors out of the examples that are not about them.
func exampleSandbox(ctx context.Context) *quixand.Sandbox {
	sb, err := quixand.Create(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	return sb
}

// A status other than zero is a result of Run, not an error.
func ExampleSandbox_Run() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	res, err := sb.Run(ctx, "sh", "-c", "echo out; echo err >&2; exit 3")
	if err != nil {
		log.Fatal(err) // it could not be run, or not to its end
	}
	fmt.Printf("%q %q %d\n", res.Stdout, res.Stderr, res.ExitCode)
	// Output: "out\n" "err\n" 3
}

// A Cmd is used as os/exec's.
func ExampleSandbox_Command() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	cmd := sb.Command("tr", "a-z", "A-Z")
	cmd.Stdin = strings.NewReader("some text")
	cmd.Stdout = os.Stdout
	if err := cmd.Run(ctx); err != nil {
		var exit *quixand.ExitError
		if errors.As(err, &exit) {
			log.Fatal("it ended with ", exit.Result.ExitCode)
		}
		log.Fatal(err)
	}
	// Output: SOME TEXT
}

// An exception is a result, too. Its traceback shows the program's own lines.
// (It is compiled and not run: the engine of these examples is the machine that
// they run on, which may have no Python.)
func ExampleSandbox_RunCode() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	res, err := sb.RunCode(ctx, "x = 1\nx += 1\nprint(x)\n1/0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(res.Text())          // 2
	fmt.Printf("%s\n", res.Stderr) // ... ZeroDivisionError: division by zero
}

// Every function of the standard library that takes an fs.FS works on a
// sandbox.
func ExampleSandbox_FS() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	for _, name := range []string{"site/index.html", "site/img/logo.svg"} {
		if _, err := sb.Files.WriteString(ctx, name, ""); err != nil {
			log.Fatal(err)
		}
	}
	err := fs.WalkDir(sb.FS(ctx, "site"), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			fmt.Println(path)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// img/logo.svg
	// index.html
}

// A missing file can be told from a sandbox that is gone.
func ExampleFiles() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	_, err := sb.Files.Read(ctx, "missing")
	fmt.Println(errors.Is(err, quixand.ErrNotFound), errors.Is(err, fs.ErrNotExist))

	if err := sb.Kill(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = sb.Files.Read(ctx, "missing")
	fmt.Println(errors.Is(err, quixand.ErrNotFound), errors.Is(err, fs.ErrNotExist))
	// Output:
	// true true
	// true false
}

// An HTTP server in the sandbox is reached without a network and without a port
// of the host. (Compiled and not run, as above.)
func ExampleSandbox_Transport() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	server := sb.Command("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "0")
	out, err := server.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}
	var port int
	if _, err := fmt.Fscanf(out, "Serving HTTP on 127.0.0.1 port %d", &port); err != nil {
		log.Fatal(err)
	}

	client := &http.Client{Transport: sb.Transport(port)}
	res, err := client.Get("http://sandbox/no-such-file")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	fmt.Println(res.Status) // 404 File not found
}

// A process can be left and found again, from any program, without a lost or a
// doubled byte.
func ExampleSandbox_Attach() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	cmd := sb.Command("sh", "-c", "echo one; read x; echo two")
	cmd.Detach, cmd.OpenStdin, cmd.Tag = true, true, "job"
	out, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	leave, cancel := context.WithCancel(ctx)
	if err := cmd.Start(leave); err != nil {
		log.Fatal(err)
	}
	first := make([]byte, len("one\n"))
	if _, err := io.ReadFull(out, first); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", first)
	cancel()
	_ = cmd.Wait()

	p, err := sb.Attach(ctx, quixand.ProcessRef{Tag: "job"}, &quixand.AttachOptions{
		Offset: cmd.Process.Offset(),
		Stdout: os.Stdout,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := p.WriteStdin(ctx, []byte("go on\n")); err != nil {
		log.Fatal(err)
	}
	res, err := p.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("exit code", res.ExitCode)
	// Output:
	// one
	// two
	// exit code 0
}

// Changes that are made once Started was called are not missed.
func ExampleFiles_Watch() {
	ctx := context.Background()
	sb := exampleSandbox(ctx)
	defer sb.Kill(ctx)

	write := func() {
		if _, err := sb.Files.WriteString(ctx, "new.txt", ""); err != nil {
			log.Fatal(err)
		}
	}
	for event, err := range sb.Files.Watch(ctx, ".", &quixand.WatchOptions{Started: write}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Op, event.Name)
		break
	}
	// Output: create new.txt
}
