"""Builds what is measured with and against: passthrough_hp and other sources from Debian, metadata_bench from here."""

import pathlib
import shutil
import subprocess

from .tools import CACHE, REPO, BenchError, run

SOURCE_PACKAGES = ("fuse3", "lua5.4", "zlib")


def _apt_options(work):
    """A package list of our own: deb-src entries made from the system's, which stays as it is."""
    text = ""
    for path in sorted(_system_sources()):
        text += path.read_text(encoding="utf-8").replace("Types: deb\n", "Types: deb-src\n") + "\n"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    sources = work / "bench.sources"
    if not text:
        raise BenchError("no Debian package source in /etc/apt/sources.list.d/*.sources to fetch source packages from")
    sources.write_text(text, encoding="utf-8")
    return [
        "-o", f"Dir::Etc::SourceList={sources}",
        "-o", "Dir::Etc::SourceParts=/dev/null",
        "-o", f"Dir::State::Lists={work}/state/lists",
        "-o", f"Dir::Cache={work}/cache",
        "-o", "APT::Sandbox::User=root",
    ]


def _system_sources():
    found = []
    for path in pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"):
        if "debian.org" in path.read_text(encoding="utf-8") or path.name == "debian.sources":
            found.append(path)
    return found


def fetch_sources():
    """The packages' original tar files, by package name; downloaded once."""
    folder = CACHE / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: _tarball(folder, name) for name in SOURCE_PACKAGES}
    if not all(found.values()):
        options = _apt_options(CACHE / "apt")
        run(["apt-get", *options, "update"], timeout=600)
        run(["apt-get", *options, "source", "--download-only", *SOURCE_PACKAGES], cwd=folder, timeout=600)
        found = {name: _tarball(folder, name) for name in SOURCE_PACKAGES}
    missing = [name for name, path in found.items() if not path]
    if missing:
        raise BenchError(f"apt-get source brought no tar file for {', '.join(missing)}")
    return found


def _tarball(folder, package):
    matches = sorted(path for path in folder.glob(f"{package}_*.orig.tar.*") if path.suffix != ".asc")
    return matches[-1] if matches else None


def passthrough_hp():
    """libfuse's example, built as its own header says, once."""
    program = CACHE / "passthrough_hp"
    if program.exists():
        return program
    unpacked = CACHE / "fuse3"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    run(["tar", "xf", fetch_sources()["fuse3"], "-C", unpacked, "--strip-components=1"])
    flags = run(["pkg-config", "--cflags", "--libs", "fuse3"]).split()
    source = unpacked / "example" / "passthrough_hp.cc"
    # Its own build defines none of the HAVE_ macros it asks for; without this one tar and cp cannot set times on it.
    # Extended attributes stay off, as in its own build, which spares it requests.
    run(["g++", "-O2", "-std=c++17", "-DHAVE_UTIMENSAT", source, *flags, "-pthread", "-o", f"{program}.new"])
    (CACHE / "passthrough_hp.new").rename(program)
    return program


def metadata_bench():
    return _compiled("metadata_bench")


def http_load():
    return _compiled("http_load")


def nfs_load():
    return _compiled("nfs_load", "-lnfs")


def _compiled(name, *libraries):
    source = REPO / "bench" / f"{name}.cc"
    program = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    compiler = shutil.which("clang++-19") or shutil.which("g++")
    if not compiler:
        raise BenchError("no C++ compiler: install clang-19")
    run([compiler, "-std=c++23", "-O2", source, "-pthread", *libraries, "-o", program])
    return program


def firn_binary(given):
    """The firn to measure: the one named, or the release build's."""
    for path in ([given] if given else [REPO / "build" / "release" / "bin" / "firn"]):
        if path and subprocess.run(["test", "-x", str(path)], check=False).returncode == 0:
            return path
    raise BenchError(f"no firn at {given or 'build/release/bin/firn'}: build it (cmake --build --preset release) or name it with --firn")
