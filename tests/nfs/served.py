"""A volume that a real daemon serves over NFS, with or without a FUSE mount of the same."""
import re
import subprocess
import time

from firn_cli import DEADLINE_S, FIRN, FirnTest

EVERYBODY = "/ *(rw,no_root_squash,insecure)"


class ServedTest(FirnTest):
    def setUp(self):
        super().setUp()
        self.server = None
        self.port = 0
        self.log = self.folder / "log"

    def tearDown(self):
        self.kill()
        super().tearDown()

    def configure(self, *exports, **settings):
        """What the section [nfs] of firn.toml says, instead of what it said."""
        lines = ['exports = [%s]' % ", ".join(f'"{text}"' for text in exports)]
        lines += [f"{key} = {value}" for key, value in settings.items()]
        path = self.volume / "firn.toml"
        before, after = re.sub(r"(?m)^exports = .*\n", "", path.read_text()).split("[nfs]\n")
        path.write_text(before + "[nfs]\n" + "\n".join(lines) + "\n" + after)

    def make(self, *exports, **settings):
        self.init()
        self.configure(*(exports or [EVERYBODY]), **settings)

    def wait_for_port(self, log):
        deadline = time.monotonic() + DEADLINE_S
        while True:
            found = re.findall(r"nfs: serving at \S*:(\d+)", log.read_text(errors="replace") if log.exists() else "")
            if found:
                self.port = int(found[-1])
                return
            self.assertLess(time.monotonic(), deadline, log.read_text() if log.exists() else "no log")
            if self.server:
                self.assertIsNone(self.server.poll(), log.read_text())
            time.sleep(0.01)

    def daemon(self, *arguments):
        """The command line of a daemon."""
        return [str(word) for word in (FIRN, *arguments)]

    def serve(self, port=None, host="127.0.0.1"):
        """firn serve, on a port of its own, or the one that it had before."""
        self.log.unlink(missing_ok=True)
        with open(self.log, "w", encoding="utf8") as log:
            # pylint: disable-next=consider-using-with
            self.server = subprocess.Popen(self.daemon("serve", self.volume, "--nfs", f"{host}:{port or 0}"),
                                           stdout=subprocess.DEVNULL, stderr=log, stdin=subprocess.DEVNULL)
        self.wait_for_port(self.log)

    def mount_and_serve(self):
        """Both doors: a FUSE mount whose daemon serves NFS, too."""
        self.mount()
        self.wait_for_port(self.volume / "firn.log")

    def stop(self):
        self.server.terminate()
        self.assertEqual(self.server.wait(timeout=DEADLINE_S), 0, self.log.read_text())
        self.server = None

    def kill(self):
        if self.server:
            self.server.kill()
            self.server.wait(timeout=DEADLINE_S)
            self.server = None

    def url(self, path="/", uid=0, gid=0):
        return f"nfs://127.0.0.1{path}?version=3&nfsport={self.port}&mountport={self.port}&uid={uid}&gid={gid}"
