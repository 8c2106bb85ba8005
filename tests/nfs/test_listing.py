"""READDIR and READDIRPLUS: a cookie means the same whatever happens to the names, to the connection, and to the server."""
import unittest

import raw_nfs as raw
from raw_nfs import Client, opaque, sattr, u32, u64
from served import EVERYBODY, ServedTest


class ListingTest(ServedTest):
    events = None

    def setUp(self):
        super().setUp()
        self.make(EVERYBODY, sync="false")
        if self.events is not None:
            path = self.volume / "firn.toml"
            before, after = path.read_text().split("[events]\n")
            path.write_text(f"{before}[events]\nkeep = {self.events}\n{after}")
        self.serve()
        self.connect()

    def tearDown(self):
        self.client.close()
        super().tearDown()

    def connect(self):
        self.client = Client(self.port)
        self.assertEqual(self.client.mount(), raw.OK)
        self.root = self.client.root

    def start_again(self, end):
        self.client.close()
        end()
        self.serve(self.port)
        self.connect()

    def folder_of(self, name, names=()):
        reader = self.client.call(raw.MKDIR, opaque(self.root) + opaque(name) + sattr(mode=0o755))
        self.assertEqual((reader.u32(), reader.u32()), (raw.OK, 1))
        folder = reader.opaque()
        for each in names:
            self.assertIsInstance(self.client.create(each, directory=folder, mode=0o600), bytes)
        return folder

    def page(self, folder, cookie=0, verifier=bytes(8), count=4096):
        """Pairs of a name and a cookie, the verifier, and whether that was all; or a failure's status."""
        reader = self.client.call(raw.READDIR, opaque(folder) + u64(cookie) + verifier + u32(count))
        status = reader.u32()
        if status != raw.OK:
            return status
        reader.optional_attributes()
        verifier, entries = reader.fixed(8), []
        while reader.u32():
            reader.u64()
            name = reader.opaque().decode()
            entries.append((name, reader.u64()))
        return entries, verifier, reader.u32() == 1

    def rest(self, folder, cookie, verifier):
        names = []
        while True:
            entries, verifier, end = self.page(folder, cookie, verifier)
            names += [name for name, _ in entries]
            if end:
                return names
            cookie = entries[-1][1]

    def remove(self, folder, *names):
        for name in names:
            self.assertEqual(self.client.status(raw.REMOVE, opaque(folder) + opaque(name)), raw.OK)

    def half(self, folder, count):
        """The first names, the cookie after them, which is in the middle of a page, and the verifier."""
        names, cookie, verifier = [], 0, bytes(8)
        while len(names) < count:
            entries, verifier, _ = self.page(folder, cookie, verifier)
            taken = entries[:count - len(names)]
            names += [name for name, _ in taken]
            cookie = taken[-1][1]
        return names, cookie, verifier


class Listing(ListingTest):
    def test_listing_while_names_go(self):
        names = [f"n{i:04}" for i in range(1500)]
        folder = self.folder_of("many", names)
        stays, goes = set(names[::2]), iter(names[1::2])
        with Client(self.port) as remover:
            def remove_one(_):
                victim = next(goes, None)
                if victim:
                    remover.call(raw.REMOVE, opaque(folder) + opaque(victim))
            found = self.client.names(folder, count=2000, plus=True, each=remove_one)
        self.assertEqual(len(found), len(set(found)), "a name came twice")
        self.assertLessEqual(stays, set(found))
        self.assertEqual(set(self.client.names(folder)), stays | set(goes) | {".", ".."})
        reader = self.client.call(raw.READDIR, opaque(folder) + u64(0) + bytes(8) + u32(16))
        self.assertEqual(reader.u32(), raw.TOOSMALL)
        reader = self.client.call(raw.READDIR, opaque(folder) + u64(99) + bytes(8) + u32(4096))
        self.assertEqual(reader.u32(), raw.BAD_COOKIE)

    def test_goes_on_after_a_restart_where_names_have_gone(self):
        for number, end in enumerate((self.kill, self.stop)):
            names = [f"some name {i:04}" for i in range(1000)]
            folder = self.folder_of(f"folder {number}", names)
            listed, cookie, verifier = self.half(folder, 501)
            listed = [name for name in listed if name not in (".", "..")]
            self.remove(folder, *listed[:-1])
            arguments = opaque(folder) + opaque(listed[-1]) + opaque(self.root) + opaque(f"moved {number}")
            self.assertEqual(self.client.status(raw.RENAME, arguments), raw.OK)
            self.start_again(end)
            self.remove(folder, names[700])
            self.client.create("some name 0000", directory=folder, mode=0o600)
            expected = sorted(set(names) - set(listed) - {names[700]})
            self.assertEqual(self.rest(folder, cookie, verifier), expected)
            self.assertEqual(self.rest(folder, cookie, verifier), expected, "and again")

    def test_goes_on_where_names_went_after_the_restart(self):
        names = [f"n{i}" for i in range(300)]
        folder = self.folder_of("folder", names)
        listed, cookie, verifier = self.half(folder, 152)
        self.start_again(self.kill)
        self.remove(folder, *listed[2:])
        self.assertEqual(self.rest(folder, cookie, verifier), sorted(set(names) - set(listed)))

    def test_goes_on_after_many_other_listings(self):
        folder = self.folder_of("folder", "abcdef")
        listed, cookie, verifier = self.half(folder, 5)
        self.assertEqual(listed, [".", "..", "a", "b", "c"])
        for i in range(100):
            self.assertEqual(self.rest(self.folder_of(f"other {i}"), 0, bytes(8)), [".", ".."])
        self.remove(folder, "c", "b")
        self.assertEqual(self.rest(folder, cookie, verifier), ["d", "e", "f"])

    def test_cookies_that_nobody_gave(self):
        folder = self.folder_of("folder", "abc")
        _, cookie, verifier = self.half(folder, 3)
        self.assertEqual(self.page(folder, 12345, verifier), raw.BAD_COOKIE)
        self.assertEqual(self.page(folder, cookie, b"verifier"), raw.BAD_COOKIE)
        self.remove(folder, "a", "b", "c")
        self.assertEqual(self.client.status(raw.RMDIR, opaque(self.root) + opaque("folder")), raw.OK)
        self.assertEqual(self.page(folder, cookie, verifier), raw.STALE)


class ListingWithoutALog(ListingTest):
    """Without the log of events nobody knows where names were that are gone: a client is told to begin again."""
    events = 0

    def test_goes_on_after_a_restart(self):
        folder = self.folder_of("folder", "abcdef")
        _, cookie, verifier = self.half(folder, 5)
        self.start_again(self.kill)
        self.assertEqual(self.rest(folder, cookie, verifier), ["d", "e", "f"])
        self.start_again(self.kill)
        self.remove(folder, "c")
        self.assertEqual(self.page(folder, cookie, verifier), raw.BAD_COOKIE)


if __name__ == "__main__":
    unittest.main()
