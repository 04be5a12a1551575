package cli

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quixand/quixand/pkg/quixand"
)

// durationValue is a flag or argument that takes a time: 90s, 5m, 1h30m, plain
// seconds, or never where that makes sense.
type durationValue struct {
	d     *time.Duration
	never bool // accept "never"
}

func (v durationValue) Type() string { return "duration" }

func (v durationValue) String() string {
	switch {
	case v.d == nil || *v.d == 0:
		return ""
	case *v.d == quixand.NoTimeout:
		return "never"
	}
	return v.d.String()
}

func (v durationValue) Set(s string) error {
	if v.never && (s == "never" || s == "none") {
		*v.d = quixand.NoTimeout
		return nil
	}
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	*v.d = d
	return nil
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if seconds, numErr := strconv.ParseFloat(s, 64); numErr == nil {
		d, err = time.Duration(seconds*float64(time.Second)), nil
		if !(math.Abs(seconds) < math.MaxInt64/float64(time.Second)) { // NaN fails, too
			return 0, fmt.Errorf("%q is too long", s)
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration such as 90s, 5m or 1h30m", s)
	case d <= 0:
		return 0, fmt.Errorf("%q is not longer than nothing", s)
	}
	return d, nil
}

// bytesValue is a flag that takes a size as podman's --memory does: a number
// with an optional unit b, k, m, g or t of powers of 1024.
type bytesValue int64

func (v *bytesValue) Type() string { return "size" }

func (v *bytesValue) String() string {
	if v == nil || *v == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*v), 10)
}

func (v *bytesValue) Set(s string) error {
	unit := strings.TrimRight(strings.ToLower(s), "ib")
	shift := 0
	if n := len(unit); n > 0 {
		if i := strings.IndexByte("kmgt", unit[n-1]); i >= 0 {
			unit, shift = unit[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(unit, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is not a size such as 512m or 2g", s)
	}
	*v = bytesValue(n << shift)
	return nil
}

// pairsValue is a flag KEY=VALUE that may be repeated.
type pairsValue struct {
	pairs *map[string]string
	// lookup, when set, gives a KEY without a value that of the caller's
	// environment, as podman's --env does.
	lookup func(string) string
}

func (v pairsValue) Type() string   { return "key=value" }
func (v pairsValue) String() string { return "" }

func (v pairsValue) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok && v.lookup != nil {
		value, ok = v.lookup(key), true
	}
	if !ok || key == "" {
		return fmt.Errorf("%q is not KEY=VALUE", s)
	}
	if *v.pairs == nil {
		*v.pairs = make(map[string]string)
	}
	(*v.pairs)[key] = value
	return nil
}

// publishValue is a flag [HOSTPORT:]PORT that may be repeated, as podman's.
type publishValue struct{ ports *[]quixand.PortMapping }

func (v publishValue) Type() string   { return "[hostport:]port" }
func (v publishValue) String() string { return "" }

func (v publishValue) Set(s string) error {
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		host, port = "", s
	}
	m := quixand.PortMapping{}
	var errPort, errHost error
	m.Port, errPort = parsePort(port)
	if host != "" {
		m.HostPort, errHost = parsePort(host)
	}
	if err := errors.Join(errPort, errHost); err != nil {
		return fmt.Errorf("%q is not [HOSTPORT:]PORT with ports of 1 to 65535", s)
	}
	*v.ports = append(*v.ports, m)
	return nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port of 1 to 65535", s)
	}
	return int(n), nil
}

// choiceValue is a flag with few possible values, the first of which is the
// default.
type choiceValue[T ~string] struct {
	value   *T
	choices []T
}

// addChoice adds such a flag, and completes it.
func addChoice[T ~string](cmd *cobra.Command, value *T, name, usage string, choices ...T) {
	*value = choices[0]
	v := choiceValue[T]{value, choices}
	cmd.Flags().Var(v, name, usage)
	if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(v.names(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was added twice
	}
}

func (v choiceValue[T]) Type() string { return "string" }

func (v choiceValue[T]) String() string {
	if v.value == nil {
		return ""
	}
	return string(*v.value)
}

func (v choiceValue[T]) Set(s string) error {
	if !slices.Contains(v.choices, T(s)) {
		return fmt.Errorf("must be %s", strings.Join(v.names(), " or "))
	}
	*v.value = T(s)
	return nil
}

func (v choiceValue[T]) names() []string {
	names := make([]string, len(v.choices))
	for i, c := range v.choices {
		names[i] = string(c)
	}
	return names
}
