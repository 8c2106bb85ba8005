"""Version control and compilers."""
import os
import time
from pathlib import Path

from mounted import expect, run

REPOSITORY = Path(__file__).resolve().parents[2]


def git(place):
    home = place.outside / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n[user]\n\tname = t\n\temail = t@example.org\n"
                                     "[protocol \"file\"]\n\tallow = always\n")
    environment = {**os.environ, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    clone = place.root / "clone"

    def g(*words):
        return run("git", "-C", clone, *words, env=environment).stdout

    run("git", "clone", "-q", "--no-local", f"file://{REPOSITORY}", clone, env=environment)
    g("fsck", "--full", "--strict")
    expect(g("status", "--porcelain") == "", "a fresh clone is not clean")
    g("checkout", "-q", "-b", "work")
    for i in range(300):
        path = clone / "generated" / f"{i % 7}" / f"file{i}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"line {i}\n" * (i + 1))
    g("add", "-A")
    g("commit", "-q", "-m", "generated")
    g("mv", "generated", "moved")
    g("commit", "-q", "-m", "moved")
    g("gc", "-q", "--prune=now")
    g("fsck", "--full", "--strict")
    g("checkout", "-q", "HEAD~2")
    expect(not (clone / "moved").exists(), "checkout left files of another commit")
    expect(g("status", "--porcelain") == "", "checkout left changes")
    g("checkout", "-q", "work")
    expect(len(list((clone / "moved").rglob("*.txt"))) == 300, "checkout lost files")
    g("worktree", "add", "-q", place.root / "second", "HEAD~1")
    run("diff", "-r", clone / "moved", place.root / "second" / "generated")


def write_c_project(root, modules):
    (root / "src").mkdir(parents=True)
    (root / "include").mkdir()
    for i in range(modules):
        (root / "include" / f"m{i}.h").write_text(f"int m{i}(int);\n")
        uses = "".join(f'#include "m{j}.h"\n' for j in range(i))
        calls = f"m{i - 1}(x)" if i else "x"
        (root / "src" / f"m{i}.c").write_text(f'#include <stdio.h>\n#include <stdlib.h>\n{uses}#include "m{i}.h"\n'
                                              f"int m{i}(int x) {{ return {i} + {calls}; }}\n")
    (root / "src" / "main.c").write_text(f'#include <stdio.h>\n#include "m{modules - 1}.h"\n'
                                         f'int main(void) {{ printf("%d\\n", m{modules - 1}(5)); return 0; }}\n')
    (root / "Makefile").write_text(
        "OBJECTS := $(patsubst src/%.c,obj/%.o,$(wildcard src/*.c))\n"
        "program: libm.a obj/main.o\n\t$(CC) -o $@ obj/main.o libm.a\n"
        "libm.a: $(filter-out obj/main.o,$(OBJECTS))\n\trm -f $@\n\t$(AR) rcs $@ $^\n"
        "obj/%.o: src/%.c | obj\n\t$(CC) -O1 -Iinclude -MMD -c -o $@ $<\n"
        "obj:\n\tmkdir -p obj\n"
        "-include $(wildcard obj/*.d)\n")


def c_project(place):
    root = place.root / "project"
    write_c_project(root, 40)
    run("make", "-j2", "-C", root)
    first = run(root / "program").stdout
    expect(run("make", "-q", "-C", root, check=False).returncode == 0, "make sees work where there is none")
    time.sleep(0.05)
    (root / "include" / "m20.h").write_text("int m20(int);\n#define CHANGED 1\n")
    rebuilt = run("make", "-j2", "-C", root).stdout.count(" -c -o ")
    expect(rebuilt == 20, f"a header that 20 sources include was changed, {rebuilt} were compiled")
    expect(run(root / "program").stdout == first, "the program's answer changed")
    plain = place.outside / "project"
    write_c_project(plain, 40)
    run("make", "-j2", "-C", plain)
    expect(run(plain / "program").stdout == first, "the program answers differently than on an ordinary disk")
    run("strip", root / "program")
    run(root / "program")
