"""Files that are open while their names change, or that are reached in other ways than by read and write."""
import errno
import fcntl
import mmap
import os
import time

from disk import MOUNT, forget, run

KEPT = {}  # descriptors that stay open from step to step


def read_all(path):
    with open(path, "rb") as file:
        return file.read()


def assert_empty():
    """The client removes what it had only renamed, because it was open, some time after it is closed."""
    end = time.monotonic() + 10
    while (left := os.listdir(MOUNT)) and time.monotonic() < end:
        time.sleep(0.01)
    assert left == [], left


def rename_while_open(_):
    old, new = f"{MOUNT}/old", f"{MOUNT}/new"
    with open(new, "wb") as file:
        file.write(b"what was there")
    with open(old, "wb", buffering=0) as file, open(new, "rb", buffering=0) as replaced:
        file.write(b"before")
        os.rename(old, new)
        file.write(b" and after")
        os.fsync(file.fileno())
        forget()
        assert replaced.read() == b"what was there"
    assert read_all(new) == b"before and after" and not os.path.exists(old)
    os.unlink(new)
    assert_empty()


def unlink_while_open(_):
    path = f"{MOUNT}/gone"
    with open(path, "w+b", buffering=0) as file:
        file.write(b"x" * 100_000)
        os.unlink(path)
        assert not os.path.exists(path)
        assert [name for name in os.listdir(MOUNT) if not name.startswith(".nfs")] == []
        file.write(b"y" * 100_000)
        os.fsync(file.fileno())
        forget()
        assert os.pread(file.fileno(), 300_000, 0) == b"x" * 100_000 + b"y" * 100_000
        with open(path, "wb") as again:
            again.write(b"another of that name")
        assert os.fstat(file.fileno()).st_size == 200_000
    assert read_all(path) == b"another of that name"
    os.unlink(path)
    assert_empty()


def append(_):
    path = f"{MOUNT}/log"
    with open(path, "ab", buffering=0) as one, open(path, "ab", buffering=0) as other:
        for index in range(300):
            (one if index % 2 else other).write(b"%05d\n" % index)
    forget()
    assert read_all(path) == b"".join(b"%05d\n" % index for index in range(300))
    os.unlink(path)


def map_to_memory(_):
    path, size = f"{MOUNT}/mapped", 1 << 20
    with open(path, "w+b") as file:
        file.truncate(size)
        with mmap.mmap(file.fileno(), size) as memory:
            for at in range(0, size, 8192):
                memory[at:at + 8] = at.to_bytes(8, "big")
            memory.flush()
            forget()
            memory[size - 1] = 1
    forget()
    content = read_all(path)
    assert len(content) == size and content[-1] == 1
    assert all(content[at:at + 8] == at.to_bytes(8, "big") for at in range(0, size, 8192))
    os.unlink(path)


def holes_and_ends(_):
    path = f"{MOUNT}/sparse"
    with open(path, "w+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"end", 5 << 20)
        os.pwrite(file.fileno(), b"middle", 3 << 20)
        os.fsync(file.fileno())
        forget()
        assert os.pread(file.fileno(), 100, (3 << 20) - 10) == bytes(10) + b"middle" + bytes(84)
        file.truncate((3 << 20) + 3)
        file.truncate(4 << 20)
        forget()
        assert os.pread(file.fileno(), 10, 3 << 20) == b"mid" + bytes(7)
    assert os.stat(path).st_size == 4 << 20
    os.unlink(path)


def make_exclusively(_):
    path = f"{MOUNT}/exclusive"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
    assert os.stat(path).st_mode & 0o777 == 0o640
    try:
        os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        raise AssertionError("made twice")
    except FileExistsError:
        os.unlink(path)


def lock(_):
    """With nolock, locks are the client's own."""
    path = f"{MOUNT}/locked"
    with open(path, "wb") as one, open(path, "wb") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise AssertionError("locked twice")
        except BlockingIOError:
            pass
    os.unlink(path)


def keep_open(host, name):
    KEPT[name] = os.open(f"{MOUNT}/{name}", os.O_RDWR | os.O_DIRECT)
    return read_kept(host, name)


def read_kept(_, name):
    """What the server says that it holds, or the error's name."""
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        try:
            return memory[:os.preadv(KEPT[name], [memory], 0)].decode()
        except OSError as error:
            return errno.errorcode[error.errno]


def close_kept(_, name):
    os.close(KEPT.pop(name))


def empty(_):
    run("sh", "-c", f"rm -rf {MOUNT}/*")


STEPS = {step.__name__: step for step in (rename_while_open, unlink_while_open, append, map_to_memory, holes_and_ends,
                                          make_exclusively, lock, keep_open, read_kept, close_kept, empty)}
