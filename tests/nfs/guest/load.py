"""Work that goes on while the server dies and comes back. What a call has acknowledged is told to the host: it must be there ever after."""
import os
import random
import threading
import time
import zlib

from disk import MOUNT, forget

LEAST_AWAY_S = 0.1  # while it dies and starts


class Ledger:
    """What the host is told, by several workers."""

    def __init__(self, host, seed, seconds):
        self.host, self.seed = host, seed
        self.end = time.monotonic() + seconds
        self.lock = threading.Lock()
        self.failures = []

    def tell(self, **what):
        with self.lock:
            self.host.tell(**what)

    def more(self):
        return time.monotonic() < self.end and not self.failures


def once(call, done):
    """`call`, of which the server may have died after it was carried out and before that was answered: the client asks again, and hears that
    there is nothing to do it to. So it was done, if it took as long as a server takes to come back, and `done` says so."""
    begun = time.monotonic()
    try:
        call()
    except FileNotFoundError:
        if time.monotonic() - begun < LEAST_AWAY_S or not done():
            raise


def make_files(ledger, worker):
    """Files that are written, synced, renamed, and in part removed."""
    source = random.Random(ledger.seed * 10 + worker)
    folder = f"{MOUNT}/files{worker}"
    os.mkdir(folder)
    index = 0
    while ledger.more():
        data = source.randbytes(source.choice([10, 3000, 20_000, 200_000]))
        name = f"files{worker}/{index}"
        with open(f"{folder}/new", "wb", buffering=0) as file:
            file.write(data)
            if source.random() < 0.5:
                os.fsync(file.fileno())
        once(lambda: os.rename(f"{folder}/new", f"{MOUNT}/{name}"), lambda: os.path.exists(f"{MOUNT}/{name}"))
        ledger.tell(file=name, size=len(data), crc=zlib.crc32(data))
        if index % 7 == 6:
            gone = f"files{worker}/{index - 3}"
            once(lambda: os.unlink(f"{MOUNT}/{gone}"), lambda: True)
            ledger.tell(removed=gone)
        index += 1


def grow_file(ledger, worker):
    """One file that grows, with an fsync now and then, and pages that are written again."""
    source = random.Random(ledger.seed * 10 + worker)
    name = f"growing{worker}"
    content = bytearray()
    with open(f"{MOUNT}/{name}", "wb", buffering=0) as file:
        while ledger.more() and len(content) < 24 << 20:
            at = source.randrange(len(content) + 1) if source.random() < 0.3 else len(content)
            data = source.randbytes(source.randrange(1, 300_000))
            os.pwrite(file.fileno(), data, at)
            content[at:at + len(data)] = data
            if source.random() < 0.3:
                os.fsync(file.fileno())
                ledger.tell(synced=name, size=len(content))
    ledger.tell(file=name, size=len(content), crc=zlib.crc32(content))  # close has acknowledged all of it


def work(host, seed, seconds):
    ledger = Ledger(host, seed, seconds)

    def guarded(task, worker):
        try:
            task(ledger, worker)
        except Exception as error:  # told below, by the step itself
            ledger.failures.append(error)

    tasks = [(make_files, 1), (make_files, 2), (grow_file, 3)]
    threads = [threading.Thread(target=guarded, args=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if ledger.failures:
        raise ledger.failures[0]


def check(_, files):
    forget()
    for name, (size, crc) in files.items():
        with open(f"{MOUNT}/{name}", "rb") as file:
            content = file.read()
        assert (len(content), zlib.crc32(content)) == (size, crc), name


STEPS = {step.__name__: step for step in (work, check)}
