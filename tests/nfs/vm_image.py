"""The file system of the virtual machine, in memory: an initramfs with Debian's kernel modules, and programs of this machine with
their libraries. Made once for each set of versions, outside the tree."""
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "firn-tools"
TOOLS = CACHE / "nfs"
ROOT = TOOLS / "root"
GUEST = Path(__file__).resolve().parent / "guest"
MODULES = ("virtio_pci", "virtio_net", "virtio_console", "nfsv3")
GUEST_IMPORTS = "errno fcntl glob hashlib json mmap os random stat subprocess threading time traceback zlib"
HEADERS = "#include <stdio.h>\n#include <stdlib.h>\n"
LIBC = Path("/usr/lib/x86_64-linux-gnu")
LINKED = ("crt1.o", "crti.o", "crtn.o", "libc.so", "libc_nonshared.a")
SETTINGS = {
    "netconfig": "tcp tpi_cots_ord v inet tcp - -\nudp tpi_clts v inet udp - -\n",
    "protocols": "tcp 6 TCP\nudp 17 UDP\n",
    "passwd": "root:x:0:0:root:/:/bin/sh\n",
}


def said(*command, text=None):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, input=text).stdout


def needed():
    for program in ("qemu-system-x86_64", "cpio", "zstd", "fio"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: run scripts/setup")
    if not (TOOLS / "versions").exists():
        sys.exit("the kernel for the virtual machine is missing: run scripts/nfs-tools")


def kernel():
    return next((ROOT / "boot").glob("vmlinuz-*"))


def put(tree, source, name=None):
    """A copy of a file, at the same path or another one."""
    target = tree / str(name or source).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(source, target)


def put_program(tree, source, name=None):
    put(tree, source, name)
    for library in re.findall(r"(/\S+) \(0x", said("ldd", source)):
        put(tree, os.path.realpath(library), library)


def put_modules(tree):
    folder = next((ROOT / "lib/modules").iterdir())
    needs = dict(line.split(":") for line in (folder / "modules.dep").read_text().splitlines())
    of_name = {Path(path).stem.replace("-", "_"): path for path in needs}
    wanted = [of_name[name] for name in MODULES]
    wanted += [path for each in list(wanted) for path in needs[each].split()]
    for path in wanted + ["modules.dep"]:
        put(tree, folder / path, f"/lib/modules/{folder.name}/{path}")


def put_python(tree):
    program = os.path.realpath(sys.executable)
    put_program(tree, program, "/bin/python3")
    library = sysconfig.get_path("stdlib")
    script = f"import sys, {GUEST_IMPORTS.replace(' ', ', ')}; print(*(m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)))"
    for path in said(program, "-I", "-c", script).split():
        if path.startswith(library):
            (put_program if path.endswith(".so") else put)(tree, path)
    shutil.copytree(f"{library}/encodings", tree / library.lstrip("/") / "encodings", dirs_exist_ok=True)


def put_compiler(tree):
    put_program(tree, ROOT / "usr/bin/tcc", "/usr/bin/tcc")
    put(tree, "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    shutil.copytree(ROOT / "usr/lib/x86_64-linux-gnu/tcc", tree / "usr/lib/x86_64-linux-gnu/tcc")
    for name in LINKED:
        put(tree, LIBC / name)
    for path in re.findall(r"/usr/include/\S+", said("gcc", "-M", "-x", "c", "-", text=HEADERS)):
        put(tree, path)


def put_all(tree):
    put(tree, ROOT / "bin/busybox", "/bin/busybox")
    put_modules(tree)
    put_python(tree)
    put_compiler(tree)
    for name in ("fio", "cp"):  # before busybox's
        put_program(tree, shutil.which(name), f"/usr/local/bin/{name}")
    for name in ("mount.nfs", "umount.nfs"):
        put_program(tree, ROOT / "sbin/mount.nfs", f"/sbin/{name}")
    (tree / "etc").mkdir()
    for name, text in SETTINGS.items():
        (tree / "etc" / name).write_text(text)


def pack(tree):
    """Bytes of a cpio archive, as the kernel reads them."""
    names = "\0".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    return subprocess.run(["cpio", "--null", "--create", "--format=newc", "--quiet", "--owner=0:0"], check=True, cwd=tree,
                          stdout=subprocess.PIPE, input=names.encode()).stdout


def key():
    parts = [(TOOLS / "versions").read_bytes(), Path(__file__).read_bytes(), sys.version.encode()]
    for path in (shutil.which("fio"), os.path.realpath(sys.executable), LIBC / "libc.so.6"):
        found = os.stat(path)
        parts.append(f"{path} {found.st_size} {found.st_mtime_ns}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def base():
    """The part that is the same in every run."""
    image = CACHE / f"nfs-vm-{key()}.cpio.zst"
    if not image.exists():
        for old in CACHE.glob("nfs-vm-*.cpio.zst"):
            old.unlink()
        with tempfile.TemporaryDirectory(prefix="firn-vm-") as folder:
            put_all(Path(folder))
            made = Path(f"{image}.{os.getpid()}")
            made.write_bytes(subprocess.run(["zstd", "-q", "-3"], check=True, input=pack(Path(folder)), stdout=subprocess.PIPE).stdout)
            made.rename(image)
    return image


def make(image):
    """Writes the initramfs: what is always the same, and the guest's own files as they are now."""
    needed()
    with tempfile.TemporaryDirectory(prefix="firn-vm-") as folder, open(image, "wb") as out:
        tree = Path(folder)
        shutil.copytree(GUEST, tree / "guest", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.move(tree / "guest/init", tree / "init")
        (tree / "init").chmod(0o755)
        out.write(pack(tree))
        out.write(base().read_bytes())
