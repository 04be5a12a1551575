package agent

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"github.com/quixand/quixand/internal/agent/httperr"
	"github.com/quixand/quixand/internal/agent/stream"
	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd/filesystem/filesystemconnect"
	"github.com/quixand/quixand/internal/envd/process/processconnect"
)

const (
	// maxMessage bounds one message of a Connect call, and with it one input
	// to a process, which has a frame of its own inside.
	maxMessage = 4<<20 + 64<<10
	// maxBody bounds a request of one message; JSON makes bytes longer.
	maxBody = 2 * maxMessage
)

// routes is everything that the agent serves.
func (a *Agent) routes() http.Handler {
	mux := http.NewServeMux()
	rpc := []connect.HandlerOption{
		connect.WithReadMaxBytes(maxMessage),
		// Over a local socket compression only costs time, and some clients
		// ask for it without being able to unpack it fast.
		connect.WithCompressMinBytes(math.MaxInt),
	}
	path, handler := processconnect.NewProcessHandler(a.processes, rpc...)
	mux.Handle(path, handler)
	mux.Handle(processconnect.ProcessStartProcedure, stream.Handler(maxBody, handler))
	mux.Handle(processconnect.ProcessConnectProcedure, stream.Handler(maxBody, handler))
	path, handler = filesystemconnect.NewFilesystemHandler(a.filesystem, rpc...)
	mux.Handle(path, handler)
	mux.Handle(filesystemconnect.FilesystemWatchDirProcedure, stream.Handler(maxBody, handler))

	mux.HandleFunc("GET /files", a.files.Download)
	mux.HandleFunc("POST /files", a.files.Upload)
	mux.HandleFunc("POST /files/compose", a.files.Compose)

	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("GET /envs", a.envs)
	mux.HandleFunc("POST /init", a.init)

	mux.HandleFunc("GET "+agentapi.PathStatus, a.status)
	mux.Handle("GET "+agentapi.PathLogs, a.journal)
	mux.HandleFunc("GET "+agentapi.PathTail, a.tail)
	mux.HandleFunc("GET "+agentapi.PathLife, a.hold)
	mux.HandleFunc("GET "+agentapi.PathLease, a.holdLease)
	mux.HandleFunc("GET "+agentapi.PathKeep, a.hold)
	mux.HandleFunc("POST "+agentapi.PathExpire, a.expire)
	mux.HandleFunc("POST "+agentapi.PathTimeout, a.setTimeout)
	mux.HandleFunc("GET "+agentapi.PathUsage, a.usage)
	mux.HandleFunc("POST "+agentapi.PathLabels, a.setLabels)
	mux.Handle("GET "+agentapi.PathTunnel, a.tunnels)
	mux.HandleFunc("GET "+agentapi.PathArchive, a.archive.Pack)
	mux.HandleFunc("PUT "+agentapi.PathArchive, a.archive.Unpack)
	mux.HandleFunc("/", notFound)
	return recovering(cors(a.guarded(a.counted(mux))))
}

func notFound(w http.ResponseWriter, r *http.Request) {
	httperr.Write(w, http.StatusNotFound, "no such endpoint: "+r.Method+" "+r.URL.Path)
}

// guarded lets in who may come in.
func (a *Agent) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.token.Check(r); err != nil {
			httperr.Write(w, http.StatusUnauthorized, err.Error())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// counted reports requests as activity, but for those that only ask how
// things are.
func (a *Agent) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/health", "/metrics", agentapi.PathStatus, agentapi.PathUsage, agentapi.PathLife, agentapi.PathLease, agentapi.PathLogs, agentapi.PathExpire,
			agentapi.PathTail:
		default:
			defer a.clock.Begin()()
		}
		next.ServeHTTP(w, r)
	})
}

// cors lets web pages call the agent, as E2B does; the token is what guards
// it.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Header.Get("Origin") != "" {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", "*")
		}
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", "HEAD, GET, POST, PUT, PATCH, DELETE")
		headers := r.Header.Get("Access-Control-Request-Headers")
		if headers == "" {
			headers = "*"
		}
		h.Set("Access-Control-Allow-Headers", headers)
		w.WriteHeader(http.StatusNoContent)
	})
}

// writeJSON says how long the answer is, so that a flush sends all of it.
func writeJSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		httperr.Write(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	_, _ = w.Write(append(body, '\n'))
}

// readJSON reads a small request body; an empty one changes nothing.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(body)) == "" {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return httperr.BadRequest(err)
	}
	return nil
}
