package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// dial tries a TCP connection to every address, all at once, and prints one line
// for each: the address and "connected", or what the attempt said.
func dial(addresses []string) error {
	answers := make([]string, len(addresses))
	var wg sync.WaitGroup
	for i, address := range addresses {
		wg.Go(func() {
			conn, err := net.DialTimeout("tcp", address, patience)
			if err != nil {
				answers[i] = fmt.Sprintln(address, err)
				return
			}
			conn.Close()
			answers[i] = fmt.Sprintln(address, "connected")
		})
	}
	wg.Wait()
	fmt.Print(strings.Join(answers, ""))
	return nil
}

// send sends one UDP datagram to every address, or prints why it cannot.
func send(addresses []string) error {
	for _, address := range addresses {
		conn, err := net.Dial("udp", address)
		if err == nil {
			_, err = fmt.Fprint(conn, "from a sandbox")
			conn.Close()
		}
		if err != nil {
			fmt.Println(address, err)
		}
	}
	return nil
}

// patience is how long a connection may take.
const patience = 2 * time.Second

// kinds are what a server does with a connection.
var kinds = map[string]func(c *net.TCPConn, args []string) error{
	"echo":   func(c *net.TCPConn, _ []string) error { return copyAll(c, c) },
	"count":  count,
	"source": source,
}

// serve listens at ADDRESS, prints the port and treats every connection as
// KIND says, for ever.
func serve(args []string) error {
	kind, ok := kinds[args[1]]
	if !ok {
		return fmt.Errorf("no kind of server: %s", args[1])
	}
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := kind(c.(*net.TCPConn), args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

// count reads to the end of the stream and then answers how much there was.
func count(c *net.TCPConn, _ []string) error {
	n, err := io.Copy(io.Discard, c)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c, n)
	return err
}

// source sends BYTES zero bytes, ends its half of the stream and then reads the
// other half to its end.
func source(c *net.TCPConn, args []string) error {
	bytes, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return err
	}
	if _, err := io.Copy(c, io.LimitReader(zeroes{}, bytes)); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	return copyAll(io.Discard, c)
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
