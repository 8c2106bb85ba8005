"""Attributes, listings, links and copies over HTTP."""
import base64
import json
import os
import unittest

from served import ServedTest


class Names(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.serve()

    def change(self, path, token=None, **members):
        return self.ask("PATCH", "/v1/meta" + path, json.dumps(members).encode(), token=token)

    def put(self, path, body=b"x"):
        self.assertIn(self.ask("PUT", "/v1/files" + path, body).status, (201, 204), path)

    def walk(self, path, **options):
        """All pages."""
        query = "".join(f"&{key}={value}" for key, value in options.items())
        names, after = [], ""
        while True:
            page = self.ask("GET", f"/v1/ls{path}?after={after}{query}").json()
            names += [entry["name"] for entry in page["entries"]]
            after = page["next"]
            if after is None:
                return names

    def test_attributes(self):
        self.put("/f", b"content")
        changed = self.change("/f", mode="0600", uid=1000, gid=1000, mtime="1000000000.5", atime=7,
                              xattrs={"user.text": "grüß", "user.bytes": {"base64": base64.b64encode(b"\xff\0").decode()}})
        self.assertEqual(changed.status, 200, changed.body)
        meta = self.ask("GET", "/v1/meta/f").json()
        self.assertEqual((meta["mode"], meta["uid"], meta["size"], meta["mtime"], meta["atime"]),
                         ("0600", 1000, 7, "1000000000.500000000", "7.000000000"))
        self.assertEqual(meta["xattrs"], {"user.text": "grüß", "user.bytes": {"base64": "/wA="}})
        self.assertEqual(self.ask("GET", "/v1/files/f").headers["etag"], meta["etag"])
        self.assertEqual(self.ask("GET", "/v1/files/f").headers["last-modified"], "Sun, 09 Sep 2001 01:46:40 GMT")
        self.assertEqual(self.change("/f", xattrs={"user.text": None}).json()["xattrs"].keys(), {"user.bytes"})
        for wrong in ({"mode": 0o600}, {"size": 1}, {"uid": -1}, {"mtime": "soon"}, {"xattrs": {"user.x": 1}}):
            self.assertEqual(self.change("/f", **wrong).status, 400, wrong)
        self.assertEqual(self.ask("PATCH", "/v1/meta/f", b"not json").status, 400)
        self.assertEqual(self.ask("PATCH", "/v1/meta/f", b"[" * 1_000_000).status, 400)
        self.assertEqual(self.ask("PATCH", "/v1/meta/f", b" " * 2_000_000).status, 413)

    def test_a_move_names_the_version_that_it_moves(self):
        self.put("/f", b"content")
        tag = self.ask("GET", "/v1/meta/f").json()["etag"]
        moved = "/v1/move?from=/f&to=/g&durable=1"
        self.assertEqual(self.ask("POST", moved, If_Match='"other"').status, 412)
        self.assertEqual(self.ask("PATCH", "/v1/files/f?append=1", b"more").status, 200)
        self.assertEqual(self.ask("POST", moved, If_Match=tag).status, 412)
        self.assertEqual(self.ask("GET", "/v1/files/f").body, b"contentmore")
        tag = self.ask("GET", "/v1/meta/f").json()["etag"]
        self.assertEqual(self.ask("POST", moved, If_Match=tag).status, 204)
        self.assertEqual(self.ask("GET", "/v1/files/g").body, b"contentmore")
        self.assertEqual(self.ask("POST", moved, If_Match=tag).status, 404)

    def test_a_mount_sees_them(self):
        self.put("/f", b"content")
        self.change("/f", mode="0640", mtime="1000000000.5", xattrs={"user.a": "b"})
        self.stop(self.daemons[0])
        self.mount()
        file = self.mount_point / "f"
        self.assertEqual((file.stat().st_mode & 0o7777, file.stat().st_mtime_ns), (0o640, 1000000000_500000000))
        self.assertEqual(os.getxattr(file, "user.a"), b"b")
        self.umount()

    def test_who_may(self):
        self.put("/f")
        token = self.token("--write", "--uid", "1234", "--gid", "5678")
        for members in ({"mode": "777"}, {"uid": 1234}, {"mtime": 1}, {"xattrs": {"user.a": "b"}}):
            self.assertEqual(self.change("/f", token, **members).status, 403, members)
        self.change("/f", uid=1234)
        self.assertEqual(self.change("/f", token, mode="600", xattrs={"user.a": "b"}).status, 200)
        self.assertEqual(self.change("/f", token, uid=0).status, 403)
        self.assertEqual(self.change("/f", self.token(), mode="600").status, 403)

    def test_pages(self):
        self.assertEqual(self.ask("POST", "/v1/mkdir?path=/d/e&parents=1").status, 201)
        for i in range(30):
            self.put(f"/d/{i:02}")
        self.put("/d/e/x")
        self.put("/d/" + "%fc")
        flat = [f"{i:02}" for i in range(30)] + ["e", "\ufffd"]
        deep = flat[:-1] + ["e/x", "\ufffd"]
        for limit in (1, 7, 1000):
            self.assertEqual(self.walk("/d", limit=limit), flat)
            self.assertEqual(self.walk("/d", limit=limit, recursive=1), deep)
        last = self.ask("GET", "/v1/ls/d").json()["entries"][-1]
        self.assertEqual(last["name_hex"], "fc")
        for query in ("limit=0", "limit=10001", "limit=x", "after=%2e%2e", "after=Li4", "recursive=perhaps"):
            self.assertEqual(self.ask("GET", "/v1/ls/d?" + query).status, 400, query)
        self.assertEqual(self.ask("GET", "/v1/ls/none").status, 404)
        self.assertEqual(self.succeed("ls", f"{self.volume}:/d").splitlines()[:30], flat[:30])

    def test_copies_and_links(self):
        content = os.urandom(3_000_000)
        self.put("/f", content)
        self.change("/f", mode="0640")
        made = self.ask("POST", "/v1/copy?from=/f&to=/copy")
        self.assertEqual(made.status, 201)
        copy = self.ask("GET", "/v1/files/copy")
        self.assertTrue(copy.body == content)
        self.assertEqual(copy.headers["etag"], made.headers["etag"])
        self.assertEqual(self.ask("GET", "/v1/meta/copy").json()["mode"], "0640")
        self.assertEqual(self.ask("POST", "/v1/copy?from=/f&to=/copy&no_replace=1").status, 409)
        self.assertEqual(self.ask("POST", "/v1/copy?from=/f&to=/copy", If_None_Match="*").status, 412)
        self.assertEqual(self.ask("POST", "/v1/copy?from=/f&to=/copy", If_Match=made.headers["etag"]).status, 204)
        self.assertEqual(self.ask("POST", "/v1/link?from=/f&to=/hard").json()["nlink"], 2)
        self.assertEqual(self.ask("POST", "/v1/symlink?path=/soft&target=none").json()["type"], "symlink")
        self.assertEqual(self.ask("GET", "/v1/meta/soft").json()["target"], "none")
        self.assertEqual(self.ask("GET", "/v1/meta/soft?follow=1").status, 404)
        self.assertEqual(self.ask("GET", "/v1/files/soft").status, 404)
        self.assertEqual(self.walk("/"), ["copy", "f", "hard", "soft"])

    def test_both_ends_are_inside_a_tokens_folder(self):
        self.assertEqual(self.ask("POST", "/v1/mkdir?path=/in").status, 201)
        self.assertEqual(self.ask("POST", "/v1/mkdir?path=/out").status, 201)
        self.put("/in/f")
        self.put("/out/f")
        self.ask("POST", "/v1/symlink?path=/in/away&target=/out")
        token = self.token("--write", "--path", "/in")

        def status(method, target):
            return self.ask(method, target, b"{}" if method == "PATCH" else b"", token=token).status

        for name in ("move", "copy", "link"):
            for ends in ("from=/in/f&to=/out/g", "from=/out/f&to=/in/g", "from=/in/f&to=/in/away/g", "from=/in/away/f&to=/in/g",
                         "from=/in/f&to=/in/../out/g", "from=/in/f&to=/in/g&to=/out/g"):
                self.assertEqual(status("POST", f"/v1/{name}?{ends}"), 403, (name, ends))
        self.assertEqual(status("POST", "/v1/copy?from=/in/f&to=/in/c"), 201)
        self.assertEqual(status("POST", "/v1/link?from=/in/f&to=/in/h"), 201)
        self.assertEqual(status("POST", "/v1/move?from=/in/h&to=/in/m"), 204)
        self.assertEqual(status("POST", "/v1/symlink?path=/out/s&target=f"), 403)
        self.assertEqual(status("POST", "/v1/symlink?path=/in/s&target=f"), 201)
        for method, target in (("GET", "meta/out/f"), ("PATCH", "meta/out/f"), ("PATCH", "files/out/f?append=1"), ("GET", "ls/out"),
                               ("GET", "ls/in/away"), ("PATCH", "meta/in/away/f"), ("GET", "meta/in/away?follow=1"), ("GET", "ls/")):
            self.assertEqual(status(method, "/v1/" + target), 403, target)
        listed = self.ask("GET", "/v1/ls/in?recursive=1", token=token).json()["entries"]
        self.assertEqual([entry["name"] for entry in listed], ["away", "c", "f", "m", "s"])


if __name__ == "__main__":
    unittest.main()
