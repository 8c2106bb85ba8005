"""Whole directories: listing, finding, copying and removing many small files."""

import random
import shutil

from .measure import TWICE_HP, interleave
from .tools import drop_caches, run, timed

FILES_PER_DIRECTORY = 100


def make_tree(folder, files, seed=1):
    """Files of 100 to 4000 bytes, as in a source tree."""
    sizes = random.Random(seed)
    for number in range(files):
        if number % FILES_PER_DIRECTORY == 0:
            directory = folder / f"d{number // FILES_PER_DIRECTORY // 20:03}" / f"d{number // FILES_PER_DIRECTORY:05}"
            directory.mkdir(parents=True)
        (directory / f"file{number:06}.c").write_bytes(b"x" * sizes.randrange(100, 4000))


def bench(figures, targets, settings):
    tree_files = 5_000 if settings.quick else 50_000
    list_files = 1_000 if settings.quick else 10_000
    listing = f"ls -l of {list_files:,} files, cold"
    works = {name: f"{name} of {tree_files:,} small files" for name in ("cp -r", "find", "rm -r")}
    figures.declare(listing, "s", TWICE_HP)
    for name in works.values():
        figures.declare(name, "s", TWICE_HP)
    original = settings.base / "tree"
    make_tree(original, tree_files)

    def record(work, target, command, **options):
        before = target.cpu()
        figures.add(work, target.name, timed(command, **options))
        figures.add_detail(work, target.name, "cpu_s", target.cpu() - before)

    def body(target, _):
        record(works["cp -r"], target, ["cp", "-r", original, target.path / "tree"])
        drop_caches(2)
        record(works["find"], target, ["find", target.path / "tree", "-type", "f", "-size", "+1"])
        record(works["rm -r"], target, ["rm", "-r", target.path / "tree"])

    with open("/dev/null", "w", encoding="ascii") as nowhere:  # the original comes from the page cache for everyone
        run(["find", original, "-type", "f", "-exec", "cat", "{}", "+"], stdout=nowhere)
    interleave(figures, targets, settings.rounds, body)

    for target in targets:
        (target.path / "list").mkdir()
        for number in range(list_files):
            (target.path / "list" / f"entry-{number:05}").touch()

    def list_all(target, _):
        drop_caches(2)
        record(listing, target, ["ls", "-l", target.path / "list"])

    interleave(figures, targets, settings.rounds, list_all)
    for target in targets:
        shutil.rmtree(target.path / "list")
    shutil.rmtree(original)
