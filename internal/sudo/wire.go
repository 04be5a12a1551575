package sudo

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socket is where the agent listens for fronts. The name is an abstract one: it
// is the sandbox's network namespace's, leaves no file behind, and is nobody's
// but the agent's as long as that lives.
const Socket = "@quixand-sudo"

// maxRequest bounds a request, in bytes: more arguments and variables hardly fit
// into an execve.
const maxRequest = 1 << 20

// Request is what a front asks for. With it come its standard input, output and
// error, and after it a byte for each signal to pass on. Texts are bytes, since
// neither arguments nor paths need be UTF-8.
type Request struct {
	// User is a name or decimal uid; empty is root.
	User string
	// Args are the command's, with its name. Without any the answer only tells
	// whether the caller may. With Login they are the arguments of the user's
	// login shell, which runs in the user's home.
	Args  [][]byte
	Login bool
	// Env are variables, NAME=value, beyond those that every command gets.
	Env [][]byte
	// Dir is where the command starts, if the user may be there.
	Dir []byte
	// TTY says that the standard input is a terminal which nobody has: it
	// becomes the command's own.
	TTY bool
}

// Answer is how the command has ended, or why it was not started.
type Answer struct {
	Error  string         `json:",omitempty"`
	Exit   int            `json:",omitempty"`
	Signal syscall.Signal `json:",omitempty"` // that ended it
}

// encode is what is sent of a request.
func (r *Request) encode() ([]byte, error) {
	body, err := json.Marshal(r)
	if err == nil && len(body) > maxRequest {
		err = fmt.Errorf("arguments and variables are longer than %d bytes", maxRequest)
	}
	return body, err
}

// send sends a request, and the files with its first bytes.
func send(conn *net.UnixConn, body []byte, files [3]int) error {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	if _, _, err := conn.WriteMsgUnix(length, unix.UnixRights(files[:]...), nil); err != nil {
		return err
	}
	_, err := conn.Write(body)
	return err
}

// Receive reads a request of anybody's. The files are the caller's, to close.
func Receive(conn *net.UnixConn) (r *Request, files [3]int, err error) {
	var length [4]byte
	rights := make([]byte, unix.CmsgSpace(len(files)*4))
	n, got, flags, _, err := conn.ReadMsgUnix(length[:], rights)
	if err != nil {
		return nil, files, err
	}
	fds := filesIn(rights[:got])
	if n != len(length) || flags&unix.MSG_CTRUNC != 0 || len(fds) != len(files) {
		err = errors.New("the request does not begin with its length and three files")
	}
	if err == nil {
		r, err = receiveBody(conn, binary.BigEndian.Uint32(length[:]))
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, files, err
	}
	return r, [3]int(fds), nil
}

// filesIn are the descriptors in control messages, which are ours now.
func filesIn(rights []byte) (fds []int) {
	messages, _ := unix.ParseSocketControlMessage(rights)
	for i := range messages {
		some, _ := unix.ParseUnixRights(&messages[i])
		fds = append(fds, some...)
	}
	return fds
}

func receiveBody(conn io.Reader, length uint32) (*Request, error) {
	if length > maxRequest {
		return nil, fmt.Errorf("a request of %d bytes is longer than %d", length, maxRequest)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, err
	}
	r := new(Request)
	return r, json.Unmarshal(body, r)
}
