"""The S3 client alone, against curl, on a real server on loopback (scripts/s3-server)."""

import hashlib
import json
import os
import socket
import statistics
import subprocess
import time

from .tools import CACHE, REPO, BenchError, run, timed

CONNECTIONS = 4
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-secret", "AWS_EC2_METADATA_DISABLED": "true"}
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of an empty body


def free_address(host="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"{host}:{probe.getsockname()[1]}"


class Server:
    """A server with one bucket, in a folder; at the other end of a link, if there is one."""

    def __init__(self, folder, link=None):
        self.folder, self.link = folder, link
        self.program = CACHE.parent / "firn-tools" / "bin" / "versitygw"

    def __enter__(self):
        if not self.program.exists():
            raise BenchError(f"{self.program} is missing: run scripts/s3-server")
        (self.folder / "objects" / "bucket").mkdir(parents=True)
        address = free_address(self.link.address) if self.link else free_address()
        self.url = f"http://{address}"
        command = [str(self.program), "--quiet", "--keep-alive", "--access", KEYS["AWS_ACCESS_KEY_ID"], "--secret",
                   KEYS["AWS_SECRET_ACCESS_KEY"], "--port", address, "posix", str(self.folder / "objects")]
        self.process = subprocess.Popen(
            self.link.inside(command) if self.link else command,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(address.split(":"), timeout=1).close()
                return self
            except OSError as error:
                if time.monotonic() > deadline:
                    self.__exit__()
                    raise BenchError("the S3 server does not start") from error
                time.sleep(0.05)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        run(["rm", "-r", self.folder])


def curl(digest, arguments):
    """Seconds that curl takes for several transfers at once, signed like ours; a body's digest is given, not computed."""
    return timed(["curl", "-sS", "-f", "-Z", "--parallel-max", CONNECTIONS, "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                  f"{KEYS['AWS_ACCESS_KEY_ID']}:{KEYS['AWS_SECRET_ACCESS_KEY']}", "-H", f"x-amz-content-sha256: {digest}",
                  *arguments])


def bench(figures, _targets, settings):
    program = REPO / "build" / "release" / "bin" / "object_bench"
    if not program.exists():
        raise BenchError("no object_bench: build it (cmake --build --preset release)")
    total_mib = 64 if settings.quick else 2048
    shapes = {"put": 8 if settings.quick else 64, "get": 4}  # MiB of an object: a blob is put, a chunk is got
    rates = {}
    with Server(settings.base / "stores") as server:
        payload = server.folder / "payload"
        content = os.urandom(shapes["put"] << 20)
        payload.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": server.url}

        def firn(kind, mib, prefix):
            line = run([program, kind, f"s3://bucket/{prefix}", "--count", total_mib // mib, "--bytes", mib << 20,
                        "--parallel", CONNECTIONS], env=environment)
            return json.loads(line)["seconds"]

        def names(mib, prefix):
            return [f"{server.url}/bucket/{prefix}/bench/{number}" for number in range(total_mib // mib)]

        firn("put", shapes["get"], "chunks")
        for _ in range(settings.rounds):
            works = {
                ("put", "curl"): curl(digest, [word for name in names(shapes["put"], "raw") for word in ("-T", payload, name)]),
                ("put", "firn"): firn("put", shapes["put"], "blobs"),
                ("get", "curl"): curl(NOTHING, [word for name in names(shapes["get"], "chunks") for word in (name, "-o", "/dev/null")]),
                ("get", "firn"): firn("get", shapes["get"], "chunks"),
            }
            for work, seconds in works.items():
                rates.setdefault(work, []).append(total_mib / seconds)
    figures.stores = {"mib": shapes, "connections": CONNECTIONS,
                      "mib_per_s": {f"{kind}, {who}": statistics.median(values) for (kind, who), values in rates.items()}}


def table(stores):
    lines = [f"| {stores['connections']} requests at once | curl MiB/s | firn MiB/s | firn / curl |",
             "|---|---|---|---|"]
    for kind in ("put", "get"):
        theirs, ours = (stores["mib_per_s"][f"{kind}, {who}"] for who in ("curl", "firn"))
        lines.append(f"| {kind}, {stores['mib'][kind]} MiB each | {theirs:,.0f} | {ours:,.0f} | {ours / theirs:.2f} |")
    return "\n".join(lines)
