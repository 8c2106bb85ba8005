"""What a real client (libnfs, and its tools) can do with a served volume."""
import errno
import os
import random
import stat
import unittest

from libnfs import Mount
from served import ServedTest


class Operations(ServedTest):
    def setUp(self):
        super().setUp()
        self.make()
        self.serve()
        self.nfs = Mount(self.url())

    def tearDown(self):
        self.nfs.close()
        super().tearDown()

    def assert_fails(self, error, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.errno, error, caught.exception)

    def test_tools(self):
        content = random.Random(1).randbytes(5_000_000)
        (self.folder / "local").write_bytes(content)
        self.nfs.call("mkdir", "/folder")  # what the tools mount: for them, the last name is a file's
        copied = self.run_program("nfs-cp", self.folder / "local", self.url("/folder/copy"))
        self.assertEqual(copied.returncode, 0, copied.stderr)
        listed = self.run_program("nfs-ls", self.url("/folder"))
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertRegex(listed.stdout, r"5000000 copy\b")
        back = self.run_program("nfs-cp", self.url("/folder/copy"), self.folder / "back")
        self.assertEqual(back.returncode, 0, back.stderr)
        self.assertEqual((self.folder / "back").read_bytes(), content)

    def test_big_transfers_and_odd_offsets(self):
        data = random.Random(2).randbytes((6 << 20) + 12345)
        self.nfs.write_file("/big", data)
        self.assertEqual(self.nfs.read_file("/big"), data)
        handle = self.nfs.open("/big", os.O_RDWR)
        self.nfs.pwrite(handle, 1_000_003, b"patch")
        self.assertEqual(self.nfs.pread(handle, 1_000_000, 11), data[1_000_000:1_000_003] + b"patch" + data[1_000_008:1_000_011])
        self.assertEqual(self.nfs.pread(handle, len(data) + 5, 10), b"")
        self.nfs.pwrite(handle, 20 << 20, b"far")
        self.assertEqual(self.nfs.pread(handle, len(data), 4), bytes(4))
        self.nfs.call("close", handle)
        self.assertEqual(self.nfs.stat("/big").size, (20 << 20) + 3)

    def test_names(self):
        self.nfs.call("mkdir2", "/folder", 0o750)
        self.assertEqual(stat.S_IMODE(self.nfs.stat("/folder").mode), 0o750)
        self.nfs.write_file("/folder/a", b"one")
        self.nfs.call("link", "/folder/a", "/b")
        self.assertEqual(self.nfs.stat("/b").nlink, 2)
        self.assertEqual(self.nfs.stat("/b").ino, self.nfs.stat("/folder/a").ino)
        self.nfs.call("rename", "/b", "/folder/c")
        self.assertEqual(sorted(self.nfs.listdir("/folder")), ["a", "c"])
        self.nfs.call("symlink", "folder/a", "/link")
        self.assertEqual(self.nfs.readlink("/link"), "folder/a")
        self.assertTrue(stat.S_ISLNK(self.nfs.stat("/link").mode))
        self.assertEqual(self.nfs.read_file("/link"), b"one")
        self.nfs.write_file("/other", b"two")
        self.nfs.call("rename", "/other", "/folder/a")
        self.assertEqual(self.nfs.read_file("/folder/a"), b"two")
        self.assertEqual(self.nfs.read_file("/folder/c"), b"one")
        self.assert_fails(errno.ENOTEMPTY, self.nfs.call, "rmdir", "/folder")
        self.assert_fails(errno.EEXIST, self.nfs.call, "mkdir", "/folder")
        self.assert_fails(errno.ENOENT, self.nfs.call, "unlink", "/nothing")
        for name in ("a", "c"):
            self.nfs.call("unlink", "/folder/" + name)
        self.nfs.call("rmdir", "/folder")
        self.assertEqual(self.nfs.listdir("/"), ["link"])

    def test_special_files(self):
        self.nfs.call("mknod", "/fifo", stat.S_IFIFO | 0o640, 0)
        self.nfs.call("mknod", "/device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        self.assertTrue(stat.S_ISFIFO(self.nfs.stat("/fifo").mode))
        self.assertTrue(stat.S_ISCHR(self.nfs.stat("/device").mode))
        self.nfs.call("unlink", "/fifo")

    def test_attributes(self):
        self.nfs.write_file("/file", b"0123456789")
        self.nfs.call("chmod", "/file", 0o604)
        self.nfs.call("chown", "/file", 1000, 2000)
        self.nfs.utimes("/file", (1_000_000, 5), (2_000_000, 7))
        found = self.nfs.stat("/file")
        self.assertEqual((stat.S_IMODE(found.mode), found.uid, found.gid), (0o604, 1000, 2000))
        self.assertEqual((found.atime, found.mtime, found.mtime_nsec), (1_000_000, 2_000_000, 7000))
        self.nfs.call("truncate", "/file", 4)
        self.assertEqual(self.nfs.read_file("/file"), b"0123")
        self.nfs.call("truncate", "/file", 6)
        self.assertEqual(self.nfs.read_file("/file"), b"0123\0\0")
        self.assertGreater(self.nfs.stat("/file").mtime, 2_000_000)

    def test_each_user_his_own(self):
        self.nfs.call("chmod", "/", 0o777)
        with Mount(self.url(uid=1000, gid=1000)) as alice, Mount(self.url(uid=2000, gid=2000)) as bob:
            alice.write_file("/private", b"secret", mode=0o600)
            self.assertEqual((alice.stat("/private").uid, alice.stat("/private").gid), (1000, 1000))
            self.assert_fails(errno.EACCES, bob.read_file, "/private")
            self.assert_fails(errno.EACCES, bob.call, "truncate", "/private", 0)
            self.assert_fails(errno.EPERM, bob.call, "chmod", "/private", 0o666)
            self.assert_fails(errno.EPERM, alice.call, "chown", "/private", 2000, 2000)
            self.assertEqual(alice.read_file("/private"), b"secret")
            alice.call("chmod", "/private", 0o644)
            self.assertEqual(bob.read_file("/private"), b"secret")

    def test_thousands_of_names(self):
        self.nfs.call("mkdir", "/many")
        names = {f"name-{i:05}-{'x' * (i % 40)}" for i in range(3000)}
        handle_flags = os.O_RDWR
        for name in names:
            self.nfs.call("close", self.nfs.create("/many/" + name, handle_flags))
        self.assertEqual(set(self.nfs.listdir("/many")), names)
        self.assertEqual(len(self.nfs.listdir("/many")), len(names))


if __name__ == "__main__":
    unittest.main()
