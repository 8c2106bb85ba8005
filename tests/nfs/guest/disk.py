"""Mounting, and what the client's own memory must not hide."""
import hashlib
import os
import subprocess

MOUNT = "/mnt"
BLOCK = 1 << 20


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def mount(_, port, path="/", options=""):
    more = "," + options if options else ""
    run("mount.nfs", f"10.0.2.2:{path}", MOUNT, "-o", f"vers=3,tcp,port={port},mountport={port},nolock{more}")


def unmount(_):
    run("umount", MOUNT)


def detach(_):
    """Whatever the server does."""
    if os.path.ismount(MOUNT):
        run("umount", "-f", "-l", MOUNT)


def forget(_=None):
    """What is not dirty leaves the client's memory."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


def memory(_):
    """Bytes of memory in the machine."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) << 10


def block(index):
    """So that no block is like another, and what it is made of is cheap."""
    return hashlib.sha256(index.to_bytes(8, "big")).digest() * (BLOCK // 32)


def larger_than_memory(_, megabytes):
    path = f"{MOUNT}/large"
    with open(path, "wb", buffering=0) as file:
        for index in range(megabytes):
            assert file.write(block(index)) == BLOCK
        os.fsync(file.fileno())
    assert os.stat(path).st_size == megabytes * BLOCK
    with open(path, "rb", buffering=0) as file:
        for index in range(megabytes):
            assert file.read(BLOCK) == block(index), f"block {index} differs"
    os.unlink(path)


def space(_):
    found = os.statvfs(MOUNT)
    assert found.f_blocks >= found.f_bfree >= found.f_bavail > 0 and found.f_namemax == 255, found
    assert found.f_files >= found.f_ffree > 0, found
    return {"total": found.f_blocks * found.f_frsize}


STEPS = {step.__name__: step for step in (mount, unmount, detach, forget, memory, larger_than_memory, space)}
