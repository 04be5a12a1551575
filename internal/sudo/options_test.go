package sudo

import (
	"slices"
	"strings"
	"testing"
)

func TestCommandLines(t *testing.T) {
	environ := []string{"TERM=xterm", "LC_ALL=C", "HOME=/h", "A=1", "B=2", "PATH=/p", "USER=u", "SHELL=/bin/zsh"}
	for line, want := range map[string]string{
		"id":                            "root|id|TERM=xterm LC_ALL=C",
		"-u www id -u":                  "www|id -u|TERM=xterm LC_ALL=C",
		"-uwww -- -x":                   "www|-x|TERM=xterm LC_ALL=C",
		"-u #33 -nSH id":                "33|id|TERM=xterm LC_ALL=C",
		"-E id":                         "root|id|TERM=xterm LC_ALL=C HOME=/h A=1 B=2",
		"-EH id":                        "root|id|TERM=xterm LC_ALL=C A=1 B=2",
		"--preserve-env=B,PATH id":      "root|id|TERM=xterm LC_ALL=C B=2",
		"A=5 PATH=/q X= id Y=1":         "root|id Y=1|TERM=xterm LC_ALL=C A=5 PATH=/q X=",
		"-s":                            "root|/bin/zsh|TERM=xterm LC_ALL=C",
		"-s echo $HOME; é 'x":           "root|/bin/zsh -c echo $HOME\\; é \\'x|TERM=xterm LC_ALL=C",
		"-i":                            "root login||TERM=xterm LC_ALL=C",
		"-i -E id":                      "root login|-c id|TERM=xterm LC_ALL=C",
		"-p prompt --stdin -k -- id -n": "root|id -n|TERM=xterm LC_ALL=C",
		"-v":                            "root||TERM=xterm LC_ALL=C",
		"-u":                            "",
		"-n":                            "",
		"A=1":                           "",
		"-v id":                         "",
		"-i -s":                         "",
		"-z id":                         "",
		"--no id":                       "",
	} {
		o, err := parse(strings.Fields(line))
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", line, err)
			}
			continue
		}
		r := o.request(environ)
		got := []string{r.User, joined(r.Args), joined(r.Env)}
		if r.User == "" {
			got[0] = "root"
		}
		if r.Login {
			got[0] += " login"
		}
		if text := strings.Join(got, "|"); text != want {
			t.Errorf("%s: %s, want %s", line, text, want)
		}
		if !slices.Equal(environ, []string{"TERM=xterm", "LC_ALL=C", "HOME=/h", "A=1", "B=2", "PATH=/p", "USER=u", "SHELL=/bin/zsh"}) {
			t.Fatalf("%s: the environment has become %v", line, environ)
		}
	}
}

func joined(words [][]byte) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, " ")
}
