//go:build embedagent

package agentbin

import _ "embed"

// embedded is the agent of a release build, which puts the file here first; with
// gzip, for it would be a third of qs otherwise.
//
//go:embed qs-agent.gz
var embedded []byte
