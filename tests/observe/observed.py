"""A mounted volume that HTTP and NFS clients reach, too, with a folder as its tier."""
import json
import os
import urllib.request

from firn_cli import DEADLINE_S, FirnTest


class ObservedTest(FirnTest):
    def setting(self, table, *lines):
        """Adds lines to a table of firn.toml."""
        file = self.volume / "firn.toml"
        text = "".join(line + "\n" for line in lines)
        file.write_text(file.read_text().replace(f"[{table}]\n", f"[{table}]\n{text}", 1))

    def make(self):
        self.nas = self.folder / "nas"
        self.succeed("init", self.volume, "--tier", f"nas={self.nas}")
        self.setting("http", 'listen = ["127.0.0.1:0"]')
        self.setting("nfs", 'address = "127.0.0.1:0"', 'exports = ["/ *(rw,no_root_squash,insecure)"]')
        self.mount()
        status = self.status()
        self.url = status["http"][0]
        self.nfs_port = status["nfs"].rpartition(":")[2]

    def status(self):
        return json.loads(self.firn("status", self.volume, "--json").stdout)

    def ask(self, route, method="GET", body=None):
        request = urllib.request.Request(self.url + route, data=body, method=method)
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
            return reply.read().decode()

    def scrape(self):
        """What /metrics says: the value of each series, by its name and labels."""
        lines = [line for line in self.ask("/metrics").splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def use_mount(self, count=40):
        for i in range(count):
            path = self.mount_point / f"small{i}"
            path.write_bytes(b"x" * 1000)
            self.assertEqual(path.read_bytes(), b"x" * 1000)
            os.rename(path, self.mount_point / f"renamed{i}")
            with self.assertRaises(OSError):
                os.getxattr(self.mount_point / f"renamed{i}", "user.none")
        (self.mount_point / "large").write_bytes(os.urandom(3 << 20))

    def use_doors(self):
        """Something of everything that the metrics tell of."""
        self.use_mount()
        self.ask("/v1/files/by-http", "PUT", b"h" * 5000)
        self.assertEqual(self.ask("/v1/files/by-http"), "h" * 5000)
        url = f"nfs://127.0.0.1/{{}}?version=3&nfsport={self.nfs_port}&mountport={self.nfs_port}&uid=0&gid=0"
        (self.folder / "local").write_bytes(b"n" * 7000)
        (self.mount_point / "nfs").mkdir()
        for words in (("nfs-cp", self.folder / "local", url.format("nfs/file")), ("nfs-ls", url.format("nfs")),
                      ("nfs-cp", url.format("nfs/file"), self.folder / "back")):
            done = self.run_program(*words)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.succeed("tier", "flush", self.volume)
        self.succeed("tier", "evict", self.mount_point / "large")
        self.assertEqual(len((self.mount_point / "large").read_bytes()), 3 << 20)
