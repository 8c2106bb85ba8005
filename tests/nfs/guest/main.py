"""Inside the virtual machine: carries out steps that the host asks for, one line of JSON each, and tells how they went."""
import glob
import json
import os
import time
import traceback

import disk
import load
import names
import open_files
import programs

STEPS = {name: step for module in (disk, load, names, open_files, programs) for name, step in module.STEPS.items()}


class Host:
    """The other end of a virtual serial port."""

    def __init__(self):
        deadline = time.monotonic() + 60
        while not glob.glob("/dev/vport*"):
            if time.monotonic() > deadline:
                raise OSError("no serial port to the host")
            time.sleep(0.05)
        self.port = open(glob.glob("/dev/vport*")[0], "r+b", buffering=0)
        self.pending = b""

    def tell(self, **what):
        self.port.write(json.dumps(what).encode() + b"\n")

    def ask(self):
        """The next request; None once the host is gone."""
        while b"\n" not in self.pending:
            piece = self.port.read(4096)
            if not piece:
                return None
            self.pending += piece
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)


def carry_out(host, request):
    started = time.monotonic()
    try:
        found = STEPS[request["step"]](host, **request.get("with", {}))
        host.tell(done=request["step"], found=found, seconds=round(time.monotonic() - started, 2))
    except Exception:  # whatever goes wrong in a step is that step's failure
        host.tell(failed=request["step"], why=traceback.format_exc())


def main():
    os.environ["PATH"] = "/usr/local/bin:/bin:/sbin:/usr/bin:/usr/sbin"
    os.umask(0o022)
    host = Host()
    host.tell(up=os.uname().release)
    while (request := host.ask()) is not None:
        carry_out(host, request)


main()
