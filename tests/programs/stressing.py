"""fio and stress-ng, both verifying what they did."""
import os

from mounted import Failed, expect, run

# Every stressor here passes on ext4 with --verify (scripts: run.py --plain stress).
STRESSORS = """access chdir chmod chown copy-file dentry dir dirdeep dirmany fallocate fcntl filename flock fpunch fsize
fstat getdent hdd inotify io iomix lease link locka lockf lockofd mknod mmap msync open readahead rename revio seek
sendfile splice symlink sync-file touch utime xattr""".split()
MORE_FLAGS = {"mmap": ["--mmap-file", "--mmap-bytes", "8m"], "hdd": ["--hdd-bytes", "16m"],
              "iomix": ["--iomix-bytes", "16m"], "seek": ["--seek-size", "16m"],
              "readahead": ["--readahead-bytes", "16m"], "fallocate": ["--fallocate-bytes", "32m"],
              "copy-file": ["--copy-file-bytes", "128m"], "revio": ["--revio-bytes", "16m"],
              "sync-file": ["--sync-file-bytes", "16m"], "splice": ["--splice-bytes", "64k"]}

FIO_JOBS = {
    "random writes": ["--rw=randwrite", "--bs=4k", "--ioengine=psync"],
    "random writes, direct": ["--rw=randwrite", "--bs=4k", "--ioengine=psync", "--direct=1"],
    "deep queue, direct": ["--rw=randwrite", "--bs=4k", "--ioengine=io_uring", "--iodepth=32", "--direct=1"],
    "asynchronous, direct": ["--rw=randwrite", "--bs=16k", "--ioengine=libaio", "--iodepth=16", "--direct=1"],
    "odd sizes": ["--rw=randwrite", "--bsrange=512-64k", "--bs_unaligned=1", "--ioengine=psync"],
    "sequential": ["--rw=write", "--bs=1m", "--ioengine=psync", "--end_fsync=1"],
    "mixed": ["--rw=randrw", "--bs=8k", "--ioengine=psync", "--fsync=64"],
    "mmap": ["--rw=randwrite", "--bs=4k", "--ioengine=mmap"],
    "mmap, sequential": ["--rw=write", "--bs=64k", "--ioengine=mmap"],
    "several files, several jobs": ["--rw=randwrite", "--bs=4k", "--nrfiles=20", "--numjobs=2", "--ioengine=psync"],
}


def fio(place):
    failures = []
    for name, flags in FIO_JOBS.items():
        folder = place.root / name.replace(" ", "-").replace(",", "")
        folder.mkdir()
        try:
            run("fio", "--name=v", f"--directory={folder}", "--size=24m", "--verify=crc32c", "--do_verify=1",
                "--verify_fatal=1", "--verify_state_save=0", "--randseed=7", *flags, cwd=place.outside)
        except Failed as error:
            failures.append(f"fio {name}: {error}")
        run("rm", "-r", folder)
    expect(not failures, "\n".join(failures))


def stress(place):
    """Each stressor for a second. All are run, so that one report names all that fail."""
    seconds = os.environ.get("FIRN_STRESS_SECONDS", "1")
    failures = []
    for name in STRESSORS:
        folder = place.root / name
        folder.mkdir()
        folder.chmod(0o777)
        try:
            done = run("stress-ng", f"--{name}", "2", "--timeout", f"{seconds}s", "--verify", "--temp-path", folder,
                       *MORE_FLAGS.get(name, []), deadline_s=60, check=False, cwd=folder)
            # 3: not enough resources, 4: not implemented; both on ext4 as well.
            if done.returncode not in (0, 3, 4):
                lines = [l for l in (done.stdout + done.stderr).splitlines() if "fail" in l or "error" in l]
                failures.append(f"stress-ng {name}: exit code {done.returncode}: " + " | ".join(lines[:4]))
        except Failed as error:
            failures.append(str(error))
        run("rm", "-rf", folder)
    expect(not failures, "\n".join(failures))
