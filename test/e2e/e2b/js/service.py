# A service with all ways of answering that have given proxies trouble.
import base64, hashlib, http.server, socketserver, sys, threading, time

go_on = threading.Event()


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        getattr(self, "serve_" + self.path.split("?")[0].strip("/"), self.serve_hello)()

    def do_POST(self):
        length = self.headers.get("Content-Length")
        self.answer(self.rfile.read(int(length)) if length else self.chunks())

    def chunks(self):
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def answer(self, body, **headers):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def serve_hello(self):
        self.answer(("hello from " + self.path).encode())

    def serve_headers(self):
        self.answer(str(self.headers).encode(), X_Answer="told")

    def serve_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        go_on.wait()
        self.wfile.write(b"data: two\n\n")
        self.close_connection = True

    def serve_go(self):
        go_on.set()
        self.answer(b"gone on")

    def serve_later(self):
        time.sleep(3)
        self.answer(b"at last")

    def serve_much(self):
        self.answer(bytes(32 << 20))

    def serve_breaks(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"not so many")
        self.close_connection = True

    def serve_socket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while head := self.rfile.read(2):  # short frames alone; a close is echoed, too
            length, mask = head[1] & 127, self.rfile.read(4)
            text = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(length)))
            self.wfile.write(bytes([head[0], length]) + text)
            if head[0] & 15 == 8:
                return

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


server = Server((sys.argv[1], int(sys.argv[2])), Service)
print("listening", flush=True)
server.serve_forever()
