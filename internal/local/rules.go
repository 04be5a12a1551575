package local

import (
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// Rule says what one of an engine's messages means. Engines answer many failures
// with one status and words, whatever they are about, so the words are all there
// is to tell them apart.
type Rule struct {
	Kind  error
	Hint  string // what to do now, or empty
	words []string
}

// Means is the rule for messages with all these words, in any order and in
// whatever case; here they are in lower case.
func Means(kind error, hint string, words ...string) Rule { return Rule{kind, hint, words} }

// CommonRules are for what engines say in the same words. program is the engine's
// own, for the hints.
func CommonRules(program string) []Rule {
	const tag = "check the image's name and tag"
	disk := "free some disk space: " + program + " system df shows what the engine holds, " + program + " image prune removes unused images"
	login := "log in to the registry with " + program + " login, and check the image's name"
	return []Rule{
		Means(adapters.ErrExhausted, disk, "no space left on device"),
		Means(adapters.ErrExhausted, disk, "disk quota exceeded"),
		Means(adapters.ErrExhausted, "", "cannot allocate memory"),
		Means(adapters.ErrExists, "", "is already in use"),
		Means(adapters.ErrConflict, "", "is not paused"),
		Means(adapters.ErrNotFound, "check the image's name, and fetch it with "+program+" pull or with the pull policy missing", "no such image"),
		Means(adapters.ErrPermission, login, "unauthorized"),
		Means(adapters.ErrPermission, login, "requested access to the resource is denied"),
		Means(adapters.ErrNotFound, tag, "manifest unknown"),
		Means(adapters.ErrNotFound, tag, "name unknown"),
		Means(adapters.ErrExhausted, "the registry limits pulls: wait, or "+program+" login", "toomanyrequests"),
		Means(adapters.ErrInvalid, "check the image's name", "invalid reference format"),
		Means(adapters.ErrNotFound, "", "no such container"),
	}
}

// Judge returns the first of the rules whose words are in a message.
func Judge(rules []Rule, message string) (Rule, bool) {
	message = strings.ToLower(message)
	for _, r := range rules {
		if ContainsAll(message, r.words) {
			return r, true
		}
	}
	return Rule{}, false
}

// ContainsAll reports whether all words are in s.
func ContainsAll(s string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(s, w) {
			return false
		}
	}
	return true
}
