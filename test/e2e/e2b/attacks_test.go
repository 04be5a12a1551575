package e2b

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/quixand/quixand/internal/agent/access"
)

// kind is a way to be bad.
type kind struct {
	name      string
	make      func(*attacker, *rand.Rand) string
	mayBeGone bool // 502 is an answer, for there may be no such sandbox or port
	held      bool // the connection stays open after what is sent
}

var kinds = []kind{
	{name: "a fuzzed call", make: (*attacker).fuzzedCall},
	{name: "a fuzzed call of the agent", make: (*attacker).fuzzedRPC},
	{name: "a stolen key or token", make: (*attacker).theft},
	{name: "a signed link", make: (*attacker).link},
	{name: "an id or path with tricks", make: (*attacker).trickyPath, mayBeGone: true},
	{name: "a host with tricks", make: (*attacker).trickyHost, mayBeGone: true},
	{name: "smuggling", make: (*attacker).smuggling, mayBeGone: true},
	{name: "too much", make: (*attacker).tooMuch},
	{name: "noise", make: (*attacker).noise},
	{name: "a slow body", make: (*attacker).slow, mayBeGone: true, held: true},
}

// request renders one that asks for the connection to be closed.
func request(line, headers, body string) string {
	return fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s", line, headers, len(body), body)
}

func (a *attacker) withKey() string { return "X-API-KEY: " + a.key + "\r\n" }

func to(id, token string) string {
	return "E2b-Sandbox-Id: " + id + "\r\nE2b-Sandbox-Port: 49983\r\nX-Access-Token: " + token + "\r\n"
}

// badJSON is a document that no client of good will sends.
func badJSON(rnd *rand.Rand) string {
	values := []string{
		`1e999`, `-9223372036854775809`, `99999999999999999999999999`, `"` + "\xff\xc0\x80" + `"`, `"\ud800"`, `"\u0000"`, `null`, `[]`, `{}`, `true`, `""`, `{"a":[{}]}`,
		strings.Repeat("[", 20000) + strings.Repeat("]", 20000), strings.Repeat(`{"a":`, 12000), `"` + strings.Repeat("x", rnd.IntN(200_000)) + `"`,
	}
	keys := []string{
		"templateID", "timeout", "metadata", "envVars", "network", "autoPause", "autoResume", "name", "steps", "fromImage", "count", "duration", "memory", "tags",
		"process", "path", "cmd", "source", "depth", "pid", "input", "signal", "pty", "event", "__proto__", "",
	}
	var fields []string
	for range 1 + rnd.IntN(5) {
		fields = append(fields, fmt.Sprintf("%q:%s", pick(rnd, keys...), pick(rnd, values...)))
	}
	text := "{" + strings.Join(fields, ",") + "}"
	switch rnd.IntN(4) {
	case 0: // cut off
		return text[:rnd.IntN(len(text))]
	case 1: // bits that have changed
		b := []byte(text)
		for range 1 + rnd.IntN(8) {
			b[rnd.IntN(len(b))] ^= byte(1 << rnd.IntN(8))
		}
		return string(b)
	}
	return text
}

func (a *attacker) fuzzedCall(rnd *rand.Rand) string {
	id := pick(rnd, a.own.ID, a.victim.ID, a.dead, "nosuch")
	paths := []string{
		"POST /v2/sandboxes/" + id + "/connect", "POST /sandboxes/" + id + "/timeout", "POST /sandboxes/" + id + "/refreshes",
		"GET /sandboxes/" + id + "/metrics?start=" + query(badJSON(rnd)[:1]), "GET /sandboxes/" + id + "/logs?limit=-1&start=x",
		"GET /v2/sandboxes?metadata=" + query(fmt.Sprint(rnd.Uint64(), "%zz&=")), "GET /v2/sandboxes?limit=99999999999999999999&nextToken=%ff",
		"POST /v3/templates", "POST /v2/templates/x/builds/y", "GET /templates/x/builds/y/status?logsOffset=-1", "GET /templates/aliases/%00",
		"POST /sandboxes/nosuch/fork", "POST /sandboxes/" + a.victim.ID + "/pause", "POST /sandboxes/" + a.victim.ID + "/snapshots",
		"DELETE /sandboxes/" + a.victim.ID, "PUT /sandboxes/" + id + "/network", "PATCH /v2/templates/x", "POST /volumes", "GET /snapshots?limit=1e9",
	}
	body := badJSON(rnd)
	if rnd.IntN(4) == 0 { // what names no template creates nothing
		return request(pick(rnd, "POST /sandboxes", "POST /v2/sandboxes"), a.withKey(), strings.ReplaceAll(body, "templateID", "template"))
	}
	return request(pick(rnd, paths...), a.withKey(), body)
}

func (a *attacker) fuzzedRPC(rnd *rand.Rand) string {
	method := pick(rnd, "process.Process/List", "process.Process/Start", "process.Process/Connect", "process.Process/Update", "process.Process/StreamInput",
		"process.Process/SendInput", "process.Process/SendSignal", "process.Process/CloseStdin", "filesystem.Filesystem/Stat", "filesystem.Filesystem/MakeDir",
		"filesystem.Filesystem/ListDir", "filesystem.Filesystem/WatchDir", "filesystem.Filesystem/CreateWatcher", "process.Process/NoSuch")
	body := badJSON(rnd)
	codec := pick(rnd, "application/json", "application/connect+json", "application/proto", "application/connect+proto", "application/grpc", "text/plain")
	if strings.HasPrefix(codec, "application/connect") {
		length := pick(rnd, uint32(len(body)), 0, 1, 1<<31, 0xffffffff, uint32(len(body)+1))
		body = string(binary.BigEndian.AppendUint32([]byte{pick(rnd, byte(0), 0, 1, 2, 0xff)}, length)) + body
	}
	return request("POST /"+method, to(a.own.ID, a.own.Token)+"Content-Type: "+codec+"\r\nConnect-Protocol-Version: 1\r\n"+
		"Connect-Timeout-Ms: "+pick(rnd, "1", "500", "1000")+"\r\n", body)
}

func (a *attacker) theft(rnd *rand.Rand) string {
	token := pick(rnd, a.own.Token, a.key, "", strings.Repeat("0", 32), a.victim.Token[:31], a.victim.ID)
	line := pick(rnd, "GET /files?path=/tmp/canary", "GET /envs", "POST /process.Process/List", "POST /init", "GET /metrics", "GET /quixand/v1/status", "GET /quixand/v1/archive?path=/tmp")
	key := pick(rnd, a.key, "", "e2b_"+strings.Repeat("0", 40), a.key[:43], a.key+"0", a.victim.Token, strings.ToUpper(a.key))
	calls := []string{
		"GET /sandboxes/" + a.victim.ID, "DELETE /sandboxes/" + a.victim.ID, "POST /sandboxes/" + a.victim.ID + "/connect",
		"GET /sandboxes/" + a.victim.ID + "/logs", "GET /quixand/v1/sandboxes/" + a.victim.ID, "GET /quixand/v1/sandboxes", "GET /v2/sandboxes",
	}
	if rnd.IntN(2) == 0 {
		return request(pick(rnd, calls...), "X-API-KEY: "+key+"\r\n", "")
	}
	return request(line, to(a.victim.ID, token), "{}")
}

func (a *attacker) link(rnd *rand.Rand) string {
	expires := fmt.Sprint(time.Now().Unix() + pick(rnd, int64(-3600), -1, 3600, 1<<40))
	token := pick(rnd, a.own.Token, "", "wrong")
	path := pick(rnd, "/tmp/canary", "../../tmp/canary", "/tmp/%00canary", strings.Repeat("/a", 3000))
	signature := pick(rnd, access.Sign(path, "read", "", token, expires), access.Sign(path, "write", "", token, ""), "v1_", "", strings.Repeat("x", 9000))
	line := "GET /files?path=" + query(path) + "&signature=" + query(signature) + "&signature_expiration=" + pick(rnd, expires, "", "x", "1e9")
	return request(line, pick(rnd, "", "E2b-Sandbox-Id: "+a.victim.ID+"\r\nE2b-Sandbox-Port: 49983\r\n"), "")
}

func (a *attacker) trickyPath(rnd *rand.Rand) string {
	v := a.victim.ID
	id := pick(rnd, "..", "%2e%2e", "%00", v+"%00", "ü", "%c3%bc", v+":49983", "/"+v, "//"+v, v[:6], strings.ToUpper(v), strings.Repeat("a", 5000), v+"/", v+"/../"+a.own.ID,
		a.own.ID+"/..%2f"+v, "%2e%2e%2f"+v, "*", "'", "%25", v+";"+a.own.ID)
	path := pick(rnd, "../../../proc/1/environ", "/proc/1/root/etc/shadow", "%2e%2e/%2e%2e/etc/passwd", "/tmp/%00", strings.Repeat("../", 2000), "~root/x", "/dev/zero/x", "//tmp//canary", "ü/\u202e")
	switch rnd.IntN(4) {
	case 0:
		return request(pick(rnd, "GET", "DELETE", "POST")+" /sandboxes/"+id+pick(rnd, "", "/logs", "/timeout", "/../../init"), a.withKey(), "")
	case 1:
		return request("GET /health", "E2b-Sandbox-Id: "+id+"\r\nE2b-Sandbox-Port: "+pick(rnd, "49983", "0", "-1", "65536", "49983 ", "0x50", "４９９８３")+"\r\n", "")
	case 2:
		return request(pick(rnd, "GET", "POST")+" /files?path="+strings.ReplaceAll(query(path), "%25", "%"), to(a.own.ID, a.own.Token), "x")
	}
	return request("POST "+pick(rnd, "//init", "/%69nit", "/files/../init", "/./init", "/process.Process/../init", "/quixand/v1/%65xpire", "/\\init"), to(a.own.ID, a.own.Token), "{}")
}

func (a *attacker) trickyHost(rnd *rand.Rand) string {
	v := a.victim.ID
	host := pick(rnd, "49983-"+v+".localhost", "49983-"+v+"-"+a.own.ID+".x", "49983-"+v, "localhost", "127.0.0.1:1", "49983-"+v+".localhost:99999", "[::1]:80", "-", "0-"+v+".x",
		"49983-"+v+"..x", "049983-"+v+".x", "49983-"+strings.ToUpper(v)+".x", strings.Repeat("a", 3000)+".x", "49983-"+a.own.ID+".x")
	target := pick(rnd, "/files?path=/tmp/canary", "/envs", "/", "http://49983-"+v+".x/files?path=/tmp/canary", "http://localhost/sandboxes/"+v, "http://"+v+"/envs", "*", "49983-"+v+".x:80")
	method := pick(rnd, "GET", "POST", "OPTIONS", "CONNECT", "HEAD")
	headers := pick(rnd, to(a.own.ID, a.own.Token), to(v, a.own.Token), "", "X-Access-Token: "+a.own.Token+"\r\n")
	headers += pick(rnd, "", "X-Forwarded-Host: 49983-"+v+".x\r\n", "E2b-Sandbox-Id: "+v+"\r\n", "Connection: X-Access-Token\r\n", a.withKey())
	return strings.Replace(request(method+" "+target, headers, ""), "Host: x", "Host: "+host, 1)
}

// smuggling hides a second request, or a header, in what a server could read in
// two ways.
func (a *attacker) smuggling(rnd *rand.Rand) string {
	hidden := request(pick(rnd, "GET /sandboxes/"+a.victim.ID, "GET /files?path=/tmp/canary"), a.withKey()+to(a.victim.ID, a.own.Token), "")
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)
	headers := pick(rnd, to(a.own.ID, a.own.Token), a.withKey(), "E2b-Sandbox-Id: "+a.own.ID+"\r\nE2b-Sandbox-Port: 8000\r\n")
	line := pick(rnd, "POST /envs", "POST /files?path=/tmp/x", "GET /", "POST /v2/sandboxes")
	framing := pick(
		rnd,
		"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"+chunked,
		"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"+hidden,
		"Content-Length: 0\r\nContent-Length: 5\r\n\r\n"+hidden,
		"Content-Length: 0, 5\r\n\r\n"+hidden,
		"Content-Length: +5\r\n\r\n"+hidden,
		"Transfer-Encoding: xchunked\r\n\r\n"+chunked,
		"Transfer-Encoding: chunked, identity\r\n\r\n"+chunked,
		"Transfer-Encoding : chunked\r\n\r\n"+chunked,
		"Transfer-Encoding:\r\n chunked\r\n\r\n"+chunked,
		"X: y\r\n folded\r\nContent-Length: 0\r\n\r\n"+hidden,
		"X: y\nE2b-Sandbox-Id: "+a.victim.ID+"\nContent-Length: 0\n\n"+hidden,
		"X: y\rE2b-Sandbox-Id: "+a.victim.ID+"\r\nContent-Length: 0\r\n\r\n"+hidden,
		"Transfer-Encoding: chunked\r\n\r\n5;a=\n"+"xxxxx\r\n0\r\n\r\n"+hidden,
		"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n"+hidden,
		"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 5\r\n\r\nhello"+hidden,
		"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"+hidden,
	)
	return line + " HTTP/1.1\r\nHost: x\r\n" + headers + framing
}

func (a *attacker) tooMuch(rnd *rand.Rand) string {
	switch rnd.IntN(3) {
	case 0:
		return request("POST /v2/sandboxes", a.withKey(), strings.Repeat(pick(rnd, "[", " ", `{"a":`), 2<<20))
	case 1:
		return request("GET /v2/sandboxes", a.withKey()+"X: "+strings.Repeat("x", 100<<10)+"\r\n", "")
	}
	return request("GET /v2/sandboxes?metadata="+strings.Repeat("a%253Db%26", 3000), a.withKey(), "")
}

func (a *attacker) noise(rnd *rand.Rand) string {
	b := []byte(request("POST /v2/sandboxes/"+a.victim.ID+"/connect", a.withKey(), "{}"))
	for range 1 + rnd.IntN(20) {
		b[rnd.IntN(len(b))] = byte(rnd.Uint32())
	}
	return string(b[:1+rnd.IntN(len(b))])
}

// slow stops in the middle, as who holds connections does on purpose.
func (a *attacker) slow(rnd *rand.Rand) string {
	headers := pick(rnd, "", a.withKey(), to(a.victim.ID, a.own.Token), to(a.dead, a.own.Token))
	whole := strings.Replace(request("POST /v2/sandboxes", headers, strings.Repeat("x", 1000)), "Connection: close\r\n", "", 1)
	return whole[:len(whole)-1-rnd.IntN(len(whole)-1)]
}
