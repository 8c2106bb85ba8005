"""Names, links, attributes and listings."""
import errno
import os

from disk import MOUNT, forget, run


def refused(number, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except OSError as error:
        assert error.errno == number, error
        return
    raise AssertionError(f"{call.__name__}{arguments}: not refused")


def attributes(_):
    folder = f"{MOUNT}/attributes"
    os.mkdir(folder)
    path = f"{folder}/file"
    with open(path, "w", encoding="ascii") as file:
        file.write("x" * 10)
    os.chmod(path, 0o4751)
    os.chown(path, 123, 456)
    os.chmod(path, 0o2640)
    os.utime(path, ns=(1_000_000_001, 2_147_483_647_999_999_999))
    os.link(path, f"{folder}/link")
    os.symlink("file", f"{folder}/symbolic")
    os.truncate(path, 5000)
    os.truncate(path, 5)
    os.utime(path, ns=(1_000_000_001, 2_147_483_647_999_999_999))
    forget()
    found = os.stat(f"{folder}/link")
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o2640, 123, 456), found
    assert (found.st_nlink, found.st_size) == (2, 5), found
    assert (found.st_atime_ns, found.st_mtime_ns) == (1_000_000_001, 2_147_483_647_999_999_999), found
    assert os.readlink(f"{folder}/symbolic") == "file" and os.path.samefile(f"{folder}/symbolic", f"{folder}/link")
    os.unlink(path)
    assert os.stat(f"{folder}/link").st_nlink == 1
    refused(errno.EEXIST, os.mkdir, f"{folder}/link")
    refused(errno.ENAMETOOLONG, os.mkdir, f"{folder}/" + "x" * 256)
    refused(errno.ENOTEMPTY, os.rmdir, folder)
    os.mkdir(f"{folder}/" + "ü" * 127)
    run("rm", "-rf", folder)


def many_small_files(_, count):
    folder = f"{MOUNT}/many"
    os.mkdir(folder)
    for index in range(count):
        with open(f"{folder}/{index}", "w", encoding="ascii") as file:
            file.write(f"file {index}\n" * (index % 50))
    forget()
    for index in range(count):
        with open(f"{folder}/{index}", encoding="ascii") as file:
            assert file.read() == f"file {index}\n" * (index % 50), index
    run("rm", "-rf", folder)


def list_directory(_, name, count):
    """As ls and as ls -l read it, and again while names go."""
    folder = f"{MOUNT}/{name}"
    wanted = sorted(f"entry{index:05}" for index in range(count))
    assert sorted(os.listdir(folder)) == wanted
    forget()
    with os.scandir(folder) as entries:
        assert sum(entry.stat(follow_symlinks=False).st_size for entry in entries) == 7 * count
    forget()
    kept, seen = set(wanted[1::2]), set()
    with os.scandir(folder) as entries:
        for entry in entries:
            assert entry.name not in seen, f"{entry.name} twice"
            seen.add(entry.name)
            if entry.name not in kept and int(entry.name[5:]) % 10 == 0:
                os.unlink(f"{folder}/{entry.name}")
    assert seen == set(wanted), f"{len(seen)} names of {count}"
    left = [entry for entry in wanted if int(entry[5:]) % 10 != 0]
    assert sorted(os.listdir(folder)) == left


STEPS = {step.__name__: step for step in (attributes, many_small_files, list_directory)}
