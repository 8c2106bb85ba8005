"""What stands in front of an S3 server and counts: requests by method, with the bytes of their bodies.

It is nginx, which passes on what it gets as it is: the Host header and the path, which are signed, included. Rates are
measured without it."""

import collections
import time

from .nginx import Nginx
from .tools import BenchError

SITES = """
  log_format count '$request_method $status $content_length $body_bytes_sent';
  client_max_body_size 0;
  ignore_invalid_headers off;
  merge_slashes off;
  upstream store { server {store}; keepalive 64; }
  server {
    listen {address};
    access_log {folder}/requests count;
    location / {
      proxy_pass http://store;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_next_upstream off;
      proxy_read_timeout 600s; proxy_send_timeout 600s;
    }
  }
"""
METHODS = ("PUT", "GET", "HEAD", "POST", "DELETE")
# What firn calls them: its "head" is a GET of one byte (src/object/s3/s3_store.cc).
FIRN_KINDS = {"PUT": ("put",), "GET": ("get", "head"), "DELETE": ("remove",)}
SETTLE_S = 10  # until both have counted what was under way


class Counts(collections.Counter):
    """Of each method: requests, bytes sent, bytes received; keys are (method, what). Refused requests count, too."""

    def requests(self, method=None):
        return sum(number for (of, what), number in self.items() if what == "requests" and method in (None, of))

    def bytes(self, what):
        return sum(number for (_, of), number in self.items() if of == what)

    def text(self):
        """Such as "3 PUT, 5 GET"."""
        return ", ".join(f"{self.requests(method):,} {method}" for method in METHODS if self.requests(method)) or "0"

    def summary(self):
        return {"requests": {method: self.requests(method) for method in METHODS if self.requests(method)},
                "sent_bytes": self.bytes("sent"), "received_bytes": self.bytes("received")}


class Counter:
    """In front of `server`: `url` is what clients are told instead of the server's."""

    def __init__(self, server, folder):
        sites = SITES.replace("{folder}", str(folder)).replace("{store}", server.url.removeprefix("http://"))
        self.nginx, self.log = Nginx(folder, sites), folder / "requests"
        self.read, self.total = 0, Counts()

    def __enter__(self):
        self.nginx.start()
        self.url = f"http://{self.nginx.address}"
        return self

    def __exit__(self, *_):
        self.nginx.stop()

    def counts(self):
        """Since it was started, of requests that were answered."""
        with open(self.log, encoding="ascii") as lines:
            lines.seek(self.read)
            for line in iter(lines.readline, ""):
                if not line.endswith("\n"):
                    break
                self.read += len(line)
                self.add(*line.split())
        return Counts(self.total)

    def add(self, method, status, sent, received):
        self.total[method, "requests"] += 1
        if status.startswith("2"):
            self.total[method, "sent"] += int(sent) if sent != "-" else 0
            self.total[method, "received"] += int(received)

    def since(self, before):
        now = self.counts()
        now.subtract(before)
        return now


class Agreement:
    """Firn's own count of its requests and bytes must be the counter's."""

    def __init__(self, counter, own):
        """`own` returns what firn has counted: of each kind, (requests, bytes)."""
        self.counter, self.own = counter, own
        self.before, self.own_before = self.at_rest()

    def at_rest(self):
        """What both have counted, with nothing under way for a second."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            seen, own = self.counter.counts(), self.own()
            time.sleep(1)
            if self.counter.counts() == seen and self.own() == own:
                return seen, own
            if time.monotonic() > deadline:
                raise BenchError("requests go on without an end")

    def differences(self):
        counted, now = self.counter.since(self.before), self.own()
        heads = now["head"][0] - self.own_before["head"][0]  # each receives a byte, which firn does not count
        for method, kinds in FIRN_KINDS.items():
            requests, bytes_ = (sum(now[kind][part] - self.own_before[kind][part] for kind in kinds) for part in (0, 1))
            seen = counted[method, "sent"] + counted[method, "received"]
            spare = heads if method == "GET" else 0
            if requests != counted.requests(method) or not bytes_ <= seen <= bytes_ + spare:
                yield f"{method}: firn counts {requests} of {bytes_} bytes, the counter {counted.requests(method)} of {seen}"
        if others := counted.requests() - sum(counted.requests(method) for method in FIRN_KINDS):
            yield f"{others} requests of other methods, which firn does not count"

    def check(self):
        """What was counted since; BenchError where they differ."""
        deadline = time.monotonic() + SETTLE_S
        while differences := list(self.differences()):
            if time.monotonic() > deadline:
                raise BenchError("firn's metrics and the counter differ: " + "; ".join(differences))
            time.sleep(0.1)
        return self.counter.since(self.before)
