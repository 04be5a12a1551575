package files

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/identity"
	"github.com/quixand/quixand/internal/agent/ownfs"
)

// maxComposeRequest bounds the list of files that one request can name.
const maxComposeRequest = 1 << 20

type composeRequest struct {
	SourcePaths []string `json:"source_paths"`
	Destination string   `json:"destination"`
	Username    string   `json:"username"`
}

// Compose joins files into one and removes them: the end of an upload in
// pieces.
func (s *Service) Compose(w http.ResponseWriter, r *http.Request) {
	var req composeRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxComposeRequest)).Decode(&req); err != nil {
		httperr.WriteErr(w, httperr.BadRequest(err))
		return
	}
	file, err := s.compose(req)
	if err != nil {
		httperr.WriteErr(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(file)
}

func (s *Service) compose(req composeRequest) (written, error) {
	user, err := s.users.Lookup(req.Username)
	if err != nil {
		return written{}, err
	}
	if len(req.SourcePaths) == 0 || req.Destination == "" {
		return written{}, httperr.BadRequest(errors.New("source_paths and destination are required"))
	}
	destination, err := user.Path(req.Destination)
	if err != nil {
		return written{}, httperr.BadRequest(err)
	}
	sources, err := sourcePaths(user, req.SourcePaths, destination)
	if err != nil {
		return written{}, err
	}
	if err := concatenate(user, sources, destination); err != nil {
		return written{}, err
	}
	for _, path := range sources {
		if err := os.Remove(path); err != nil {
			return written{}, err
		}
	}
	return written{Path: destination, Name: filepath.Base(destination), Type: "file"}, nil
}

// sourcePaths finds out what is wrong with the sources before anything is
// written.
func sourcePaths(user identity.User, names []string, destination string) ([]string, error) {
	paths := make([]string, len(names))
	for i, name := range names {
		path, err := user.Path(name)
		if err != nil {
			return nil, httperr.BadRequest(err)
		}
		if path == destination {
			return nil, httperr.BadRequest(errors.New("the destination is one of the sources"))
		}
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
		paths[i] = path
	}
	return paths, nil
}

func concatenate(user identity.User, sources []string, destination string) error {
	out, size, err := ownfs.Create(destination, user)
	if err != nil {
		return err
	}
	var written int64
	for _, path := range sources {
		n, err := appendFile(out, path)
		written += n
		if err != nil {
			return errors.Join(err, cutOff(out, written, size), out.Close())
		}
	}
	return errors.Join(cutOff(out, written, size), out.Close())
}

func appendFile(out *os.File, path string) (int64, error) {
	in, _, err := ownfs.Open(path)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	return io.Copy(out, in) // within the kernel
}
