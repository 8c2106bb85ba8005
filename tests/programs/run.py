#!/usr/bin/env python3
"""Real programs on a mount: run.py (--firn BINARY | --plain) [--dir FOLDER] [PROGRAM...]

Each program gets a fresh volume; afterwards it is unmounted and fsck must call it clean. --plain runs the same
in an ordinary folder, which is how a test itself is tested.
"""
import argparse
import sys
import time
import traceback

import building
import copying
import databases
import stressing
from mounted import Failed, Place

PROGRAMS = {
    "git": building.git,
    "c_project": building.c_project,
    "sqlite": databases.sqlite,
    "tar": copying.tar,
    "rsync": copying.rsync,
    "sparse": copying.sparse,
    "find": copying.finding,
    "fio": stressing.fio,
    "stress": stressing.stress,
}


def attempt(name, options):
    start = time.monotonic()
    try:
        with Place(None if options.plain else options.firn, options.dir) as place:
            PROGRAMS[name](place)
    except Failed as failure:
        print(f"FAILED {name}: {failure}", flush=True)
        return False
    except Exception:  # an OSError of the file system under test is a failure like any other
        print(f"FAILED {name}:\n{traceback.format_exc()}", flush=True)
        return False
    print(f"passed {name} ({time.monotonic() - start:.1f} s)", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--firn", help="the firn program")
    where.add_argument("--plain", action="store_true", help="an ordinary folder instead of a mount")
    parser.add_argument("--dir", help="where to work (default: the temporary folder)")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(PROGRAMS))
    options = parser.parse_args()
    unknown = set(options.programs) - set(PROGRAMS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    results = [attempt(name, options) for name in options.programs or PROGRAMS]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
