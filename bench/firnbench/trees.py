"""Whole directories: listing, finding, copying and removing many small files."""

import random
import shutil

from .measure import TWICE_HP, interleave, record_time
from .tools import drop_caches, open_files, run

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
    everyone, limited = targets, open_files()
    if tree_files > limited:
        everyone = [target for target in targets if target.name != "passthrough_hp"]
        figures.notes.append(f"passthrough_hp may hold only {limited:,} files open here: it takes part with smaller trees")
        bench_tree(figures, targets, settings, limited // 5_000 * 5_000)
    bench_tree(figures, everyone, settings, tree_files)
    bench_listing(figures, targets, settings, list_files)


def bench_tree(figures, targets, settings, files):
    works = {name: f"{name} of {files:,} small files" for name in ("cp -r", "find", "rm -r")}
    for name in works.values():
        figures.declare(name, "s", TWICE_HP)
    original = settings.base / "tree"
    make_tree(original, files)

    def body(target, _):
        record_time(figures, works["cp -r"], target, ["cp", "-r", original, target.path / "tree"])
        drop_caches(2)
        # Asks for every file's size, so it is a listing and a stat of all.
        record_time(figures, works["find"], target, ["find", target.path / "tree", "-type", "f", "-size", "+1"])
        record_time(figures, works["rm -r"], target, ["rm", "-r", target.path / "tree"])

    with open("/dev/null", "w", encoding="ascii") as nowhere:  # the original comes from the page cache for everyone
        run(["find", original, "-type", "f", "-exec", "cat", "{}", "+"], stdout=nowhere)
    interleave(figures, targets, settings.rounds, body)
    shutil.rmtree(original)


def bench_listing(figures, targets, settings, files):
    listing = f"ls -l of {files:,} files, cold"
    figures.declare(listing, "s", TWICE_HP)
    for target in targets:
        (target.path / "list").mkdir()
        for number in range(files):
            (target.path / "list" / f"entry-{number:05}").touch()

    def body(target, _):
        drop_caches(2)
        record_time(figures, listing, target, ["ls", "-l", target.path / "list"])

    interleave(figures, targets, settings.rounds, body)
    for target in targets:
        shutil.rmtree(target.path / "list")
