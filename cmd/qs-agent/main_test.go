package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quixand/quixand/internal/agentapi"
)

func TestDefaults(t *testing.T) {
	cfg, dir, err := parse(nil, os.Stderr)
	if err != nil || dir != agentapi.SocketDir || cfg.User != "1000" || cfg.Workdir != agentapi.DefaultWorkdir ||
		cfg.IdleTimeout != 5*time.Minute || cfg.Lifetime >= 0 || cfg.Init || cfg.Version == "" {
		t.Errorf("%+v, %s, %v", cfg, dir, err)
	}
}

func TestFlags(t *testing.T) {
	cfg, dir, err := parse([]string{
		"--id", "abc", "--socket-dir", "/s", "--workdir=/w", "--user", "root", "--idle-timeout", "-1ns", "--lifetime", "1h",
		"--block-address", "10.0.0.1", "--block-address", "fd00::1",
	}, os.Stderr)
	if err != nil || cfg.ID != "abc" || dir != "/s" || cfg.Workdir != "/w" || cfg.User != "root" || cfg.IdleTimeout != -1 || cfg.Lifetime != time.Hour {
		t.Errorf("%+v, %s, %v", cfg, dir, err)
	}
	if want := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}; !slices.Equal(cfg.BlockAddresses, want) {
		t.Error(cfg.BlockAddresses)
	}
}

func TestExitCodes(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "sock")
	plain := []string{"--user", "", "--socket-dir", sock, "--workdir", t.TempDir()}
	for _, c := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"--help"}, exitStopped, "Usage of qs-agent"},
		{[]string{"--nonsense"}, exitUsage, "nonsense"},
		{[]string{"argument"}, exitUsage, `unexpected argument "argument"`},
		{[]string{"--block-address", "x"}, exitUsage, "x"},
		{append(plain, "--idle-timeout", "20ms"), exitDeadline, "qs-agent: idle for 20ms"},
		{append(plain, "--lifetime", "20ms"), exitDeadline, "qs-agent: lifetime is over after 20ms"},
		{append(plain, "--init"), exitError, "only process 1"},
		{append(plain, "--block-address", "10.0.0.1"), exitError, "block addresses"},
		{append(plain, "--user", "no-such-user"), exitError, "unknown user"},
		{append(plain, "--socket-dir", "/proc/nothing"), exitError, "/proc/nothing"},
	} {
		var stderr bytes.Buffer
		if code := run(c.args, &stderr); code != c.code || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%q: %d, %s", c.args, code, &stderr)
		}
	}
}

func TestEndRecord(t *testing.T) {
	for _, c := range []struct{ flag, reason, detail string }{
		{"--idle-timeout=20ms", agentapi.EndIdle, "idle for 20ms"},
		{"--lifetime=20ms", agentapi.EndLifetime, "lifetime is over after 20ms"},
	} {
		sock := filepath.Join(t.TempDir(), "sock")
		before := time.Now()
		run([]string{"--user", "", "--socket-dir", sock, "--workdir", t.TempDir(), c.flag}, os.Stderr)
		text, err := os.ReadFile(filepath.Join(sock, agentapi.EndName))
		if err != nil {
			t.Fatal(err)
		}
		var got agentapi.End
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if got.Reason != c.reason || got.Detail != c.detail || got.ExitCode != exitDeadline || got.Time.Before(before) {
			t.Errorf("%+v", got)
		}
	}
}
