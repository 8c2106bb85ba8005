"""Programs on the mount: cp, a compiler, fio."""
import os
import stat

from disk import MOUNT, forget, run

SOURCES = {
    "greeting.h": "const char *greeting(int number);\n",
    "greeting.c": '#include <stdio.h>\n#include "greeting.h"\nstatic char text[64];\n'
                  'const char *greeting(int number) { snprintf(text, sizeof text, "hello %d", number); return text; }\n',
    "main.c": '#include <stdio.h>\n#include <stdlib.h>\n#include "greeting.h"\n'
              "int main(int count, char **words) { puts(greeting(count > 1 ? atoi(words[1]) : 0)); return 0; }\n",
}


def kind_of(path):
    """All of a file but its content, and of a directory but its size and links."""
    found = os.lstat(path)
    place = (found.st_nlink, found.st_size) if stat.S_ISREG(found.st_mode) else ()
    target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else None
    return (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, place, target)


def compare(left, right):
    assert kind_of(left) == kind_of(right), (left, kind_of(left), kind_of(right))
    mode = os.lstat(left).st_mode
    if stat.S_ISREG(mode):
        with open(left, "rb") as one, open(right, "rb") as other:
            assert one.read() == other.read(), f"{left} and {right} differ"
    elif stat.S_ISDIR(mode):
        found = sorted(os.listdir(left))
        assert found == sorted(os.listdir(right)), left
        return 1 + sum(compare(f"{left}/{name}", f"{right}/{name}") for name in found)
    return 1


def make_tree(folder):
    """What a copy has to keep."""
    os.mkdir(folder)
    run("cp", "-a", "/usr/include", f"{folder}/include")
    for name, mode in (("private", 0o600), ("program", 0o4755), ("read only", 0o444), ("Jürgen €", 0o640)):
        with open(f"{folder}/{name}", "w", encoding="utf8") as file:
            file.write(name)
        os.chown(f"{folder}/{name}", 1000, 2000)
        os.chmod(f"{folder}/{name}", mode)
    os.link(f"{folder}/private", f"{folder}/linked")
    os.symlink("include/stdio.h", f"{folder}/symbolic")
    os.symlink("/nowhere/" + "x" * 200, f"{folder}/dangling")
    os.mkfifo(f"{folder}/fifo")
    os.mkdir(f"{folder}/empty", 0o1777)
    for name in os.listdir(folder):
        os.utime(f"{folder}/{name}", ns=(10**18, 1_234_567_890_123_456_789), follow_symlinks=False)


def copy_tree(_):
    make_tree("/tmp/tree")
    run("cp", "-a", "/tmp/tree", f"{MOUNT}/tree")
    count = compare("/tmp/tree", f"{MOUNT}/tree")
    forget()
    assert compare("/tmp/tree", f"{MOUNT}/tree") == count
    run("cp", "-a", f"{MOUNT}/tree", "/tmp/back")
    compare("/tmp/tree", "/tmp/back")
    run("rm", "-rf", f"{MOUNT}/tree", "/tmp/tree", "/tmp/back")
    return {"files": count}


def build(_):
    folder = f"{MOUNT}/project"
    os.mkdir(folder)
    for name, text in SOURCES.items():
        with open(f"{folder}/{name}", "w", encoding="utf8") as file:
            file.write(text)
    for name in ("greeting", "main"):
        run("tcc", "-c", f"{folder}/{name}.c", "-o", f"{folder}/{name}.o")
    run("tcc", "-ar", "rcs", f"{folder}/libgreeting.a", f"{folder}/greeting.o")
    for number in range(3):  # a program that has just run is replaced
        run("tcc", f"{folder}/main.o", f"{folder}/libgreeting.a", "-o", f"{folder}/program")
        assert run(f"{folder}/program", str(number)) == f"hello {number}\n"
    forget()
    assert run(f"{folder}/program", "7") == "hello 7\n"
    run("rm", "-rf", folder)


def fio(_, direct, megabytes):
    for pattern in ("write", "randwrite"):
        run("fio", "--name=verify", f"--directory={MOUNT}", f"--rw={pattern}", "--bsrange=4k-256k", f"--size={megabytes}m",
            f"--direct={direct}", "--ioengine=psync", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1", "--end_fsync=1",
            "--invalidate=1", "--thread", "--numjobs=2", "--minimal")
    run("rm", f"{MOUNT}/verify.0.0", f"{MOUNT}/verify.1.0")


STEPS = {step.__name__: step for step in (copy_tree, build, fio)}
