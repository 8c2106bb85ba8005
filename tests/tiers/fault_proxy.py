"""An HTTP proxy in front of the S3 server that can be told what to do wrong."""
import contextlib
import datetime
import email.utils
import hashlib
import hmac
import http.client
import http.server
import re
import socket
import struct
import threading
import time

from s3_server import ACCESS, SECRET

HANG_S = 90  # longer than any client waits
LATE_S = 1
SKEW_S = 15 * 60  # what S3 servers bear
REFUSALS = {  # what happens: status, code, message
    "unavailable": (503, "ServiceUnavailable", "Please try again"),
    "internal": (500, "InternalError", "We encountered an internal error. Please try again."),
    "slow_down": (503, "SlowDown", "Please reduce your request rate"),
    "too_many": (429, "TooManyRequests", "Please reduce your request rate"),
    "expired": (400, "ExpiredToken", "The provided token has expired"),
    "skewed": (403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large"),
}
# Of a request that the server never sees, of one whose answer is lost or broken, and of one that lies.
WITHOUT = ("unavailable", "internal", "slow_down", "too_many", "reset")
BROKEN = ("answer_lost", "cut_off", "reset_midway")


def no_fault(method, path):
    return None


class FaultProxy:
    """What happens to each request is what `choose(method, path)` of inject() says, called under a lock: None, or

    a name of REFUSALS
    reset          the connection is reset, and the server not asked
    hang           no answer, for as long as anybody waits
    answer_lost    the server does it, and the connection is reset
    swallowed      the server does it, and there is no answer, for as long as anybody waits
    late           the connection is closed, and the server does it a second later
    cut_off        the answer ends in the middle of its body
    reset_midway   the same, by a reset
    shortened      half of the body, as if that were all
    corrupted      a bit of the body of a GET is another
    put_corrupted  a bit of the body of a PUT is another
    forgotten      a PUT is answered with 200, and the server not asked
    unconditional  the server does it as if there were no If-None-Match
    """

    def __init__(self, upstream_port):
        self.upstream_port = upstream_port
        self.choose = no_fault
        self.clock_offset_s = 0  # of the clock by which requests are judged
        self.token = None        # session token that requests need
        self.injected = {}
        self.lock = threading.Lock()  # guards choose and injected
        self.healed = threading.Event()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.heal()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def inject(self, choose):
        with self.lock:
            self.healed.clear()
            self.injected = {}
            self.choose = choose

    def heal(self):
        """Also lets go of what hangs."""
        with self.lock:
            self.choose = no_fault
            self.healed.set()

    def next_fault(self, method, path, headers):
        with self.lock:
            name = self.choose(method, path)
            if name is None and self.token is not None and headers.get("x-amz-security-token") != self.token:
                name = "expired"
            if name is None and self.clock_offset_s and abs(self.now() - signed_at(headers)) > SKEW_S:
                name = "skewed"
            if name is not None:
                self.injected[name] = self.injected.get(name, 0) + 1
            return name

    def now(self):
        return time.time() + self.clock_offset_s


def signed_at(headers):
    stamp = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    return stamp.replace(tzinfo=datetime.timezone.utc).timestamp()


def sign_again(method, path, headers, without=("x-amz-security-token",)):
    """The same request as of now and without a session token, for a server that has its own clock and knows no tokens."""
    _, region, signed = re.search(r"Credential=([^/]+/[^/]+)/([^/]+)/.*SignedHeaders=([^,]+)",
                                  headers["authorization"]).groups()
    names = [name for name in signed.split(";") if name not in without]
    headers = {name: value for name, value in headers.items() if name not in without}
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers["x-amz-date"] = stamp
    lines = [method, path, ""] + [f"{name}:{headers[name]}" for name in names]
    request = "\n".join(lines + ["", ";".join(names), headers["x-amz-content-sha256"]])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in (stamp[:8], region, "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={';'.join(names)}, "
                                f"Signature={key.hex()}")
    return headers


def flipped(body):
    return body[:len(body) // 2] + bytes([body[len(body) // 2] ^ 4]) + body[len(body) // 2 + 1:] if body else body


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # the other side has gone

    def forward(self, body, conditional=True):
        """The server's answer: status, headers, body."""
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "expect"}
        if self.proxy.clock_offset_s or self.proxy.token is not None:
            headers = sign_again(self.command, self.path, headers)
        if not conditional:
            headers = sign_again(self.command, self.path, headers, without=("if-none-match",))
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream_port, timeout=HANG_S)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body if body else None)
            answer = upstream.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RuntimeError(f"the S3 server does not answer: {error!r}") from error  # no fault of ours: told on stderr
        finally:
            upstream.close()

    def answer(self, status, headers, body, sent=None):
        """`sent`: how much of the body goes out; what follows is nothing."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date"):
                self.send_header(name, value)
        self.send_header("date", email.utils.formatdate(self.proxy.now(), usegmt=True))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if sent is None else body[:sent])
        self.wfile.flush()

    def hang_up(self, reset):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def refuse(self, name):
        status, code, message = REFUSALS[name]
        text = f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.answer(status, [("content-type", "application/xml")], text.encode())

    def work(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        name = self.proxy.next_fault(self.command, self.path, self.headers)
        if name in REFUSALS:
            return self.refuse(name)
        if name == "hang":
            self.proxy.healed.wait(HANG_S)
        if name in ("hang", "reset"):
            return self.hang_up(reset=True)
        if name == "forgotten":
            return self.answer(200, [("etag", '"0"')], b"")
        if name == "late":
            with contextlib.suppress(OSError):  # the client has gone already
                self.connection.shutdown(socket.SHUT_RDWR)
            time.sleep(LATE_S)
        status, headers, answer = self.forward(flipped(body) if name == "put_corrupted" else body,
                                               conditional=name != "unconditional")
        if name == "swallowed":
            self.proxy.healed.wait(HANG_S)
        if name in ("answer_lost", "swallowed", "late"):
            return self.hang_up(reset=True)
        if name in ("cut_off", "reset_midway") and answer:
            self.answer(status, headers, answer, sent=len(answer) // 2)
            return self.hang_up(reset=name == "reset_midway")
        if name == "shortened":
            answer = answer[:len(answer) // 2]
        if name == "corrupted" and status < 300:
            answer = flipped(answer)
        return self.answer(status, headers, answer)

    do_GET = do_PUT = do_DELETE = do_HEAD = work
