"""Source trees with everything in them, and what a volume made of them."""
import hashlib
import json
import os
import random
import signal
import socket
import stat
import struct
import subprocess
from pathlib import Path

from firn_cli import FIRN, FirnTest

ACL = "system.posix_acl_access"
DEFAULT_ACL = "system.posix_acl_default"


def acl(*entries):
    """The kernel's representation: (tag, permissions, id) each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


# user::rw-, user:1234:r--, group::r--, mask::r--, other::---
LIST = acl((1, 6, 0xffffffff), (2, 4, 1234), (4, 4, 0xffffffff), (0x10, 4, 0xffffffff), (0x20, 0, 0xffffffff))


def xattrs_of(path):
    return {name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False) if not name.startswith("user.firn.")}


def content_of(path, found):
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    if stat.S_ISLNK(found.st_mode):
        return os.readlink(path)
    return found.st_rdev


def describe(root, times=True):
    """Every entry below `root`, as bytes, to all that is to be kept of it; and which names are one file."""
    root = os.fsencode(str(root))
    entries, files = {}, {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = os.path.join(folder, name)
            found = os.lstat(path)
            below = path[len(root):]
            kept = [stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid,
                    content_of(path, found), xattrs_of(path)]
            if times:
                kept.append(found.st_mtime_ns)
            if not stat.S_ISDIR(found.st_mode):
                kept.append(found.st_size)
                files.setdefault(found.st_ino, set()).add(below)
            entries[below] = kept
    return entries, sorted(sorted(group) for group in files.values() if len(group) > 1)


class MigrateTest(FirnTest):
    def setUp(self):
        super().setUp()
        self.source = self.folder / "source"
        self.source.mkdir()
        self.seed = int(os.environ.get("FIRN_SEED") or random.randrange(1 << 32))
        print(f"{self.id()}: seed {self.seed}", flush=True)
        self.random = random.Random(self.seed)

    # ---- sources ----
    def write(self, name, data, mtime_ns=None):
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else self.random.randbytes(data))
        if mtime_ns is not None:
            os.utime(path, ns=(mtime_ns, mtime_ns))
        return path

    def write_many(self, folders, files):
        """Mostly small, some large, in many folders."""
        for i in range(folders):
            for k in range(files):
                size = self.random.choice([0, 1, 100, 4000, 16384, 16385, 60000])
                self.write(f"d{i % 5}/e{i}/f{k}", size, self.random.randrange(1 << 60))

    def write_everything(self):
        s = self.source
        self.write("empty", b"")
        self.write("small", 1000)
        self.write("edge", 16384)
        self.write("beyond", 16385)
        self.write("large", 5 << 20)
        for name, mode in (("setuid", 0o4755), ("setgid", 0o2755), ("nothing", 0), ("folder/odd", 0o1640)):
            os.chmod(self.write(name, 10), mode)
        os.chown(self.write("owned", 10), 1234, 4321)
        os.chown(self.write("owned-setuid", 10), 1234, 4321)
        os.chmod(s / "owned-setuid", 0o6755)
        for i, name in enumerate((b"\xff\xfe", b"new\nline", b"\x01", "ü€😀".encode(), b"-rf", b" ", b"n" * 255)):
            with open(os.path.join(os.fsencode(str(s)), name), "wb") as file:
                file.write(b"x" * i)
        with open(s / "sparse", "wb") as file:
            file.write(b"a" * 5000)
            file.seek(40 << 20)
            file.write(b"b" * 5000)
            file.truncate(90 << 20)
        with open(s / "hole", "wb") as file:
            file.truncate(8 << 20)
        os.link(s / "large", s / "folder" / "large-too")
        os.link(s / "large", s / "another")
        os.link(s / "small", s / "folder" / "small-too")
        os.symlink("no/where", s / "dangling")
        os.symlink(b"x" * 1000, s / "long-link")
        os.link(s / "dangling", s / "dangling-too", follow_symlinks=False)
        os.lchown(s / "long-link", 7, 8)
        os.mkfifo(s / "fifo", 0o620)
        os.mknod(s / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(s / "disk", 0o660 | stat.S_IFBLK, os.makedev(7, 200))
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(s / "socket"))
        for name in ("empty-folder", "deny", "sticky", "shared"):
            (s / name).mkdir()
        os.chmod(s / "deny", 0o000)
        os.chmod(s / "sticky", 0o1777)
        os.chmod(s / "shared", 0o2775)
        os.chown(s / "shared", 5, 6)
        os.setxattr(s / "small", "user.a", b"\0binary\xff")
        os.setxattr(s / "small", "user.empty", b"")
        os.setxattr(s / "large", "user.big", b"v" * 3000)
        os.setxattr(s / "large", "trusted.t", b"t")
        os.setxattr(s / "folder", "user.f", b"folder")
        os.setxattr(s / "edge", ACL, LIST)
        os.setxattr(s / "large", ACL, LIST)
        os.setxattr(s / "shared", DEFAULT_ACL, LIST)
        self.write("shared/inherits-nothing", 5)
        os.removexattr(s / "shared" / "inherits-nothing", ACL)
        deep = s / "deep"
        for i in range(60):
            deep = deep / f"level-{i:02}-{'x' * 20}"
        deep.mkdir(parents=True)
        (deep / "bottom").write_text("here")
        for ns, name in ((1, "small"), (1_500_000_000_123_456_789, "large"), (-1_000_000_007, "edge"),
                         (4_102_444_800_000_000_001, "fifo"), (987_654_321, "folder"), (5, "deny")):
            os.utime(s / name, ns=(ns, ns))
        os.utime(s / "dangling", ns=(11, 12), follow_symlinks=False)

    # ---- migrating ----
    def migrate(self, *options, sources=None, code=0):
        """The summary of a run."""
        words = [word for source in sources or [self.source] for word in ("--from", source)]
        done = self.firn("migrate", self.volume, *words, "--json", *options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def assert_counts(self, summary, **counts):
        known = ("copied", "linked", "unchanged", "updated", "replaced", "renamed", "skipped", "failed")
        self.assertEqual({name: summary[name] for name in known}, {name: counts.get(name, 0) for name in known})

    def assert_same(self, target=None, source=None):
        target, source = target or self.mount_point / "source", source or self.source
        wanted, groups = describe(source)
        found, found_groups = describe(target)
        self.assertEqual(set(found), set(wanted))
        for name, kept in wanted.items():
            self.assertEqual(found[name], kept, name)
        self.assertEqual(found_groups, groups)

    def start(self, *options):
        return subprocess.Popen([str(word) for word in (FIRN, "migrate", self.volume, "--from", self.source, "--json",
                                                        *options)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def report(self, path):
        return {line["path"]: line for line in map(json.loads, Path(path).read_text().splitlines())}

    def names_in_volume(self):
        """Inode numbers by path, of the mounted volume."""
        root = os.fsencode(str(self.mount_point))
        return {os.path.join(folder, name): os.lstat(os.path.join(folder, name)).st_ino
                for folder, folders, names in os.walk(root) for name in folders + names}


__all__ = ["MigrateTest", "describe", "signal", "FIRN"]
