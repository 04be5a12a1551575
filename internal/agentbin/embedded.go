//go:build embedagent

package agentbin

import _ "embed"

// embedded is the agent of a release build, which puts the file here first.
//
//go:embed qs-agent
var embedded []byte
