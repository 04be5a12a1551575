package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"qs":      qsMain,
		"python3": pythonMain,
		"program": programMain,
	})
}

func qsMain() {
	adapters.Default.Register("fake", openEngine)
	os.Exit(New().Main(os.Args[1:]))
}

// pythonMain stands in for Python, which a machine that runs the tests may
// lack: it fails when the program says so.
func pythonMain() {
	program, _ := io.ReadAll(os.Stdin)
	if strings.Contains(string(program), "raise") {
		fmt.Fprintln(os.Stderr, "Traceback: it was raised")
		os.Exit(1)
	}
	fmt.Printf("ran %s\n", program)
}

// programMain is a program that creates a sandbox, which only the program itself
// would end, prints the id, and ends first.
func programMain() {
	adapters.Default.Register("fake", openEngine)
	client, err := quixand.New(&quixand.Config{Enforcer: "process"})
	if err != nil {
		log.Fatal(err)
	}
	sb, err := client.Create(context.Background(), &quixand.Options{Timeout: 100 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sb.ID())
}

// Each script has an engine of its own. It finds these commands beside
// testscript's:
//
//	exits N CMD   runs a command that exits with N
//	setenv NAME   sets a variable to the standard output of the last command
//	golden FILE   compares that output, without what differs from run to run
//	stop-engine   makes the engine unreachable
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setUpScript,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":       scriptExits,
			"setenv":      scriptSetenv,
			"golden":      scriptGolden,
			"until":       scriptUntil,
			"stop-engine": scriptStopEngine,
		},
	})
}

// noRaceSleep keeps a process that was built with the race detector from
// sleeping for a second at its end, which is for races at exit.
func noRaceSleep() (name, value string) { return "GORACE", "atexit_sleep_ms=0" }

type engineKey struct{}

func setUpScript(env *testscript.Env) error {
	root, run := filepath.Join(env.WorkDir, "root"), filepath.Join(env.WorkDir, "run")
	for _, dir := range []string{root, run} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	socket := filepath.Join(env.WorkDir, "engine.sock")
	env.Setenv("QS_ADAPTER", "fake")
	env.Setenv("QS_ROOT", root)
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv(engineSocket, socket)
	env.Setenv("TERM", "xterm")
	env.Setenv(noRaceSleep())
	server, err := serveEngine(socket, root)
	if err != nil {
		return err
	}
	env.Defer(server.close)
	env.Values[engineKey{}] = server
	return nil
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptUntil runs a program until its output matches a pattern.
func scriptUntil(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(10 * time.Second); ; {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("its output does not come to match %s", want)
		}
	}
}

func scriptStopEngine(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Value(engineKey{}).(*engineServer).stop()
}

func scriptSetenv(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// changing is what differs from run to run, and what it is replaced by.
var changing = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`\b[a-z0-9]{20}\b`), "ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\d+s ago`), "AGO"},
	{regexp.MustCompile(`"pid": \d+`), `"pid": PID`},
	{regexp.MustCompile(`"by": "[^"]+"`), `"by": "BY"`},
	{regexp.MustCompile(`\b\d+\.\d+ ms`), "N ms"},
	{regexp.MustCompile(`("(?:pull|create|start|ready|exec|kill|total)": )[\d.]+`), "${1}MS"},
	{regexp.MustCompile(`(User: +|"(?:user|owner|group)": )\S+\b"?`), "${1}ME"},
	{regexp.MustCompile(`"home": ".*"`), `"home": HOME`},
	{regexp.MustCompile(`\bin \d+(h\d+)?m\d+s`), "in SOON"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`go1\.[\w.]+`), "GO"},
	{regexp.MustCompile(`/\S*/qs\d+/`), "/BOX/"},
}

func scriptGolden(ts *testscript.TestScript, neg bool, args []string) {
	got := strings.ReplaceAll(ts.ReadFile("stdout"), ts.Getenv("WORK"), "/WORK")
	for _, c := range changing {
		got = c.pattern.ReplaceAllString(got, c.name)
	}
	if want := ts.ReadFile(args[0]); (got == want) == neg {
		ts.Fatalf("got:\n%s\nwant:\n%s", got, want)
	}
}
