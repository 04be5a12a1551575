package serverapi

// What E2B's own API calls things, for both ends. The token for a sandbox's agent
// is in agent/access.Header.
const (
	HeaderKey  = "X-Api-Key"
	HeaderNext = "X-Next-Token" // of the page of a list that comes after an answer's

	// HeaderSandbox and HeaderPort name a port of a sandbox where the host's name
	// does not.
	HeaderSandbox = "E2b-Sandbox-Id"
	HeaderPort    = "E2b-Sandbox-Port"
	// HeaderTraffic carries the token for the ports of a private sandbox.
	HeaderTraffic = "E2b-Traffic-Access-Token"

	// SnapshotPrefix stands before the name of a snapshot where a template's could
	// be. It is Quixand's own.
	SnapshotPrefix = "snapshot:"
)

// ProxyError is what the proxy answers with in a sandbox's place.
type ProxyError struct {
	SandboxID string `json:"sandboxId"`
	Message   string `json:"message"`
	Port      int    `json:"port,omitempty"`
	Code      int    `json:"code"`
}
