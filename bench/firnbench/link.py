"""A network link of a given rate, to a network namespace of its own: what a server is reached over that is not on this machine."""

import os

from .tools import BenchError, run

NETWORK = "198.18.77"  # RFC 2544: for measuring; in the namespace and on this end of the link alone


class Link:
    """Both directions at `mbit` million bits a second. Needs root."""

    def __init__(self, mbit):
        self.mbit = mbit
        self.namespace = f"firn-bench-{os.getpid()}"
        self.device = f"fb{os.getpid()}"
        self.address = f"{NETWORK}.2"

    def __enter__(self):
        if os.geteuid() != 0:
            raise BenchError("a link is made by root only")
        there = ["ip", "netns", "exec", self.namespace]
        run(["ip", "netns", "add", self.namespace])
        try:
            run(["ip", "link", "add", self.device, "type", "veth", "peer", "name", "eth0", "netns", self.namespace])
            run(["ip", "addr", "add", f"{NETWORK}.1/30", "dev", self.device])
            run([*there, "ip", "addr", "add", f"{self.address}/30", "dev", "eth0"])
            self.limit([], self.device)
            self.limit(there, "eth0")
        except BaseException:
            self.__exit__()
            raise
        return self

    def limit(self, there, device):
        burst_kb = max(256, self.mbit // 2)  # what comes between two ticks of the kernel's clock must fit
        run([*there, "ip", "link", "set", device, "up"])
        run([*there, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{self.mbit}mbit", "burst", f"{burst_kb}kb",
             "latency", "20ms"])

    def inside(self, command):
        """The command as it runs at the other end."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def __exit__(self, *_):
        run(["ip", "netns", "del", self.namespace])  # and the link with it
