"""firn cp: into a volume, out of it, and within one; through the volume's socket, with --url, and on a mount."""
import os
import unittest

from firn_cli import FIRN
from test_transfer import NAMES, TransferTest, make_tree, snapshot


class Copy(TransferTest):
    def remote(self, *arguments, directory=None):
        return self.run_program(FIRN, *arguments, cwd=directory or self.folder,
                                env={**os.environ, "FIRN_URL": self.url[1]})

    def got(self, path):
        """What the volume has there, as a local folder."""
        out = self.folder / f"out{len(list(self.folder.glob('out*')))}"
        self.succeed("get", "-r", "-T", self.here + path, out)
        return snapshot(out)

    def test_there_within_and_back(self):
        tree = make_tree(self.folder / "tree")
        before = snapshot(tree)
        counts = self.done("cp", "-r", tree, self.here + "/one")
        self.assertEqual((counts["files"], counts["left_out"]), (len(NAMES) + 3, 0))
        counts = self.done("cp", "-r", self.here + "/one", self.here + "/two")
        self.assertEqual((counts["files"], counts["left_out"]), (len(NAMES) + 3, 0))
        self.assertEqual(counts["bytes"], sum(1000 * number for number in range(len(NAMES))) + 3_000_000)
        self.succeed("cp", "-r", self.here + "/two", self.folder / "back")
        self.assertEqual(snapshot(self.folder / "back"), before)

    def test_with_a_server_relative_paths_are_local(self):
        tree = make_tree(self.folder / "tree")
        before = snapshot(tree)
        self.succeed("mkdir", self.here + "/photos")
        for words in (("./tree", "/photos/"), ("/photos/tree", "/photos/again"), ("/photos/again", "."),
                      ("/photos/again/folder", "/photos")):
            done = self.remote("cp", "-r", *words, directory=self.folder)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        self.assertEqual(snapshot(self.folder / "again"), before)
        self.assertEqual(sorted(self.succeed("ls", self.here + "/photos").split()), ["again", "folder", "tree"])

    def test_update_and_what_is_there(self):
        tree = make_tree(self.folder / "tree")
        self.succeed("cp", "-r", tree, self.here + "/one")
        for _ in range(2):
            counts = self.done("cp", "-r", "-u", "-T", self.here + "/one", self.here + "/two")
        self.assertEqual((counts["unchanged"], counts["bytes"]), (len(NAMES) + 1, 0))
        (tree / "folder" / "plain").write_text("changed")
        (tree / "link").unlink()
        (tree / "link").symlink_to("elsewhere")
        self.succeed("cp", "-r", "-u", "-T", tree, self.here + "/one")
        counts = self.done("cp", "-r", "-u", "-T", self.here + "/one", self.here + "/two")
        self.assertEqual((counts["unchanged"], counts["bytes"]), (len(NAMES), len("changed")))
        self.assertEqual(self.got("/two"), snapshot(tree))

    def test_one_file_keeps_the_permissions_of_what_it_replaces(self):
        for name, mode in (("a", 0o640), ("b", 0o600)):
            file = self.folder / name
            file.write_text(name)
            file.chmod(mode)
            self.succeed("put", "-r", file, self.here + "/")
        self.succeed("cp", self.here + "/a", self.here + "/c")
        self.succeed("cp", self.here + "/a", self.here + "/b")
        self.assertEqual(self.succeed("cat", self.here + "/b", self.here + "/c"), "aa")
        modes = {line.split()[-1]: line.split()[0] for line in self.succeed("ls", "-l", self.here + "/").splitlines()}
        self.assertEqual(modes, {"a": "-rw-r-----", "b": "-rw-------", "c": "-rw-r-----"})

    def test_refusals_say_why(self):
        local = self.folder / "local"
        local.write_text("x")
        self.succeed("mkdir", "-p", self.here + "/a/b")
        self.succeed("put", local, self.here + "/f")
        self.refuse("cp", self.here + "/a", self.here + "/c", words=["/a", "-r"])
        self.refuse("cp", "-r", self.here + "/a", self.here + "/a/b", words=["into itself"])
        self.refuse("cp", "-r", self.here + "/a", self.here + "/a", words=["into itself"])
        self.refuse("cp", "-T", self.here + "/f", self.here + "/f", words=["same file"])
        self.refuse("cp", self.here + "/f", self.here + "/f", words=["same file"])
        self.refuse("cp", self.here + "/none", self.here + "/g", words=["/none", "not found|no such"])
        self.refuse("cp", self.here + "/f", local, self.here + "/a", words=["some of the files"])
        self.refuse("put", local, self.here + "/none/", words=["no such folder", "firn mkdir"])
        self.refuse("put", local, self.here + "/none/f", words=["no folder", "firn mkdir"])
        self.refuse("cp", self.here + "/f", self.here + "/f", self.here + "/new", words=["no folder"])
        self.refuse("cp", self.here + "/f", code=2, words=["TARGET"])
        os.chdir(self.folder)
        self.refuse("cp", "local", "other", words=["in a volume"])
        other = self.init(self.folder / "other-volume")
        self.refuse("cp", self.here + "/f", f"{other}:/f", words=["serve"])
        self.assertEqual(self.succeed("cat", self.here + "/f"), "x")


if __name__ == "__main__":
    unittest.main()
