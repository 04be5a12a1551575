package local

import "strings"

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
