"""Real programs: building a C project, git, SQLite."""

import shutil

from .measure import BUILD_PLAIN, interleave, record_time
from .sources import fetch_sources
from .tools import drop_caches, run

BUILD = "untar and make -j2 of Lua"
CLONE, STATUS, STATUS_COLD = "git clone", "git status", "git status, cold dentries"
SQLITE = "SQLite with sync on"
GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0", "-c", "safe.directory=*"]


def bench(figures, targets, settings):
    for work in (BUILD, CLONE, STATUS, SQLITE):
        figures.declare(work, "s", BUILD_PLAIN)
    figures.declare(STATUS_COLD, "s")
    sources = fetch_sources()
    repository = make_repository(settings.base / "repository", sources, copies=1 if settings.quick else 6)
    script = settings.base / "workload.sql"
    script.write_text(sqlite_workload(settings.quick), encoding="ascii")

    def build(target, _):
        folder = target.path / "build"
        folder.mkdir()
        command = f"tar xf '{sources['lua5.4']}' --strip-components=1 && make -s -j2 posix"
        record_time(figures, BUILD, target, ["sh", "-c", command], cwd=folder)
        shutil.rmtree(folder)

    def git(target, _):
        clone = target.path / "clone"
        record_time(figures, CLONE, target, [*GIT, "clone", "-q", "--no-local", repository, clone])
        # The first one looks into every file that is as new as the index.
        status = [*GIT, "-C", clone, "status", "--short"]
        run(status)
        record_time(figures, STATUS, target, status)
        drop_caches(2)
        record_time(figures, STATUS_COLD, target, status)
        shutil.rmtree(clone)

    def sqlite(target, _):
        database = target.path / "bench.db"
        with open(script, encoding="ascii") as text:
            record_time(figures, SQLITE, target, ["sqlite3", database], stdin=text)
        database.unlink()

    for body in (build, git, sqlite):
        interleave(figures, targets, settings.rounds, body)
    shutil.rmtree(repository)
    script.unlink()


def make_repository(folder, sources, copies):
    folder.mkdir()
    for copy in range(copies):
        for name, tarball in sources.items():
            part = folder / f"copy{copy}" / name
            part.mkdir(parents=True)
            run(["tar", "xf", tarball, "-C", part, "--strip-components=1"])
    run([*GIT, "-C", folder, "init", "-q"])
    run([*GIT, "-C", folder, "add", "-f", "."])
    run([*GIT, "-C", folder, "commit", "-q", "-m", "sources"])
    return folder


def sqlite_workload(quick):
    """In the manner of SQLite's own speedtest: small synced transactions, bulk inserts, an index, updates, deletes."""
    small, bulk = (50, 10_000) if quick else (300, 100_000)
    lines = ["PRAGMA synchronous=FULL;", "PRAGMA journal_mode=DELETE;",
             "CREATE TABLE small(a INTEGER PRIMARY KEY, b TEXT);", "CREATE TABLE bulk(a INTEGER, b INTEGER, c TEXT);"]
    lines += [f"INSERT INTO small VALUES({n}, 'row {n}');" for n in range(small)]
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{bulk})"
    lines += [f"INSERT INTO bulk {numbers} SELECT i, (i*7919)%{bulk}, 'text of row ' || i FROM n;",
              "CREATE INDEX bulk_b ON bulk(b);",
              f"UPDATE bulk SET c = c || '!' WHERE b < {bulk // 4};",
              f"SELECT count(*), sum(a) FROM bulk WHERE b BETWEEN {bulk // 10} AND {bulk // 2};",
              f"DELETE FROM bulk WHERE b > {bulk // 2};", "VACUUM;", "PRAGMA integrity_check;"]
    return "\n".join(lines) + "\n"
