package e2e

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// The shapes that --json prints. A field that is added is added here, too; one
// that is renamed or lost breaks somebody's script.
type (
	sandboxShape struct {
		ID, Name, Image, State, Adapter, Root, Workdir, Network string

		Snapshot, Fork, Cursor string

		Created   time.Time
		Ports     []struct{ Port, HostPort int }
		Metadata  map[string]string
		Resources struct {
			MemoryBytes, PIDs *int64
			CPUs              *float64
		}
	}
	createdShape struct {
		sandboxShape
		TimingMs map[string]float64
	}
	statusShape struct {
		ID                      string
		Engine                  *sandboxShape
		Agent                   *agentShape
		EngineError, AgentError string
	}
	agentShape struct {
		Version, User, Home, Workdir, OnTimeout string

		Created, LastActive, Deadline, LifetimeEnds time.Time

		InFlight, Processes int
		IdleTimeoutSeconds  *float64
		Enforcers           []string
		Labels              map[string]string
	}
	entryShape struct {
		Name, Path, Type, Mode, Owner, Group, Target string

		Size     int64
		Modified time.Time
	}
	errorShape struct {
		Error, Kind, ID, Phase, Hint string

		ExitCode int
	}
)

var _ = Describe("qs --json", needsEngine, Ordered, ContinueOnFailure, func() {
	id := shared("--metadata", "key=value", "--timeout", "10m")

	It("prints what it created", limit, func(ctx SpecContext) {
		made := decode[createdShape](ok(ctx, "create", "--json", "--timing"))
		DeferCleanup(func(ctx SpecContext) { ok(ctx, "kill", made.ID) })
		Expect(made.State).To(Equal("running"))
		Expect(made.TimingMs).To(And(HaveKey("create"), HaveKey("ready"), HaveKey("total")))
	})
	It("prints lists", limit, func(ctx SpecContext) {
		listed := decode[[]sandboxShape](ok(ctx, "ls", "--json"))
		Expect(listed).To(ContainElement(And(
			HaveField("ID", *id), HaveField("Adapter", "podman"), HaveField("Network", "bridge"), HaveField("Root", suite.root),
			HaveField("Metadata", HaveKeyWithValue("key", "value")), HaveField("Created", BeTemporally("~", time.Now(), time.Minute)),
		)))
		Expect(ok(ctx, "ls", "--json", "--metadata", "key=none")).To(Equal("[]"))
	})
	It("prints a status", limit, func(ctx SpecContext) {
		status := decode[statusShape](ok(ctx, "status", "--json", *id))
		Expect(status.Engine.ID).To(Equal(*id))
		Expect(*status.Agent.IdleTimeoutSeconds).To(Equal(600.0))
		Expect(status.Agent.User).To(Equal("user"))
	})
	It("prints files", limit, func(ctx SpecContext) {
		ok(ctx, "exec", *id, "sh", "-c", "mkdir dir && printf 123 >dir/file && ln -s file dir/link")
		entries := decode[[]entryShape](ok(ctx, "files", "ls", "--json", *id, "dir"))
		Expect(entries).To(HaveLen(2))
		Expect(entries[0]).To(And(HaveField("Name", "file"), HaveField("Size", int64(3)), HaveField("Type", "file"), HaveField("Owner", "user")))
		Expect(entries[1]).To(And(HaveField("Type", "symlink"), HaveField("Target", HaveSuffix("file"))))
	})
	It("prints failures", limit, func(ctx SpecContext) {
		out := qs(ctx, "files", "cat", "--json", *id, "missing")
		Expect(out.Stdout).To(BeEmpty())
		Expect(out.Code).To(Equal(3))
		failure := decode[errorShape](out.Stderr)
		Expect(failure).To(And(HaveField("Kind", "not found"), HaveField("ID", *id), HaveField("ExitCode", 3),
			HaveField("Error", ContainSubstring("missing"))))
	})
})
