"""SQLite: journals, locks, shared memory, and a writer that dies."""
import os
import random
import signal
import sqlite3
import subprocess
import sys

from mounted import expect, run

# Commits one row after another and prints each number once its commit returned.
WRITER = """
import sqlite3, sys
path, who, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
db = sqlite3.connect(path, timeout=60, isolation_level=None)
db.execute("PRAGMA synchronous=FULL")
for i in range(count):
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO t VALUES (?, ?, ?)", (who, i, "x" * (i * 37 % 3000)))
    db.execute("UPDATE total SET n = n + 1")
    db.execute("COMMIT")
    print(i, flush=True)
"""


def create(path, journal):
    db = sqlite3.connect(path)
    mode = db.execute(f"PRAGMA journal_mode={journal}").fetchone()[0]
    expect(mode == journal, f"asked for journal_mode={journal}, got {mode}")
    db.executescript("CREATE TABLE t (who INT, i INT, text TEXT); CREATE INDEX ti ON t (who, i);"
                     "CREATE TABLE total (n INT); INSERT INTO total VALUES (0);")
    db.close()


def start_writer(path, who, count):
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(who), str(count)], stdout=subprocess.PIPE,
                            text=True)


def check(path, expected_rows):
    """expected_rows: {who: least number of rows}."""
    db = sqlite3.connect(path, timeout=60)
    expect(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", f"{path.name}: integrity_check fails")
    total = 0
    for who, least in expected_rows.items():
        numbers = [row[0] for row in db.execute("SELECT i FROM t WHERE who=? ORDER BY i", (who,))]
        expect(numbers == list(range(len(numbers))), f"{path.name}: writer {who} has gaps")
        expect(len(numbers) >= least, f"{path.name}: writer {who} committed {least}, {len(numbers)} are there")
        total += len(numbers)
    expect(db.execute("SELECT n FROM total").fetchone()[0] == total, f"{path.name}: a transaction is half there")
    db.close()


def several_writers(path, writers=3, count=80):
    running = [start_writer(path, who, count) for who in range(writers)]
    for who, process in enumerate(running):
        lines = process.communicate(timeout=120)[0].split()
        expect(process.returncode == 0 and len(lines) == count, f"{path.name}: writer {who} failed after {len(lines)}")
    check(path, {who: count for who in range(writers)})


def killed_writers(path, rounds=4):
    dice = random.Random(5)
    least = {}
    for who in range(10, 10 + rounds):
        process = start_writer(path, who, 100000)
        for _ in range(dice.randrange(5, 60)):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        least[who] = 1 + max((int(line) for line in process.communicate()[0].split()), default=4)
        db = sqlite3.connect(path, timeout=60)
        rows = db.execute("SELECT count(*) FROM t WHERE who=?", (who,)).fetchone()[0]
        db.close()
        expect(rows >= least[who], f"{path.name}: {least[who]} commits were acknowledged, {rows} are there")
    return least


def sqlite(place):
    for journal in ["wal", "delete", "truncate", "persist"]:
        path = place.root / f"{journal}.db"
        create(path, journal)
        several_writers(path)
        killed_writers(path)
        expect(run("sqlite3", path, "PRAGMA integrity_check").stdout.strip() == "ok", f"{journal}: sqlite3 complains")
        db = sqlite3.connect(path, timeout=60)
        db.execute("VACUUM")
        db.close()
