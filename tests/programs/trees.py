"""Trees with everything a disk may hold, and their comparison."""
import hashlib
import os
import random
import stat
import subprocess
from pathlib import Path

from mounted import expect, run


def make_varied_tree(root, seed, files=400):
    """Files of many sizes, modes, times and names; links, symlinks, a fifo, sparse files, xattrs, ACLs."""
    dice = random.Random(seed)
    root.mkdir()
    folders = [root]
    for i in range(30):
        folder = dice.choice(folders) / f"folder {i}"
        folder.mkdir()
        folders.append(folder)
    for i in range(files):
        path = dice.choice(folders) / dice.choice([f"f{i}", f"umlaut-ä-{i}", f"{i}" + "x" * 200, f"-dash {i}\n"])
        path.write_bytes(dice.randbytes(dice.choice([0, 1, 100, 4095, 4096, 4097, 70000, 300000])))
        path.chmod(dice.choice([0o644, 0o600, 0o755, 0o444, 0o4755, 0o2711]))
        os.utime(path, ns=(dice.randrange(2**60), dice.randrange(2**60)))
        if i % 10 == 0:
            os.link(path, folders[0] / f"link{i}")
        if i % 10 == 1:
            (folders[0] / f"symlink{i}").symlink_to(path)
        if i % 10 == 2:
            os.setxattr(path, "user.colour", dice.randbytes(40))
        if i % 40 == 3:
            subprocess.run(["setfacl", "-m", "u:daemon:r--", str(path)], check=True)
    with open(root / "sparse", "wb") as sparse:
        sparse.truncate(40 << 20)
        sparse.seek(20 << 20)
        sparse.write(b"island" * 1000)
    os.mkfifo(root / "fifo")
    (root / "dangling").symlink_to("nowhere/at all")
    for folder in reversed(folders):
        os.utime(folder, ns=(dice.randrange(2**60), dice.randrange(2**60)))


def describe(path, relative, groups):
    status = path.lstat()
    facts = [stat.filemode(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns]
    if stat.S_ISLNK(status.st_mode):
        return facts + [os.readlink(path)]
    facts.append({name: os.getxattr(path, name) for name in sorted(os.listxattr(path))})
    if stat.S_ISREG(status.st_mode):
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        first = groups.setdefault(status.st_ino, relative)
        facts += [status.st_size, status.st_nlink, digest.hexdigest(), first]
    return facts


def manifest(root):
    """{relative path: facts}. Hard links show as the first name of their group."""
    facts, groups = {}, {}
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(folders + names):
            path = Path(folder) / name
            relative = str(path.relative_to(root))
            facts[relative] = describe(path, relative, groups)
    return facts


def expect_same(expected_root, found_root):
    expected, found = manifest(expected_root), manifest(found_root)
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    expect(not missing and not extra, f"missing {missing[:5]}, extra {extra[:5]}")
    for name, facts in expected.items():
        expect(facts == found[name], f"{name!r} differs: {facts} became {found[name]}")
    return len(expected)


def make_many_files(root, count, per_folder=100):
    root.mkdir()
    for i in range(count):
        folder = root / f"{i // per_folder:04d}"
        if i % per_folder == 0:
            folder.mkdir()
        (folder / f"file{i}").write_bytes(b"z" * (i % 3000))


def allocated_bytes(path):
    return int(run("stat", "-c", "%b", path).stdout) * 512
