"""A small virtual machine with Debian's kernel, whose NFS client reaches servers at this machine's loopback."""
import io
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import vm_image

# Emulated everywhere by default: not every machine that has /dev/kvm can run a guest on it.
ACCELERATOR = os.environ.get("FIRN_VM_ACCELERATOR", "tcg")
MEMORY_MB = 320
PATIENCE_S = 120


class StepFailed(AssertionError):
    pass


class Machine:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="firn-vm-"))
        self.console = self.folder / "console"
        self.lines = queue.Queue()
        self.underway = None  # the step that was begun last
        vm_image.make(self.folder / "initramfs")
        command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-accel", ACCELERATOR, "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MB),
                   "-kernel", vm_image.kernel(), "-initrd", self.folder / "initramfs",
                   "-append", "console=ttyS0 quiet panic=-1 rootfstype=ramfs", "-serial", f"file:{self.console}",
                   "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
                   "-chardev", "stdio,id=host,signal=off", "-device", "virtio-serial-pci",
                   "-device", "virtserialport,chardev=host"]
        self.errors = open(self.folder / "errors", "w+", encoding="utf8")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, bufsize=0)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.kernel = self.next_line()["up"]

    def read(self):
        with io.BufferedReader(self.process.stdout) as lines:
            for line in lines:
                self.lines.put(json.loads(line))
        self.lines.put(None)

    def next_line(self, patience_s=PATIENCE_S):
        try:
            line = self.lines.get(timeout=patience_s)
        except queue.Empty:
            line = None
        if line is None:
            self.errors.seek(0)
            raise StepFailed(f"the machine says nothing\n{self.errors.read()}\n{self.last_words()}")
        return line

    def last_words(self):
        return self.console.read_text(errors="replace")[-3000:] if self.console.exists() else ""

    def begin(self, step, **arguments):
        self.underway = step
        self.process.stdin.write(json.dumps({"step": step, "with": arguments}).encode() + b"\n")

    def end(self, on_line=None, patience_s=PATIENCE_S):
        """What the step that was begun has found; `on_line` is given what it tells meanwhile. The end of one that a test
        gave up before is passed over."""
        deadline = time.monotonic() + patience_s
        while True:
            line = self.next_line(max(deadline - time.monotonic(), 0.1))
            if line.get("failed") == self.underway:
                raise StepFailed(f"{line['failed']}: {line['why']}\n{self.last_words()}")
            if line.get("done") == self.underway:
                print(f"  {line['done']}: {line['seconds']} s", flush=True)
                return line["found"]
            if on_line and "failed" not in line and "done" not in line:
                on_line(line)

    def step(self, step, **arguments):
        self.begin(step, **arguments)
        return self.end()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.errors.close()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()
