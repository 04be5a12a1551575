package server

import (
	"encoding/json"
	"maps"

	"github.com/quixand/quixand/pkg/quixand"
)

// recordKey is the metadata in which the server keeps what it has to know of a
// sandbox. Sandboxes without it were not created by a server, and are nobody's
// here.
const recordKey = "quixand.serve"

// record is what a server that is started anew has to know of a sandbox.
type record struct {
	Key        string `json:"key"`                  // id of the API key that it belongs to
	Template   string `json:"template"`             // as it was asked for
	Open       bool   `json:"open,omitempty"`       // no token is needed for its agent
	Private    bool   `json:"private,omitempty"`    // a token is needed for its other ports
	AutoResume bool   `json:"autoResume,omitempty"` // a request wakes it up
	Root       string `json:"root,omitempty"`       // of the client that created it; see serverapi.HeaderRoot
	Call       string `json:"call,omitempty"`       // see serverapi.HeaderCall
	Host       string `json:"host,omitempty"`       // what services inside are to read as Host; ${PORT} is the port
}

// recordOf reads a sandbox's record. ok is false where it has none.
func recordOf(info *quixand.Info) (r record, ok bool) {
	text, ok := info.Metadata[recordKey]
	if !ok || json.Unmarshal([]byte(text), &r) != nil {
		return record{}, false
	}
	return r, r.Key != ""
}

// agentToken is the token for the sandbox's agent, empty where none is needed.
func (r record) agentToken(secret []byte, id string) string {
	if r.Open {
		return ""
	}
	return tokenFor(secret, "agent", id)
}

// trafficToken is the token for the sandbox's other ports, empty where none is
// needed.
func (r record) trafficToken(secret []byte, id string) string {
	if !r.Private {
		return ""
	}
	return tokenFor(secret, "traffic", id)
}

// with returns the user's metadata and the record in it.
func (r record) with(metadata map[string]string) map[string]string {
	text, _ := json.Marshal(r) // strings and booleans
	all := maps.Clone(metadata)
	if all == nil {
		all = make(map[string]string, 1)
	}
	all[recordKey] = string(text)
	return all
}

// usersMetadata is what the user has given.
func usersMetadata(metadata map[string]string) map[string]string {
	own := maps.Clone(metadata)
	delete(own, recordKey)
	return own
}
