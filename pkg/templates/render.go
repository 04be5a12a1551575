package templates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// plain reports whether a shell command means the same as the rest of a line:
// no line ends, and nothing that a builder would take for its own syntax.
func plain(command string) bool {
	return !strings.ContainsAny(command, "\r\n") && !strings.Contains(command, "<<") &&
		!strings.HasSuffix(command, `\`) && command == strings.TrimSpace(command) &&
		!strings.HasPrefix(command, "[") && !strings.HasPrefix(command, "--")
}

// jsonList renders the form of an instruction that no shell sees.
func jsonList(words []string) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // a person reads it
	for _, w := range words {
		if w == "" || strings.ContainsRune(w, 0) {
			return "", fmt.Errorf("%q is no argument", w)
		}
	}
	if err := encoder.Encode(words); err != nil {
		return "", err
	}
	return strings.ReplaceAll(strings.TrimSpace(out.String()), `","`, `", "`), nil
}

// literal keeps the builder from putting in variables.
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, `$`, `\$`).Replace(s)
}

var (
	name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	word = regexp.MustCompile(`^[A-Za-z0-9_.+:=~@/-]+$`)
)

// isWord reports whether a shell and a builder take a word as it is.
func isWord(s string) bool { return word.MatchString(s) }

// pairs renders names and values, a line for each.
func (b *Builder) pairs(instruction string, pairs map[string]string) *Builder {
	if len(pairs) == 0 {
		return b.fail(errors.New(instruction + " without anything to set"))
	}
	for _, k := range slices.Sorted(maps.Keys(pairs)) {
		v := pairs[k]
		if !name.MatchString(k) || strings.ContainsAny(v, "\r\n\x00") {
			return b.fail(fmt.Errorf("%s %q=%q", instruction, k, v))
		}
		b.add(`%s %s="%s"`, instruction, k, strings.NewReplacer(`\`, `\\`, `$`, `\$`, `"`, `\"`).Replace(v))
	}
	return b
}
