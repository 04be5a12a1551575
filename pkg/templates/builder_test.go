package templates_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quixand/quixand/pkg/templates"
)

func ExampleBuilder() {
	text, err := templates.From("python:3.11-slim").
		Apt("git", "curl").
		Pip("numpy>=2", "pandas[excel]").
		Pip("flask").
		CopyAs("app", "/app", templates.CopyOptions{Owner: "1000:1000"}).
		Env(map[string]string{"PORT": "8000", "GREETING": `say "hi" for $1`}).
		Workdir("/app").
		Run("python3 -m compileall .", "echo one\necho two").
		Start("python3 server.py", templates.ReadyPort(8000)).
		Containerfile()
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(text)
	// Output:
	// FROM python:3.11-slim
	// RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends git curl && rm -rf /var/lib/apt/lists/*
	// RUN ["python3", "-c", "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path(\"stdlib\"), quiet=2)"]
	// RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "numpy>=2", "pandas[excel]"]
	// RUN ["python3", "-m", "pip", "install", "--no-cache-dir", "flask"]
	// COPY --chown=1000:1000 ["app", "/app"]
	// ENV GREETING="say \"hi\" for \$1"
	// ENV PORT="8000"
	// WORKDIR /app
	// RUN python3 -m compileall .
	// RUN ["/bin/sh", "-c", "echo one\necho two"]
	// LABEL quixand.start="python3 server.py"
	// LABEL quixand.ready.port="8000"
}

func TestRefusals(t *testing.T) {
	base := func() *templates.Builder { return templates.From("scratch") }
	for name, b := range map[string]*templates.Builder{
		"no image":               templates.From(""),
		"an image on two lines":  templates.From("a\nRUN evil"),
		"an empty text":          templates.FromContainerfile(" \n"),
		"an empty command":       base().Run(""),
		"no program":             base().Exec(""),
		"a NUL":                  base().Exec("echo", "a\x00b"),
		"a package as a command": base().Apt("git; rm -rf /"),
		"a package as an option": base().Pip("--index-url=http://evil"),
		"no package":             base().Npm(),
		"a URL as an option":     base().GitClone("--upload-pack=evil", "/src", ""),
		"a mode with a blank":    base().CopyAs("a", "b", templates.CopyOptions{Mode: "0644 --from=x"}),
		"a variable's name":      base().Env(map[string]string{"A B": "c"}),
		"a value on two lines":   base().Env(map[string]string{"A": "b\nRUN evil"}),
		"no variable":            base().Env(nil),
		"a directory in two":     base().Workdir("/a\n/b"),
		"no start command":       base().Start(""),
		"no readiness":           base().Ready(templates.Ready{}),
	} {
		text, err := b.Containerfile()
		if err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestFirstErrorStays(t *testing.T) {
	_, err := templates.From("scratch").Run("").Workdir("").Containerfile()
	if err == nil || !strings.Contains(err.Error(), "instruction 2: an empty command") {
		t.Error(err)
	}
}

func TestFromContainerfile(t *testing.T) {
	text, err := templates.FromContainerfile("FROM a\nRUN b\n\n").Run("c").Containerfile()
	if err != nil || text != "FROM a\nRUN b\nRUN c\n" {
		t.Errorf("%q, %v", text, err)
	}
}
