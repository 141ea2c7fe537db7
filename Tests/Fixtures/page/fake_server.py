"""A server that answers as it is told: the API that the page uses, with scripted answers."""

import base64
import http.server
import json
import queue
import secrets
import select
import socket
import threading
import time

POLICY = ("default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; connect-src 'self'; "
          "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
# Not of the policy that is asked for: proof that no text becomes HTML anywhere.
TRUSTED_TYPES = "; require-trusted-types-for 'script'; trusted-types 'none'"


class Gate:
    """A place in an answer where it waits until the test lets it go on."""

    def __init__(self):
        self.released = threading.Event()

    def release(self):
        """Lets the answer go on."""
        self.released.set()


class Status:
    """An answer that is an error."""

    def __init__(self, status, message, **headers):
        self.status, self.headers = status, headers
        self.body = json.dumps({"error": {"message": message}}).encode()


def chunk(finish=None, **delta):
    """A chunk of an answer as OpenAI's API has it."""
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "nano",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def usage(prompt, completion, cached=0):
    """The chunk that says how many tokens there were."""
    return {"choices": [], "usage": {
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": prompt + completion, "prompt_tokens_details": {"cached_tokens": cached}}}


def answer(*pieces, finish="stop", tokens=None):
    """An answer in pieces; gates among them stay what they are."""
    steps = [chunk(role="assistant", content="")]
    steps += [chunk(content=piece) if isinstance(piece, str) else piece for piece in pieces]
    return [*steps, chunk(finish), usage(20, tokens or len(pieces), 12), "[DONE]"]


def bit_map(experts, count):
    """Experts as base64 of bits."""
    data = bytearray((count + 7) // 8)
    for expert in experts:
        data[expert // 8] |= 1 << expert % 8
    return base64.b64encode(data).decode()


class FakeServer(http.server.ThreadingHTTPServer):
    """Serves the page and what it asks for, on a free port of this machine."""

    daemon_threads = True

    def __init__(self, page):
        super().__init__(("127.0.0.1", 0), Handler)
        self.page = page
        self.policy_tail = ""
        self.key = None
        # Statuses that /health has first; then it is 200.
        self.health = []
        self.models = {"object": "list", "data": [{"id": "nano-moe", "object": "model"}]}
        self.plan = None
        # Events of /v1/experts/live, for every client from the first; "cut" breaks off. None: there
        # is no such path.
        self.live = []
        self.answers = queue.Queue()
        self.requests = []
        # Set when a client leaves in the middle of an answer.
        self.client_left = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self):
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def chats(self):
        """The bodies of requests for answers."""
        return [body for path, _, body in list(self.requests) if path == "/v1/chat/completions"]

    def handle_error(self, request, client_address):
        """A client that leaves is no error here."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Says nothing."""

    def do_GET(self):
        """The page, and all that is only read."""
        server = self.server
        server.requests.append((self.path, dict(self.headers), None))
        if self.path == "/":
            return self.send_page()
        if self.path == "/health":
            status = server.health.pop(0) if server.health else 200
            message = {"error": {"message": "The model is loading: 3 of 16 layers."}}
            return self.send_json(status, {"status": "ok"} if status == 200 else message)
        if not self.is_allowed():
            return None
        if self.path == "/v1/models":
            return self.send_json(200, server.models)
        if self.path == "/v1/plan" and server.plan:
            return self.send_json(200, server.plan)
        if self.path == "/v1/experts/live" and server.live is not None:
            return self.send_live()
        return self.send_json(404, {"error": {"message": "There is no such path."}})

    def do_POST(self):
        """An answer, by the next script."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        if not self.is_allowed():
            return
        script = self.server.answers.get(timeout=10)
        if isinstance(script, Status):
            self.send_body(script.status, "application/json", script.body, script.headers)
            return
        self.begin_events()
        for step in script:
            if isinstance(step, Gate):
                if not self.wait(step):
                    self.server.client_left.set()
                    return
            elif step == "cut":
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            elif isinstance(step, bytes):
                self.send_chunk(step)
            else:
                text = step if isinstance(step, str) else json.dumps(step)
                self.send_chunk(f"data: {text}\n\n".encode())
        self.send_chunk(b"")

    def is_allowed(self):
        """Whether the key is right; else the client has its answer."""
        key = self.server.key
        if key is None or self.headers.get("Authorization") == f"Bearer {key}":
            return True
        self.send_json(401, {"error": {"message": "A key is wanted."}})
        return False

    def has_left(self):
        """Whether the client has closed the connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

    def wait(self, gate):
        """Waits for a gate; False where the client leaves before it opens."""
        while not gate.released.wait(0.01):
            if self.has_left():
                return False
        return True

    def send_live(self):
        """Events as they are added, until the client leaves."""
        self.begin_events()
        sent_count = 0
        while not self.has_left():
            for event in self.server.live[sent_count:]:
                if event == "cut":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_chunk(f"data: {json.dumps(event)}\n\n".encode())
                sent_count += 1
            time.sleep(0.01)

    def begin_events(self):
        """The head of a stream."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_chunk(self, data):
        """A piece of a stream; an empty one ends it."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def send_page(self):
        """The page with a fresh nonce, under the policy."""
        nonce = secrets.token_urlsafe(16)
        with open(self.server.page, encoding="utf-8") as file:
            text = file.read().replace("{{NONCE}}", nonce)
        policy = POLICY.format(nonce) + self.server.policy_tail
        self.send_body(200, "text/html; charset=utf-8", text.encode(),
                       {"Content-Security-Policy": policy})

    def send_json(self, status, value):
        """A body that is JSON."""
        self.send_body(status, "application/json", json.dumps(value).encode(), {})

    def send_body(self, status, kind, data, headers):
        """A whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
