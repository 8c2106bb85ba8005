"""NFSv3 through libnfs, beside NFS-Ganesha, which exports a folder of the same disk. nfs_load asks both, in a network of their own."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

from .http import Work
from .sources import nfs_load
from .targets import Stage
from .tools import BenchError, cpu_seconds, end, run

MIB = 1 << 20
DATA_AIM, METADATA_AIM = 1.0, 1.5
CONNECTIONS = 4
NFS_PORT, MOUNT_PORT = 20490, 20491
START_TIMEOUT_S = 30

GANESHA = """
NFS_CORE_PARAM {{ Protocols = 3; NFS_Port = {nfs_port}; MNT_Port = {mount_port}; Enable_NLM = false; Enable_RQUOTA = false; }}
EXPORT {{ Export_Id = 1; Path = {root}; Pseudo = /data; Access_Type = RW; Squash = No_Root_Squash; Protocols = 3;
         SecType = sys; Transports = TCP; FSAL {{ Name = VFS; }} }}
LOG {{ Default_Log_Level = EVENT; }}
"""
HOLDER = """
mount -t tmpfs run /run && mkdir /run/ganesha && mount --bind {folder}/passwd /etc/passwd && ip link set lo up || exit 1
rpcbind -f & rpcbind=$!
echo ready; cat; kill $rpcbind
"""


class Network:
    """A loopback and an rpcbind of its own: Ganesha insists on one, and listens on all there is."""

    def __init__(self, base):
        self.path = base / "network"
        self.holder = None

    def start(self):
        self.path.mkdir(parents=True)
        users = pathlib.Path("/etc/passwd").read_text(encoding="utf-8")
        if "_rpc:" not in users:
            users += "_rpc:x:65533:65534::/run/rpcbind:/usr/sbin/nologin\n"
        (self.path / "passwd").write_text(users, encoding="utf-8")
        for program in ("rpcbind", "ganesha.nfsd", "unshare", "nsenter"):
            if not shutil.which(program, path=os.environ["PATH"] + ":/sbin:/usr/sbin"):
                raise BenchError(f"{program} is not installed: scripts/setup --bench")
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", HOLDER.format(folder=self.path)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            raise BenchError("no network of its own could be made: that needs root")

    def inside(self, *command):
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", *[str(word) for word in command]]

    def stop(self):
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait()
        self.holder = None


class Server:
    def __init__(self, network, base, name):
        self.network, self.name = network, name
        self.path = base / name.replace(" ", "-").replace(",", "")
        self.process = None

    def launch(self, *command):
        log = open(self.path / "log", "wb")
        with log:
            self.process = subprocess.Popen(self.network.inside(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait_for(self, pattern):
        """The log says so."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (found := re.search(pattern, (self.path / "log").read_text(errors="replace"))):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{self.name} does not start: {(self.path / 'log').read_text(errors='replace')[-500:]}")
            time.sleep(0.05)
        return found

    def stop(self):
        end(self.process)
        self.process = None

    def cpu(self):
        return cpu_seconds(self.process.pid)


class Ganesha(Server):
    """Debian's, in the foreground."""

    def __init__(self, network, base):
        super().__init__(network, base, "ganesha")
        self.root = self.path / "files"
        self.where = (NFS_PORT, MOUNT_PORT, self.root)

    def start(self):
        self.root.mkdir(parents=True)
        config = self.path / "ganesha.conf"
        config.write_text(GANESHA.format(root=self.root, nfs_port=NFS_PORT, mount_port=MOUNT_PORT), encoding="utf-8")
        self.launch("ganesha.nfsd", "-F", "-L", "STDOUT", "-f", config, "-p", self.path / "pid")
        self.wait_for("NFS SERVER INITIALIZED")


class FirnNfs(Server):
    def __init__(self, network, base, program, name, sync):
        super().__init__(network, base, name)
        self.program, self.sync = program, sync

    def start(self):
        self.path.mkdir(parents=True)
        volume = self.path / "volume"
        run([self.program, "init", volume])
        settings = volume / "firn.toml"
        mine = f'[nfs]\nexports = ["/ *(rw,no_root_squash,insecure)"]\nsync = {"true" if self.sync else "false"}\n'
        settings.write_text(settings.read_text(encoding="utf-8").replace("[nfs]\n", mine, 1), encoding="utf-8")
        self.launch(self.program, "serve", volume, "--nfs", "127.0.0.1:0")
        port = int(self.wait_for(r"nfs: serving at \S+:(\d+)")[1])
        self.where = (port, port, "/")


def load(server, work, **options):
    """Runs nfs_load; seconds, and the server's processor time meanwhile."""
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    before = server.cpu()
    told = json.loads(run(server.network.inside(nfs_load(), work, *server.where, *words)))
    return {"seconds": told["seconds"], "cpu_s": server.cpu() - before, "bytes": told["bytes"]}


class Sizes:
    def __init__(self, quick):
        self.mib, self.files = (64, 200) if quick else (512, 4000)


def data_works(firn, ganesha, sizes, rounds):
    works = []
    for connections, depth in ((1, 1), (1, 8), (CONNECTIONS, 4)):
        options = {"connections": connections, "depth": depth, "bytes": sizes.mib * MIB // connections}
        made = {what: Work(f"{what} {sizes.mib} MiB, connections: {connections}, calls at once on each: {depth}", "ganesha", DATA_AIM)
                for what in ("write", "read")}
        for _ in range(rounds):
            for server in (ganesha, firn):
                for what, work in made.items():
                    work.add("firn" if server is firn else "ganesha", load(server, what, **options))
                    os.sync()
        works += made.values()
    return works


def metadata_works(firns, ganesha, sizes, rounds):
    works = []
    for connections, depth in ((1, 1), (CONNECTIONS, 1), (CONNECTIONS, 16)):
        options = {"connections": connections, "depth": depth, "files": sizes.files // connections}
        for firn in firns:
            made = {what: Work(f"{firn.name}: {what}, connections: {connections}, calls at once on each: {depth}", "ganesha",
                               None if firn.sync else METADATA_AIM) for what in ("create", "stat", "remove")}
            for _ in range(rounds):
                for server in (ganesha, firn):
                    for what, work in made.items():
                        work.add("firn" if server is firn else "ganesha", load(server, what, **options))
            works += made.values()
    return works


def bench(figures, _targets, settings):
    base, sizes = settings.base / "nfs", Sizes(settings.quick)
    nfs_load()
    network = Network(base)
    ganesha = Ganesha(network, base)
    # Ganesha answers before names are on the disk: so does firn with sync = false, and does not by default.
    firn, durable = (FirnNfs(network, base, settings.firn, name, sync) for name, sync in (("firn", False), ("firn, sync", True)))
    with Stage(base, [network, ganesha, firn, durable]):
        works = [*data_works(firn, ganesha, sizes, settings.rounds),
                 *metadata_works((firn, durable), ganesha, sizes, settings.rounds)]
    figures.nfs = [work.summary() for work in works]
