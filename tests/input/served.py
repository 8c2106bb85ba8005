"""A volume served over TCP, and ways to ask it."""
import json
import re
import select
import signal
import socket
import subprocess

from firn_cli import DEADLINE_S, FIRN, FirnTest


def listing(path):
    return "/v1/ls" + path


def attributes(path):
    return "/v1/meta" + path


class Reply:
    def __init__(self, text):
        head, _, self.body = text.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if lines[0].startswith("HTTP/1.1 ") else 0
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}

    def json(self):
        return json.loads(self.body)


class ServedTest(FirnTest):
    def setUp(self):
        super().setUp()
        self.daemons = []

    def tearDown(self):
        for daemon in list(self.daemons):
            self.stop(daemon)
        super().tearDown()

    def settings(self, **values):
        """Adds to [http] of firn.toml."""
        file = self.volume / "firn.toml"
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        text = file.read_text()
        file.write_text(text.replace("[http]\n", "[http]\n" + lines, 1))

    def serve(self, *addresses, ipv6=False):
        """Starts the daemon; its port is what the log says of the first address."""
        options = [word for address in addresses or ("127.0.0.1:0",) for word in ("--http", address)]
        log = open(self.folder / "daemon.log", "w+", encoding="utf-8")
        daemon = subprocess.Popen([FIRN, "serve", self.volume, *options], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=log, text=True)
        daemon.log = log
        self.daemons.append(daemon)
        ready, _, _ = select.select([daemon.stdout], [], [], DEADLINE_S)
        self.assertTrue(ready and daemon.stdout.readline().startswith("serving"), self.said(daemon))
        self.port = int(re.search(r"serving https?://\S+:(\d+)", self.said(daemon)).group(1))
        return daemon

    def refuse_to_serve(self, *options, words):
        """The last line says why; those before it are the log."""
        done = self.firn("serve", self.volume, *options)
        lines = done.stderr.splitlines(keepends=True)
        done.stderr = lines[-1] if lines else ""
        self.assert_refused(done, *words)

    def said(self, daemon):
        daemon.log.seek(0)
        return daemon.log.read()

    def stop(self, daemon):
        if daemon.poll() is None:
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
                self.fail("the daemon did not stop")
        daemon.stdout.close()
        daemon.log.close()
        self.daemons.remove(daemon)

    def token(self, *options):
        return self.succeed("token", "create", self.volume, *options).strip()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    @staticmethod
    def receive(connection):
        """Everything until the server closes."""
        text = b""
        try:
            while part := connection.recv(65536):
                text += part
        except ConnectionResetError:
            pass
        return text

    def raw(self, text):
        """Sends bytes, and what comes back until the server closes."""
        with self.connect() as connection:
            connection.sendall(text.encode("latin-1") if isinstance(text, str) else text)
            connection.shutdown(socket.SHUT_WR)
            return self.receive(connection)

    def ask(self, method, target, body=b"", token=None, **headers):
        lines = {"Host": "localhost", "Connection": "close", "Content-Length": len(body)}
        if token:
            lines["Authorization"] = "Bearer " + token
        lines.update({name.replace("_", "-"): value for name, value in headers.items()})
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v is not None)
        return Reply(self.raw(head.encode() + b"\r\n" + body))

    def certificates(self, host="127.0.0.1"):
        """A new authority and a certificate of it: the files (ca, certificate, key)."""
        names = [self.folder / name for name in ("ca.pem", "ca.key", "server.pem", "server.key", "server.csr", "ext")]
        ca, ca_key, certificate, key, request, extension = names
        extension.write_text(f"subjectAltName=IP:{host},DNS:localhost\n")
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        for command in (
                ["req", "-x509", *new_key, "-keyout", ca_key, "-out", ca, "-days", "2", "-subj", "/CN=test authority"],
                ["req", *new_key, "-keyout", key, "-out", request, "-subj", "/CN=firn"],
                ["x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-out", certificate,
                 "-days", "2", "-extfile", extension]):
            made = self.run_program("openssl", *command)
            self.assertEqual(made.returncode, 0, made.stderr)
        key.chmod(0o600)
        return ca, certificate, key

    def serve_tls(self):
        ca, certificate, key = self.certificates()
        self.settings(tls_certificate=str(certificate), tls_key=str(key))
        self.serve()
        return ca

    def curl(self, *options):
        return self.run_program("curl", "-sS", "--max-time", DEADLINE_S, *options)
