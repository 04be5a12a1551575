package adapters

import (
	"errors"
	"slices"
	"strings"
)

// A Prober looks at whether the engine of an adapter can be had here. It is
// quick: it reads files and the environment, speaks to no engine and starts
// none. CheckOK is an engine that runs as the user, CheckWarn one whose sandboxes
// are less well kept, CheckFail none; Detail says how that was found out.
type Prober func(Config) Check

// preferred are the engines that are looked for when none is named, the best
// first.
var preferred = []string{"podman", "docker"}

// RegisterProbe adds a prober for the adapter of that name. It panics when there
// is one.
func (r *Registry) RegisterProbe(name string, p Prober) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, dup := r.probers[name]; dup {
		panic("adapters: RegisterProbe called twice for " + name)
	}
	if r.probers == nil {
		r.probers = make(map[string]Prober)
	}
	r.probers[name] = p
}

// Choose names the adapter to open where nobody has named one: the first that
// this program has linked and whose engine can be had, one that runs as the user
// before any other. tried tells of those that were looked at, which are none
// where there is no choice. When no engine can be had, the error lists them.
func (r *Registry) Choose(cfg Config) (name string, tried []Check, err error) {
	names, probers := r.candidates()
	switch len(names) {
	case 0:
		return preferred[0], nil, nil // to open it is an error that says what to import
	case 1:
		return names[0], nil, nil
	}
	for i, name := range names {
		tried = append(tried, probers[i](cfg))
		if tried[i].Status == CheckOK {
			return name, tried, nil
		}
	}
	second := slices.IndexFunc(tried, func(c Check) bool { return c.Status == CheckWarn })
	if second < 0 {
		return "", tried, noneOf(tried)
	}
	return names[second], tried, nil
}

func (r *Registry) candidates() (names []string, probers []Prober) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, name := range preferred {
		if p, ok := r.probers[name]; ok {
			names, probers = append(names, name), append(probers, p)
		}
	}
	return names, probers
}

func noneOf(tried []Check) error {
	var found, cures []string
	for _, c := range tried {
		found = append(found, c.Name+": "+c.Detail)
		if c.Cure != "" {
			cures = append(cures, c.Cure)
		}
	}
	return &Error{
		Kind: ErrUnavailable,
		Err:  errors.New("no engine can be had here: " + strings.Join(found, "; ")),
		Hint: strings.Join(cures, "; or "),
	}
}
