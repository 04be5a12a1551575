// Package envd holds the wire types of E2B's envd: .proto files of our own in
// proto, and in process and filesystem the code that `make generate` makes of
// them. Nothing is written by hand in the generated packages.
package envd

// Version is the envd version that the agent reports. It tells E2B clients
// which features they may use.
const Version = "0.6.13"
