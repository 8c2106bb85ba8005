"""tar, rsync, cp, find and du."""
import os
from pathlib import Path

from mounted import expect, run
from trees import allocated_bytes, expect_same, make_many_files, make_varied_tree

# rsync takes times of the same second for equal otherwise, and leaves them.
NANOSECONDS = ["--modify-window=-1"]


def tar(place):
    source = place.outside / "tree"
    make_varied_tree(source, seed=1)
    archive = place.outside / "tree.tar"
    flags = ["--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--format=posix"]
    run("tar", *flags, "--sparse", "-cf", archive, "-C", source.parent, source.name)
    run("tar", *flags, "-xpf", archive, "-C", place.root)
    expect_same(source, place.root / source.name)
    # And out again, from the mount.
    second = place.outside / "second.tar"
    run("tar", *flags, "--sparse", "-cf", second, "-C", place.root, source.name)
    back = place.outside / "back"
    back.mkdir()
    run("tar", *flags, "-xpf", second, "-C", back)
    expect_same(source, back / source.name)
    run("tar", "-df", archive, "-C", place.root)


def rsync(place):
    source = place.outside / "tree"
    make_varied_tree(source, seed=2)
    target = place.root / "tree"
    run("rsync", "-aHAX", *NANOSECONDS, f"{source}/", f"{target}/")
    expect_same(source, target)
    dry = run("rsync", "-aHAXnci", *NANOSECONDS, "--delete", f"{source}/", f"{target}/").stdout
    expect(dry == "", f"rsync still sees differences:\n{dry[:1000]}")
    # An update: change, remove and add, then bring the copy up to date in place.
    victims = sorted(p for p in source.rglob("f*") if p.is_file() and not p.is_symlink())
    victims[0].write_bytes(b"changed" * 5000)
    victims[1].unlink()
    (source / "new").write_bytes(b"new")
    run("rsync", "-aHAX", *NANOSECONDS, "--inplace", "--delete", f"{source}/", f"{target}/")
    expect_same(source, target)


def sparse(place):
    original = place.root / "original"
    with open(original, "wb") as file:
        file.truncate(1 << 30)
        for offset in range(0, 1 << 30, 1 << 28):
            file.seek(offset + 12345)
            file.write(b"data" * 4096)
    expect(allocated_bytes(original) < 4 << 20, f"a sparse file takes {allocated_bytes(original)} bytes")
    for mode in ["auto", "always"]:
        copy = place.root / f"copy-{mode}"
        run("cp", f"--sparse={mode}", original, copy)
        run("cmp", original, copy)
        expect(allocated_bytes(copy) < 4 << 20, f"cp --sparse={mode} takes {allocated_bytes(copy)} bytes")
    solid = place.root / "solid"
    with open(original, "rb") as source, open(solid, "wb") as target:
        target.write(source.read(16 << 20))
    before = allocated_bytes(solid)
    run("fallocate", "--dig-holes", solid)
    expect(allocated_bytes(solid) < before, f"fallocate --dig-holes freed nothing of {before} bytes")
    run("cmp", "-n", 16 << 20, original, solid)
    fd = os.open(original, os.O_RDONLY)
    hole, data = os.lseek(fd, 12345, os.SEEK_HOLE), os.lseek(fd, 1 << 20, os.SEEK_DATA)
    os.close(fd)
    expect(12345 + 16384 <= hole < 1 << 20, f"SEEK_HOLE from the first data says {hole}")
    expect(1 << 20 < data <= (1 << 28) + 12345, f"SEEK_DATA from the first hole says {data}")


def finding(place):
    tree = place.root / "many"
    make_many_files(tree, 4000)
    names = run("find", tree, "-type", "f").stdout.splitlines()
    expect(len(names) == len(set(names)) == 4000, f"find sees {len(names)} files, {len(set(names))} of them different")
    expect(len(run("ls", "-lR", tree).stdout) > 4000, "ls -lR says little")
    apparent = int(run("du", "-s", "--apparent-size", "-B1", tree).stdout.split()[0])
    files = sum(i % 3000 for i in range(4000))
    folders = sum(p.stat().st_size for p in [tree, *tree.iterdir()])
    expect(apparent == files + folders, f"du --apparent-size says {apparent}, files are {files}, folders {folders}")
    big = run("find", tree, "-size", "+2500c", "-type", "f").stdout.splitlines()
    expect(len(big) == sum(i % 3000 > 2500 for i in range(4000)), f"find -size sees {len(big)}")
    run("cp", "-r", tree, place.root / "copy")
    run("diff", "-r", tree, place.root / "copy")
    run("mv", place.root / "copy", place.root / "moved")
    run("rm", "-r", tree, place.root / "moved")
    expect(not list(Path(place.root).glob("m*")), "rm -r left something")
