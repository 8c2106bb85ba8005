"""A real S3 server on loopback for tests of the program (docs/decisions/0006-s3-test-server.md), with one bucket."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUCKET = "firn-test"
ACCESS, SECRET = "firn-test-key", "firn-test-secret"
DEADLINE_S = 20


def program():
    if "FIRN_S3_SERVER" in os.environ:
        return Path(os.environ["FIRN_S3_SERVER"])
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "firn-tools" / "bin" / "versitygw"


class S3Server:
    def __init__(self, certificate=None):
        """`certificate`: for TLS, its file and that of its key."""
        self.certificate = certificate
        if not program().exists():
            sys.exit(f"the S3 server {program()} is missing: run scripts/s3-server")
        self.folder = Path(tempfile.mkdtemp(prefix="firn-s3-"))
        self.bucket = self.folder / BUCKET
        self.bucket.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None
        self.start()

    def start(self):
        command = [program(), "--quiet", "--keep-alive", "--access", ACCESS, "--secret", SECRET,  # as S3 does
                   "--port", f"127.0.0.1:{self.port}"]
        if self.certificate:
            command += ["--cert", self.certificate[0], "--key", self.certificate[1]]
        command += ["posix", self.folder]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the S3 server does not start")
                time.sleep(0.02)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **more):
        """A process's environment that leads to this server, and to no credentials but its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FIRN_PASS"))}
        return {**kept, "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null", **more}

    def url(self, prefix):
        return f"s3://{BUCKET}/{prefix}"
