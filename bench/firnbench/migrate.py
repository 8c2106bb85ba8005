"""How fast firn migrate brings many small files in, beside cp -a into the mount of a volume with the same settings."""

import statistics

from .measure import interleave
from .targets import Firn, Stage
from .tools import run, timed
from .trees import make_tree

AIM = 1.5
COPY, MOUNTED, ALONE = "cp -a into the mount", "firn migrate, mounted", "firn migrate, not mounted"


def bench(figures, _targets, settings):
    files = 5_000 if settings.quick else 100_000
    base = settings.base / "migrate"
    targets = [Firn(base / name, settings.firn) for name in ("copied", "mounted", "alone")]
    for target, name in zip(targets, (COPY, MOUNTED, ALONE), strict=True):
        target.name = name
    figures.migrate = {"files": files, "aim": AIM, "seconds": {name: [] for name in (COPY, MOUNTED, ALONE)}}
    with Stage(base, targets):
        source = base / "tree"
        make_tree(source, files)
        with open("/dev/null", "w", encoding="ascii") as nowhere:  # from the page cache for everyone
            run(["find", source, "-type", "f", "-exec", "cat", "{}", "+"], stdout=nowhere)

        def body(target, number):
            into = f"round{number}"
            migrate = [settings.firn, "migrate", target.volume, "--from", source, "--into", f"/{into}"]
            if target.name == COPY:
                (target.path / into).mkdir()
                command = ["cp", "-a", source, target.path / into]
            else:
                command = migrate
            if target.name == ALONE:
                target.stop()
            figures.migrate["seconds"][target.name].append(timed(command))
            if target.name == ALONE:
                target.mount()

        interleave(figures, targets, settings.rounds, body)
        for target in targets:
            run([settings.firn, "migrate", target.volume, "--from", source, "--into", "/round0", "--verify"])


def table(migrate):
    files, seconds = migrate["files"], {name: statistics.median(all_) for name, all_ in migrate["seconds"].items()}
    lines = [f"| {files:,} files of 100 to 4000 bytes | s | files/s | rate / cp -a |", "|---|---|---|---|"]
    for name, median in seconds.items():
        lines.append(f"| {name} | {median:.2f} | {files / median:,.0f} | {seconds[COPY] / median:.2f} |")
    met = "met" if seconds[COPY] / seconds[MOUNTED] >= migrate["aim"] else "MISSED"
    return "\n".join(lines) + f"\n\nAim: ≥ {migrate['aim']} × cp -a's rate, mounted: {met}."
