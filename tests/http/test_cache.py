"""The cache of contents: firn cat and get of a server that --url names."""
import json
import os
import re
import subprocess
import threading
import unittest

from firn_cli import DEADLINE_S, FIRN
from served import ServedTest

LARGE = 3_000_000


class Cache(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.serve()
        self.url = f"http://127.0.0.1:{self.port}"
        self.contents = self.folder / "caches" / "contents"
        self.environment = {**os.environ, "FIRN_URL": self.url, "FIRN_CACHE_DIR": str(self.contents.parent)}
        for name in ("FIRN_CACHE_SIZE", "FIRN_TOKEN", "FIRN_CA_FILE"):
            self.environment.pop(name, None)

    def run_firn(self, *arguments, **environment):
        return subprocess.run([str(FIRN), *map(str, arguments)], env={**self.environment, **environment}, check=False,
                              timeout=DEADLINE_S, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)

    def output(self, *arguments, **environment):
        done = self.run_firn(*arguments, **environment)
        self.assertEqual((done.returncode, done.stderr), (0, b""), arguments)
        return done.stdout

    def put(self, path, content):
        file = self.folder / "source"
        file.write_bytes(content)
        self.succeed("put", file, f"{self.volume}:{path}")
        return content

    def sent_bytes(self):
        metrics = self.ask("GET", "/v1/metrics").body.decode()
        return int(re.search(r"^firn_http_sent_bytes_total (\d+)", metrics, re.MULTILINE).group(1))

    def moved(self, action):
        """What the server sent meanwhile, in bytes of bodies."""
        before = self.sent_bytes()
        action()
        return self.sent_bytes() - before

    def usage(self, **environment):
        return json.loads(self.output("cache", "--json", **environment))

    def kept(self):
        return sorted(self.contents.glob("content/*"))

    def test_what_is_unchanged_is_not_sent_again(self):
        content = self.put("/f", os.urandom(LARGE))
        self.assertGreater(self.moved(lambda: self.assertEqual(self.output("cat", "/f"), content)), LARGE)
        self.assertLess(self.moved(lambda: self.assertEqual(self.output("cat", "/f"), content)), LARGE // 10)
        target = self.folder / "got"
        self.assertLess(self.moved(lambda: self.output("get", "/f", target)), LARGE // 10)
        self.assertEqual(target.read_bytes(), content)
        self.assertEqual((self.usage()["files"], self.usage()["folder"]), (1, str(self.contents)))
        self.assertEqual(self.contents.stat().st_mode & 0o777, 0o700)
        self.output("cache", "clear")
        self.assertEqual(self.usage()["bytes"], 0)
        self.assertGreater(self.moved(lambda: self.output("get", "/f", target)), LARGE)
        self.assertLess(self.moved(lambda: self.assertEqual(self.output("cat", "/f"), content)), LARGE // 10)
        self.assertGreater(self.moved(lambda: self.output("cat", "/f", FIRN_CACHE_SIZE="0")), LARGE)

    def test_a_changed_file_is_never_an_old_one(self):
        for number in range(5):
            content = self.put("/f", bytes([number]) * 100_000)
            self.assertEqual(self.output("cat", "/f"), content)
            reply = self.ask("PATCH", "/v1/files/f?offset=50000", b"x%d" % number)
            self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(self.output("cat", "/f"), content[:50_000] + b"x%d" % number + content[50_002:])
        self.assertEqual(len(self.kept()), 10)

    def test_refusals_win(self):
        content = self.put("/f", os.urandom(100_000))
        self.assertEqual(self.output("cat", "/f"), content)
        self.stop(self.daemons[0])
        self.settings(loopback="token")
        secret, narrow = self.token("--read-only"), self.token("--path", "/other")
        self.serve(f"127.0.0.1:{self.port}")
        self.assertEqual(self.output("cat", "/f", FIRN_TOKEN=secret), content)
        for token, word in (("", b"token"), (narrow, b"/other")):
            refused = self.run_firn("cat", "/f", FIRN_TOKEN=token)
            self.assertEqual((refused.returncode, refused.stdout), (1, b""))
            self.assertIn(word, refused.stderr)
        self.succeed("rm", f"{self.volume}:/f")
        gone = self.run_firn("cat", "/f", FIRN_TOKEN=secret)
        self.assertEqual((gone.returncode, gone.stdout), (1, b""))

    def test_a_damaged_content_is_fetched_anew(self):
        content = self.put("/f", os.urandom(LARGE))
        for damage in (lambda file: os.truncate(file, LARGE // 2), lambda file: file.write_bytes(os.urandom(LARGE)),
                       lambda file: file.unlink()):
            self.assertEqual(self.output("cat", "/f"), content)
            damage(self.kept()[0])
            self.assertGreater(self.moved(lambda: self.assertEqual(self.output("cat", "/f"), content)), LARGE)

    def test_several_commands_at_once_and_a_bound(self):
        limit = 2_000_000
        contents = {f"/f{number}": self.put(f"/f{number}", os.urandom(200_000 + number)) for number in range(12)}
        wrong = []

        def read_all(offset):
            paths = list(contents)
            for path in paths[offset:] + paths[:offset]:
                done = self.run_firn("cat", path, FIRN_CACHE_SIZE="2000000B")
                if (done.returncode, done.stdout) != (0, contents[path]):
                    wrong.append((path, done.returncode, len(done.stdout), done.stderr))
        threads = [threading.Thread(target=read_all, args=(offset,)) for offset in (0, 0, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        sizes = [file.stat().st_size for file in self.contents.rglob("*") if file.is_file()]
        self.assertLessEqual(sum(sizes), limit)
        self.assertGreater(sum(sizes), limit // 2)
        self.assertEqual(list(self.contents.glob("parts/*")), [])

    def test_without_a_server_that_is_named_nothing_is_kept(self):
        self.put("/f", os.urandom(100_000))
        environment = {**self.environment}
        environment.pop("FIRN_URL")
        done = self.run_program(FIRN, "get", f"{self.volume}:/f", self.folder / "got", env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(self.contents.exists())
        self.assert_refused(self.run_program(FIRN, "cat", "/f", env={**self.environment, "FIRN_CACHE_SIZE": "lots"}),
                            "FIRN_CACHE_SIZE")


if __name__ == "__main__":
    unittest.main()
