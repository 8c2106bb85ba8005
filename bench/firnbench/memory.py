"""Memory that the machine has at hand. A virtual machine gives what is free back to its host after some seconds (free
page reporting), and whoever uses it next waits until it is there again, up to a millisecond for a MiB: that would be
measured with whatever happens to run then."""

import os

PIECE = bytes(1 << 20)
SPARE_BYTES = 2 << 30  # for everybody else


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))


def fill(file, wanted_bytes):
    for _ in range(min(wanted_bytes, available_bytes() - SPARE_BYTES) // len(PIECE)):
        file.write(PIECE)


def touch(folder, wanted_bytes):
    """So much that is free is in the machine afterwards, as far as there is so much; used soon, it is what is used. What
    was free as pages of one size is not what is asked for in another: files of the disk get large ones, those of a FUSE
    mount and in memory single ones. Both are filled, and given back before anything is written."""
    name = folder / "touched"
    with open(name, "wb", buffering=0) as on_disk, open(os.memfd_create("touched"), "wb", buffering=0) as in_memory:
        for file in (on_disk, in_memory):
            fill(file, wanted_bytes)
            file.truncate(0)
    name.unlink()


class Kept:
    """Free memory that stays in the machine until it is wanted: files of the disk get it from release() on."""

    def __init__(self, folder, wanted_bytes):
        self.name = folder / "kept"
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(self.name, "wb", buffering=0)
        fill(self.file, wanted_bytes)
        os.fsync(self.file.fileno())

    def release(self):
        os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.name.unlink()
