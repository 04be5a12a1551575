package timeouts

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

const (
	managerInterface = "org.freedesktop.systemd1.Manager"
	timerInterface   = "org.freedesktop.systemd1.Timer"
	managerPath      = dbus.ObjectPath("/org/freedesktop/systemd1")

	errNoUnit     = "org.freedesktop.systemd1.NoSuchUnit"
	errNoObject   = "org.freedesktop.DBus.Error.UnknownObject"
	errSubscribed = "org.freedesktop.systemd1.AlreadySubscribed"

	// managerBudget bounds one piece of work; a systemd that lives answers in
	// a millisecond.
	managerBudget = 5 * time.Second
)

// manager is a connection to the user's systemd, over the socket that
// systemctl uses, so that no message bus is needed. It is not go-systemd's Conn,
// which cannot make the two units of a timer in one call. It is used by one
// goroutine.
type manager struct {
	conn    *dbus.Conn
	object  dbus.BusObject
	signals chan *dbus.Signal
}

// managerSocket is in the user's runtime directory.
func managerSocket(dir string) string { return filepath.Join(dir, "systemd", "private") }

func dialManager(ctx context.Context, dir string) (*manager, error) {
	conn, err := dbus.Dial("unix:path="+dbus.EscapeBusAddressValue(managerSocket(dir)), dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal("")}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	m := &manager{conn, conn.Object("org.freedesktop.systemd1", managerPath), make(chan *dbus.Signal, 32)}
	conn.Signal(m.signals)
	return m, nil
}

func (m *manager) close() { _ = m.conn.Close() }

// auxiliary is a unit that comes into being with another.
type auxiliary struct {
	Name       string
	Properties []systemd.Property
}

// start makes both units and starts the timer.
func (m *manager) start(ctx context.Context, u units) error {
	aux := []auxiliary{{u.service.name, u.service.properties}}
	return m.job(ctx, "StartTransientUnit", u.timer.name, "fail", u.timer.properties, aux)
}

// stop leaves out units that are not there.
func (m *manager) stop(ctx context.Context, names ...string) error {
	var errs []error
	for _, name := range names {
		if err := m.job(ctx, "StopUnit", name, "replace"); !isNamed(err, errNoUnit) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// list returns the active units whose names match a pattern. One that was
// stopped stays for a moment and is not active.
func (m *manager) list(ctx context.Context, pattern string) (found []systemd.UnitStatus, err error) {
	return found, m.call(ctx, "ListUnitsByPatterns", []string{"active"}, []string{pattern}).Store(&found)
}

// next is when a timer fires, since the boot; zero when it has fired or is
// gone.
func (m *manager) next(ctx context.Context, timer systemd.UnitStatus) (time.Duration, error) {
	var value dbus.Variant
	err := m.conn.Object("org.freedesktop.systemd1", timer.Path).
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, timerInterface, "NextElapseUSecMonotonic").Store(&value)
	if isNamed(err, errNoUnit, errNoObject) {
		return 0, nil
	}
	us, _ := value.Value().(uint64)
	if us > uint64(time.Duration(1<<63-1)/time.Microsecond) { // infinity
		us = 0
	}
	return time.Duration(us) * time.Microsecond, err
}

// job is a call that returns before what it asks for is done. Whoever looks at
// the units then must find them so, hence the wait for the end.
func (m *manager) job(ctx context.Context, method string, args ...any) error {
	if err := m.call(ctx, "Subscribe").Err; err != nil && !isNamed(err, errSubscribed) {
		return err
	}
	var job dbus.ObjectPath
	if err := m.call(ctx, method, args...).Store(&job); err != nil {
		return err
	}
	for {
		select {
		case s, ok := <-m.signals:
			if !ok {
				return dbus.ErrClosed
			}
			if mine, failure := jobRemoved(s, job); mine {
				return failure
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// jobRemoved reports whether a signal tells the end of a job, and its failure.
func jobRemoved(s *dbus.Signal, job dbus.ObjectPath) (mine bool, failure error) {
	var id uint32
	var path dbus.ObjectPath
	var name, result string
	if s.Name != managerInterface+".JobRemoved" || dbus.Store(s.Body, &id, &path, &name, &result) != nil || path != job {
		return false, nil
	}
	if result != "done" {
		failure = fmt.Errorf("the job for %s has ended as: %s", name, result)
	}
	return true, failure
}

func (m *manager) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return m.object.CallWithContext(ctx, managerInterface+"."+method, 0, args...)
}

func isNamed(err error, names ...string) bool {
	e, ok := errors.AsType[dbus.Error](err)
	for _, name := range names {
		if ok && strings.EqualFold(e.Name, name) {
			return true
		}
	}
	return false
}
