package timeouts

import (
	"context"
	"errors"
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

	errNoUnit   = "org.freedesktop.systemd1.NoSuchUnit"
	errNoObject = "org.freedesktop.DBus.Error.UnknownObject"

	// managerBudget bounds one piece of work; a systemd that lives answers in
	// a millisecond.
	managerBudget = 5 * time.Second
)

// manager is a connection to the user's systemd, over the socket that
// systemctl uses, so that no message bus is needed. The calls are made here and
// not by go-systemd's Conn, which opens a second connection for signals and
// cannot make the two units of a timer in one call.
type manager struct {
	conn   *dbus.Conn
	object dbus.BusObject
	cancel context.CancelFunc
}

// managerSocket is in the user's runtime directory.
func managerSocket(dir string) string { return filepath.Join(dir, "systemd", "private") }

func dialManager(ctx context.Context, dir string) (*manager, error) {
	ctx, cancel := context.WithTimeout(ctx, managerBudget)
	conn, err := dbus.Dial("unix:path="+dbus.EscapeBusAddressValue(managerSocket(dir)), dbus.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal("")}); err != nil {
		defer cancel()
		return nil, errors.Join(err, conn.Close())
	}
	return &manager{conn, conn.Object("org.freedesktop.systemd1", managerPath), cancel}, nil
}

func (m *manager) close() {
	_ = m.conn.Close()
	m.cancel()
}

// auxiliary is a unit that comes into being with another.
type auxiliary struct {
	Name       string
	Properties []systemd.Property
}

// start makes both units and starts the timer.
func (m *manager) start(ctx context.Context, u units) error {
	aux := []auxiliary{{u.service.name, u.service.properties}}
	return m.call(ctx, "StartTransientUnit", u.timer.name, "fail", u.timer.properties, aux).Err
}

// stop leaves out units that are not there.
func (m *manager) stop(ctx context.Context, names ...string) error {
	var errs []error
	for _, name := range names {
		if err := m.call(ctx, "StopUnit", name, "replace").Err; !isNamed(err, errNoUnit) {
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
