package contract

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/adapters"
	"github.com/quixand/quixand/pkg/quixand"
)

// snapshot takes a snapshot that goes with the case.
func (b *box) snapshot(ctx context.Context) *quixand.Snapshot {
	GinkgoHelper()
	snap, err := b.Snapshot(ctx, "")
	Expect(err).NotTo(HaveOccurred())
	b.f.ownSnapshot(snap.Name)
	return snap
}

// ownSnapshot has a snapshot removed when the case ends. Sandboxes that were made
// from it are to be created later, so that they are gone by then.
func (f *fixture) ownSnapshot(name string) {
	DeferCleanup(func(ctx SpecContext) {
		if err := f.client.RemoveSnapshot(ctx, name); !errors.Is(err, quixand.ErrNotFound) {
			Expect(err).NotTo(HaveOccurred())
		}
	}, NodeTimeout(10*time.Second))
}

// describeSnapshots is about file systems that outlive their sandboxes.
func describeSnapshots(f *fixture) {
	Describe("snapshot", needs(Snapshotter), func() {
		it("keeps the files for sandboxes to come", func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{
				Metadata: map[string]string{"owner": "me", "size": "small"}, Env: map[string]string{"SECRET": "value"},
			})
			b.write(ctx, "dir/kept", "text")
			b.sh(ctx, "chmod 600 dir/kept; ln -s kept dir/link")
			snap := b.snapshot(ctx)
			Expect(snap).To(SatisfyAll(
				HaveField("Sandbox", b.ID()), HaveField("Root", f.root), HaveField("Image", f.harness.Image),
				HaveField("Created", BeTemporally("~", time.Now(), time.Minute)),
			))
			b.write(ctx, "dir/kept", "changed")
			Expect(b.Kill(ctx)).To(Succeed())

			n := f.create(ctx, &quixand.Options{Snapshot: snap.Name, Metadata: map[string]string{"size": "large"}})
			Expect(n.sh(ctx, "cat dir/link; echo; stat -c %a dir/kept")).To(Equal("text\n600"))
			n.write(ctx, "dir/kept", "may be written")
			info, err := n.Info(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(info.Metadata).To(SatisfyAll(HaveKeyWithValue("owner", "me"), HaveKeyWithValue("size", "large")))
			Expect(info.Snapshot).To(Equal(snap.Name))
			Expect(info.Image).To(Equal(f.harness.Image))
			Expect(n.sh(ctx, "echo $SECRET")).To(BeEmpty())
		})
		it("gives its workdir to those who name none", needs(Isolation), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Workdir: "/srv/app"})
			snap := b.snapshot(ctx)
			Expect(f.create(ctx, &quixand.Options{Snapshot: snap.Name})).To(HaveField("Workdir()", "/srv/app"))
			Expect(f.create(ctx, &quixand.Options{Snapshot: snap.Name, Workdir: "/srv"})).To(HaveField("Workdir()", "/srv"))
		})
		it("makes sandboxes that are themselves", needs(Isolation), func(ctx SpecContext) {
			b := f.create(ctx, &quixand.Options{Name: newID()})
			snap := b.snapshot(ctx)
			n := f.create(ctx, &quixand.Options{Snapshot: snap.Name})
			Expect(n.Info(ctx)).To(HaveField("Name", ""))
			Expect(n.sh(ctx, "hostname; id -u; pwd")).To(Equal(n.ID() + "\n1000\n/workspace"))
			again := n.snapshot(ctx)
			Expect(again.Sandbox).To(Equal(n.ID()))
			Expect(f.create(ctx, &quixand.Options{Snapshot: again.Name}).Info(ctx)).To(HaveField("Snapshot", again.Name))
		})
		it("of a paused sandbox leaves it paused", needs(Pauser), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			b.write(ctx, "kept", "text")
			Expect(b.Pause(ctx)).To(Succeed())
			snap := b.snapshot(ctx)
			Expect(b.Info(ctx)).To(HaveField("State", quixand.StatePaused))
			Expect(b.Resume(ctx)).To(Succeed())
			n := f.create(ctx, &quixand.Options{Snapshot: snap.Name})
			Expect(n.read(ctx, "kept")).To(Equal("text"))
		})
		it("does not disturb a command that writes", func(ctx SpecContext) {
			b := f.create(ctx, nil)
			cmd, _ := b.running(ctx, "echo ready; while [ ! -e stop ]; do date +%s%N >>ticks; sleep 0.01; done; exit 7")
			begin := time.Now()
			b.snapshot(ctx)
			took := time.Since(begin)
			Expect(b.Info(ctx)).To(HaveField("State", quixand.StateRunning))
			b.write(ctx, "stop", "")
			var exit *quixand.ExitError
			Expect(errors.As(cmd.Wait(), &exit)).To(BeTrue())
			Expect(exit.Result.ExitCode).To(Equal(7))
			Expect(longestGap(b.ticks(ctx))).To(BeNumerically("<", took+time.Second))
		})
		it("is one moment of a file that grows", needs(Pauser), func(ctx SpecContext) {
			b := f.create(ctx, nil)
			// Two files that never differ by more than one line.
			b.running(ctx, "echo ready; n=0; while :; do n=$((n+1)); echo $n >>a; echo $n >>b; done")
			snap := b.snapshot(ctx)
			n := f.create(ctx, &quixand.Options{Snapshot: snap.Name})
			first, second := n.number(ctx, "wc -l <a"), n.number(ctx, "wc -l <b")
			Expect(first - second).To(BeElementOf(0, 1))
		})
		describeSnapshotNames(f)
		describeSnapshotLimits(f)
	})
}

// describeSnapshotNames is about snapshots by their names.
func describeSnapshotNames(f *fixture) {
	it("has a name that is taken once", func(ctx SpecContext) {
		b, name := f.create(ctx, nil), newID()
		f.ownSnapshot(name)
		b.write(ctx, "which", "first")
		_, err := b.Snapshot(ctx, name)
		Expect(err).NotTo(HaveOccurred())
		b.write(ctx, "which", "second")
		_, err = b.Snapshot(ctx, name)
		Expect(err).To(failAs(quixand.ErrExists))
		_, err = f.another().Snapshot(ctx, b.ID(), name)
		Expect(err).To(failAs(quixand.ErrExists))
		Expect(f.create(ctx, &quixand.Options{Snapshot: name}).read(ctx, "which")).To(Equal("first"))
	})
	it("goes to one of many who want the name at once", func(ctx SpecContext) {
		b, name, errs := f.create(ctx, nil), newID(), make([]error, 4)
		f.ownSnapshot(name)
		inParallel(len(errs), func(i int) { _, errs[i] = f.another().Snapshot(ctx, b.ID(), name) })
		refused := 0
		for _, err := range errs {
			if err != nil {
				Expect(err).To(failAs(quixand.ErrExists))
				refused++
			}
		}
		Expect(refused).To(Equal(len(errs) - 1))
	})
	it("can be listed and removed", func(ctx SpecContext) {
		b := f.create(ctx, nil)
		first, second := b.snapshot(ctx), b.snapshot(ctx)
		Expect(names(f.another().Snapshots(ctx))).To(ContainElements(first.Name, second.Name))
		Expect(f.another().RemoveSnapshot(ctx, first.Name)).To(Succeed())
		Expect(names(f.client.Snapshots(ctx))).To(SatisfyAll(ContainElement(second.Name), Not(ContainElement(first.Name))))
		Expect(f.client.RemoveSnapshot(ctx, first.Name)).To(failAs(quixand.ErrNotFound))
		_, err := f.tryCreate(ctx, &quixand.Options{Snapshot: first.Name})
		Expect(err).To(failAs(quixand.ErrNotFound))
	})
	it("is not removed under a sandbox", func(ctx SpecContext) {
		snap := f.create(ctx, nil).snapshot(ctx)
		n := f.create(ctx, &quixand.Options{Snapshot: snap.Name})
		Expect(f.client.RemoveSnapshot(ctx, snap.Name)).To(failAs(quixand.ErrConflict))
		Expect(names(f.client.Snapshots(ctx))).To(ContainElement(snap.Name))
		Expect(n.sh(ctx, "echo alive")).To(Equal("alive"))
		Expect(n.Kill(ctx)).To(Succeed())
		Expect(f.client.RemoveSnapshot(ctx, snap.Name)).To(Succeed())
	})
}

// describeSnapshotLimits is about what must not come of a snapshot.
func describeSnapshotLimits(f *fixture) {
	it("is its root's alone", func(ctx SpecContext) {
		b := f.create(ctx, nil)
		snap := b.snapshot(ctx)
		other := f.clientAt(filepath.Join(f.root, "other"), f.harness.New)
		DeferCleanup(other.Close)
		Expect(other.Snapshots(ctx)).To(BeEmpty())
		Expect(other.RemoveSnapshot(ctx, snap.Name)).To(failAs(quixand.ErrNotFound))
		_, err := other.Create(ctx, f.marked(&quixand.Options{Snapshot: snap.Name}))
		Expect(err).To(failAs(quixand.ErrNotFound))
		mine, err := other.Create(ctx, f.marked(nil))
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(mine.Kill)
		_, err = mine.Snapshot(ctx, snap.Name) // the same name is free there
		Expect(err).NotTo(HaveOccurred())
		Expect(other.RemoveSnapshot(ctx, snap.Name)).To(Succeed())
		Expect(names(f.client.Snapshots(ctx))).To(ContainElement(snap.Name))
	})
	it("is refused where it makes no sense", func(ctx SpecContext) {
		b := f.create(ctx, nil)
		for _, name := range []string{"A", "a:b", "../x", "a b", "-a", string(make([]byte, 100))} {
			_, err := b.Snapshot(ctx, name)
			Expect(err).To(failAs(quixand.ErrInvalid), "%q", name)
			_, err = f.tryCreate(ctx, &quixand.Options{Snapshot: name})
			Expect(err).To(failAs(quixand.ErrInvalid), "%q", name)
			Expect(f.client.RemoveSnapshot(ctx, name)).To(failAs(quixand.ErrInvalid), "%q", name)
		}
		_, err := f.client.Snapshot(ctx, newID(), newID())
		Expect(err).To(failAs(quixand.ErrNotFound))
		_, err = f.tryCreate(ctx, &quixand.Options{Snapshot: "x", Template: f.harness.Image})
		Expect(err).To(failAs(quixand.ErrInvalid))
	})
	it("that nobody waits for leaves nothing", SpecTimeout(time.Minute), func(ctx SpecContext) {
		b := f.create(ctx, nil)
		b.sh(ctx, "head -c 20000000 /dev/urandom >noise")
		for _, after := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond} {
			name := newID()
			short, cancel := context.WithTimeout(ctx, after)
			_, err := b.Snapshot(short, name)
			cancel()
			if err == nil {
				Expect(f.client.RemoveSnapshot(ctx, name)).To(Succeed())
				continue
			}
			Expect(names(f.client.Snapshots(ctx))).NotTo(ContainElement(name))
			Expect(b.Info(ctx)).To(HaveField("State", adapters.StateRunning))
		}
		Expect(b.sh(ctx, "echo alive")).To(Equal("alive"))
	})
}

func names(all []*quixand.Snapshot, err error) []string {
	GinkgoHelper()
	Expect(err).NotTo(HaveOccurred())
	list := []string{}
	for _, s := range all {
		list = append(list, s.Name)
	}
	return list
}

func longestGap(times []time.Time) time.Duration {
	var longest time.Duration
	for i := 1; i < len(times); i++ {
		longest = max(longest, times[i].Sub(times[i-1]))
	}
	return longest
}
