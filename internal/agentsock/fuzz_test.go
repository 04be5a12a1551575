package agentsock

import (
	"bytes"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// FuzzUpgrade lets an agent answer the request for a tunnel with any bytes. It is
// refused, or what follows the answer's header is the tunnel's first bytes.
func FuzzUpgrade(f *testing.F) {
	const accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: quixand-tunnel\r\n\r\n"
	for _, seed := range []string{
		accepted, accepted + "first bytes", "HTTP/1.1 502 Bad Gateway\r\n\r\n", "HTTP/1.1 101 x\r\n\r\n", "HTTP/1.1 200 OK\r\n", "", "\x00\xff",
		"HTTP/1.1 101 x\r\nUpgrade: quixand-tunnel\r\nContent-Length: 5\r\n\r\n12345more",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		ours, theirs := socketPair(t)
		go func() {
			defer theirs.Close()
			_, _ = theirs.Write(answer)
			_ = theirs.CloseWrite()
			_, _ = io.Copy(io.Discard, theirs)
		}()
		ours.SetDeadline(time.Now().Add(10 * time.Second))
		tunnel, err := upgrade(ours, 80)
		if err != nil {
			ours.Close()
			return
		}
		if err := tunnel.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(tunnel)
		if err != nil || !bytes.HasSuffix(answer, rest) {
			t.Fatalf("read %q, %v", rest, err)
		}
		tunnel.Close()
	})
}

func socketPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socketpair")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = conn.(*net.UnixConn)
	}
	return conns[0], conns[1]
}
