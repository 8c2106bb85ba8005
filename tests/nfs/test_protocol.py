"""What the protocol promises, call by call, and what a hostile client gets."""
import socket
import unittest
from concurrent.futures import ThreadPoolExecutor

import raw_nfs as raw
from raw_nfs import Client, opaque, sattr, u32, u64
from served import EVERYBODY, ServedTest


def seen(attributes):
    """What weak cache data has of attributes that were there before."""
    return attributes.size, attributes.mtime, attributes.ctime


def largest_file(client):
    """What FSINFO says."""
    reader = client.call(raw.FSINFO, opaque(client.root))
    reader.u32()
    reader.optional_attributes()
    for _ in range(7):  # how much is read, written and listed at once
        reader.u32()
    return reader.u64()


class Protocol(ServedTest):
    exports = [EVERYBODY]

    def setUp(self):
        super().setUp()
        self.make(*self.exports, sync="false")
        self.serve()
        self.client = Client(self.port)
        self.assertEqual(self.client.mount(), raw.OK)
        self.root = self.client.root

    def tearDown(self):
        self.client.close()
        super().tearDown()

    def test_null_and_unknown(self):
        for program in (raw.NFS, raw.MOUNT):
            self.client.call(raw.NULL, program=program).done()
        for program, version, procedure, expected in ((raw.NFS, 2, 0, 2), (raw.NFS, 3, 22, 3), (100227, 3, 0, 1),
                                                      (raw.NFS, 3, raw.GETATTR, 4)):
            self.client.send(self.client.message(procedure, b"", program, version))
            reader = self.client.receive()
            reader.fixed(4 * 5)
            self.assertEqual(reader.u32(), expected)

    def test_exclusive_create_is_once(self):
        first = self.client.create("x", raw.EXCLUSIVE, verifier=b"verifier")
        self.assertIsInstance(first, bytes)
        self.assertEqual(self.client.create("x", raw.EXCLUSIVE, verifier=b"verifier"), first)
        self.assertEqual(self.client.create("x", raw.EXCLUSIVE, verifier=b"verifies"), raw.EXIST)
        self.kill()
        self.serve(self.port)
        with Client(self.port) as again:
            again.root = self.root
            self.assertEqual(again.create("x", raw.EXCLUSIVE, verifier=b"verifier"), first)
            self.assertEqual(again.create("x", raw.GUARDED, mode=0o600), raw.EXIST)
            self.assertEqual(again.create("x", raw.UNCHECKED, mode=0o600), first)

    def test_the_write_verifier_changes_when_data_may_be_lost_and_not_otherwise(self):
        kept = self.volume / "nfs.verifier"

        def written():
            handle = self.client.create("verified", mode=0o644)
            verifier = self.client.write(handle, 0, b"x", raw.UNSTABLE)
            self.assertEqual(self.client.commit(handle), verifier)
            self.assertFalse(kept.exists(), "a crash from here on must make a new one")
            return verifier

        def restart(end):
            self.client.close()
            end()
            self.serve(self.port)
            self.client = Client(self.port)
            self.assertEqual(self.client.mount(), raw.OK)

        seen = [written()]
        restart(self.stop)
        self.assertEqual(written(), seen[0], "nothing was lost")
        for _ in range(2):
            restart(self.kill)
            self.assertNotIn(written(), seen)
            seen.append(written())
        restart(self.stop)
        self.assertEqual(written(), seen[-1])
        self.client.close()
        self.stop()
        kept.write_text("nonsense\n")
        self.serve(self.port)
        self.client = Client(self.port)
        self.assertEqual(self.client.mount(), raw.OK)
        self.assertNotIn(written(), seen)

    def test_weak_cache_data(self):
        handle = self.client.create("f", mode=0o644)
        reader = self.client.call(raw.WRITE, opaque(handle) + u64(0) + u32(5, raw.FILE_SYNC) + opaque(b"hello"))
        self.assertEqual(reader.u32(), raw.OK)
        pre, post = reader.weak_cache()
        self.assertIsNone(pre, "writes run side by side")
        self.assertEqual(post.size, 5)
        self.assertEqual(self.client.getattr(handle).mtime, post.mtime)
        for attributes in ({"mode": 0o600}, {"size": 3}, {"size": 2, "mode": 0o640, "mtime": (5, 0)}):
            before = self.client.getattr(handle)
            reader = self.client.call(raw.SETATTR, opaque(handle) + sattr(**attributes) + u32(0))
            self.assertEqual(reader.u32(), raw.OK)
            self.assertEqual(reader.weak_cache(), (seen(before), self.client.getattr(handle)))
        place = opaque(self.root)
        for procedure, arguments, skipped in (
                (raw.MKDIR, place + opaque("d") + sattr(mode=0o755), "made"),
                (raw.SYMLINK, place + opaque("s") + sattr() + opaque("target"), "made"),
                (raw.CREATE, place + opaque("g") + u32(raw.GUARDED) + sattr(mode=0o600), "made"),
                (raw.CREATE, place + opaque("x") + u32(raw.EXCLUSIVE) + b"verifier", "made"),
                (raw.LINK, opaque(handle) + place + opaque("l"), "linked"),
                (raw.RENAME, place + opaque("g") + place + opaque("h"), None),
                (raw.RMDIR, place + opaque("d"), None),
                (raw.REMOVE, place + opaque("f"), None)):
            before = self.client.getattr(self.root)
            reader = self.client.call(procedure, arguments)
            self.assertEqual(reader.u32(), raw.OK)
            if skipped == "made" and reader.u32():
                reader.opaque()
            if skipped:
                self.assertIsNotNone(reader.optional_attributes())
            self.assertEqual(reader.weak_cache(), (seen(before), self.client.getattr(self.root)), procedure)
        reader = self.client.call(raw.REMOVE, place + opaque("f"))
        self.assertEqual(reader.u32(), raw.NOENT)
        self.assertEqual(reader.weak_cache(), (None, self.client.getattr(self.root)))

    def side_by_side(self, *works):
        """Runs each with a connection of its own, and returns what they return."""
        def run(work):
            with Client(self.port) as client:
                return work(client)
        with ThreadPoolExecutor(len(works)) as pool:
            return [done.result(timeout=120) for done in [pool.submit(run, work) for work in works]]

    def test_weak_cache_data_is_of_one_change(self):
        """What each call tells of the directory follows on what another told, without a gap and without an overlap."""
        place = opaque(self.root)
        first = self.client.getattr(self.root)

        def make_and_remove(client):
            told = []
            mine = f"f{client.socket.getsockname()[1]}"
            for i in range(150):
                reader = client.call(raw.MKDIR, place + opaque(f"{mine}-{i}") + sattr(mode=0o755))
                self.assertEqual(reader.u32(), raw.OK)
                if reader.u32():
                    reader.opaque()
                reader.optional_attributes()
                told.append(reader.weak_cache())
                reader = client.call(raw.RMDIR, place + opaque(f"{mine}-{i}"))
                self.assertEqual(reader.u32(), raw.OK)
                told.append(reader.weak_cache())
            return told

        told = sum(self.side_by_side(*[make_and_remove] * 4), [])
        told.sort(key=lambda pair: pair[1].mtime)
        self.assertEqual([pre for pre, _ in told], [seen(first)] + [seen(post) for _, post in told[:-1]])

    def test_guarded_changes_do_not_overwrite_each_other(self):
        """Several count in one file's time of modification, while others change it in other ways."""
        handle = self.client.create("f", mode=0o600)
        self.client.status(raw.SETATTR, opaque(handle) + sattr(mtime=(1000, 0)) + u32(0))

        def count(client):
            refused = 0
            for _ in range(100):
                while True:
                    known = client.getattr(handle)
                    wanted = sattr(mtime=(known.mtime[0] + 1, 0), size=known.mtime[0] % 100)
                    reader = client.call(raw.SETATTR, opaque(handle) + wanted + u32(1, *known.ctime))
                    status = reader.u32()
                    if status == raw.OK:
                        pre, post = reader.weak_cache()
                        self.assertIn(pre, (None, seen(known)))
                        if pre:  # else it may be what another has made of it meanwhile
                            self.assertEqual(post.mtime[0], known.mtime[0] + 1)
                        break
                    self.assertEqual(status, raw.NOT_SYNC)
                    refused += 1
            return refused

        def rename(client):
            for i in range(300):
                names = ("f", "g") if i % 2 == 0 else ("g", "f")
                arguments = b"".join(opaque(self.root) + opaque(name) for name in names)
                self.assertEqual(client.status(raw.RENAME, arguments), raw.OK)
            return 0

        refused = self.side_by_side(count, count, count, rename)
        self.assertGreater(sum(refused), 0)
        self.assertEqual(self.client.getattr(handle).mtime[0], 1300)
        self.assertEqual(self.client.getattr(handle).size, 1299 % 100)

    def test_guarded_setattr(self):
        handle = self.client.create("f", mode=0o644)
        ctime = self.client.getattr(handle).ctime
        wrong = opaque(handle) + sattr(mode=0o600) + u32(1, ctime[0] - 1, ctime[1])
        self.assertEqual(self.client.status(raw.SETATTR, wrong), raw.NOT_SYNC)
        right = opaque(handle) + sattr(mode=0o600) + u32(1, *ctime)
        self.assertEqual(self.client.status(raw.SETATTR, right), raw.OK)
        self.assertEqual(self.client.getattr(handle).mode, 0o600)

    def test_owner_may_read_and_write_whatever_the_mode(self):
        self.client.status(raw.SETATTR, opaque(self.root) + sattr(mode=0o777) + u32(0))
        with Client(self.port, uid=1000, gid=1000) as owner, Client(self.port, uid=2000, gid=2000) as other:
            owner.root = other.root = self.root
            handle = owner.create("f", mode=0)
            self.assertIsInstance(owner.write(handle, 0, b"mine"), bytes)
            self.assertEqual(owner.read(handle, 0, 10), b"mine")
            self.assertEqual(owner.status(raw.SETATTR, opaque(handle) + sattr(size=2) + u32(0)), raw.OK)
            self.assertEqual(other.read(handle, 0, 10), raw.ACCES)
            self.assertEqual(other.write(handle, 0, b"his"), raw.ACCES)
            self.assertEqual(self.access(owner, handle), 0)
            self.client.status(raw.SETATTR, opaque(handle) + sattr(mode=0o751) + u32(0))
            self.assertEqual(self.access(owner, handle), 0x01 | 0x04 | 0x08 | 0x20)
            self.assertEqual(self.access(other, handle), 0x20)
            self.assertEqual(other.read(handle, 0, 10), b"mi", "to run it is to read it")

    def access(self, client, handle):
        reader = client.call(raw.ACCESS, opaque(handle) + u32(0x3f))
        self.assertEqual(reader.u32(), raw.OK)
        reader.optional_attributes()
        return reader.u32()

    def test_groups(self):
        handle = self.client.create("f", mode=0o640, uid=5, gid=116)
        self.client.write(handle, 0, b"shared")
        groups = range(101, 117)
        with Client(self.port, uid=1000, gid=100, groups=groups) as member:
            self.assertEqual(member.read(handle, 0, 10), b"shared")
        with Client(self.port, uid=1000, gid=100, groups=groups[:-1]) as stranger:
            self.assertEqual(stranger.read(handle, 0, 10), raw.ACCES)

    def test_stale_and_forged_handles(self):
        handle = self.client.create("f", mode=0o644)
        self.client.write(handle, 0, b"x")
        self.assertEqual(self.client.status(raw.REMOVE, opaque(self.root) + opaque("f")), raw.OK)
        for procedure, more in ((raw.GETATTR, b""), (raw.READ, u64(0) + u32(1)), (raw.COMMIT, u64(0) + u32(0))):
            self.assertEqual(self.client.status(procedure, opaque(handle) + more), raw.STALE)
        for i in range(len(self.root)):
            forged = bytearray(self.root)
            forged[i] ^= 0x10
            self.assertEqual(self.client.getattr(bytes(forged)), raw.BADHANDLE)
        self.assertEqual(self.client.getattr(b""), raw.BADHANDLE)
        self.assertEqual(self.client.getattr(bytes(64)), raw.BADHANDLE)

    def test_names_that_are_none(self):
        for name in (".", "..", "", "a/b", "a\0b"):
            self.assertEqual(self.client.create(name), raw.INVAL, name)
            self.assertEqual(self.client.status(raw.REMOVE, opaque(self.root) + opaque(name)), raw.INVAL)
        self.assertEqual(self.client.create("n" * 256), 63)
        self.assertIsInstance(self.client.lookup(".."), bytes)
        self.assertEqual(self.client.lookup("..."), raw.NOENT)

    def test_fragments(self):
        data = bytes(range(256)) * 64
        handle = self.client.create("f", mode=0o644)
        arguments = opaque(handle) + u64(0) + u32(len(data), raw.FILE_SYNC) + opaque(data)
        reader = self.client.call(raw.WRITE, arguments, fragment=977)
        self.assertEqual(reader.u32(), raw.OK)
        self.assertEqual(self.client.read(handle, 0, len(data)), data)

    def test_pipelined_calls_are_all_answered(self):
        xids = set()
        for _ in range(500):
            self.client.send(self.client.message(raw.GETATTR, opaque(self.root)))
            xids.add(self.client.xid)
        answered = {self.client.receive().u32() for _ in range(500)}
        self.assertEqual(answered, xids)

    def test_repeated_calls_are_carried_out_once(self):
        message = self.client.message(raw.MKDIR, opaque(self.root) + opaque("once") + sattr(mode=0o755), xid=77)
        self.client.send(message)
        self.assertEqual(self.client.reply(77).u32(), raw.OK)
        with Client(self.port) as reconnected:
            reconnected.send(message)
            self.assertEqual(reconnected.reply(77).u32(), raw.OK, "told what came of the first time")
        other = self.client.message(raw.MKDIR, opaque(self.root) + opaque("once") + sattr(mode=0o755), xid=78)
        self.client.send(other)
        self.assertEqual(self.client.reply(78).u32(), raw.EXIST)

    def test_what_a_server_that_died_has_done_is_not_done_again(self):
        place = opaque(self.root)
        for name in ("from", "gone", "linked"):
            self.client.create(name, mode=0o600)
        self.client.call(raw.MKDIR, place + opaque("empty") + sattr(mode=0o755))
        linked = opaque(self.client.lookup("linked"))
        attributes = sattr(mode=0o640, uid=7, mtime=(5, 0))
        calls = ((raw.RENAME, place + opaque("from") + place + opaque("to"), raw.NOENT),
                 (raw.REMOVE, place + opaque("gone"), raw.NOENT),
                 (raw.RMDIR, place + opaque("empty"), raw.NOENT),
                 (raw.LINK, linked + place + opaque("link"), raw.EXIST),
                 (raw.MKDIR, place + opaque("made") + attributes, raw.EXIST),
                 (raw.SYMLINK, place + opaque("symlink") + sattr() + opaque("target"), raw.EXIST),
                 (raw.MKNOD, place + opaque("fifo") + u32(7) + attributes, raw.EXIST),
                 (raw.CREATE, place + opaque("guarded") + u32(raw.GUARDED) + attributes, raw.EXIST),
                 (raw.CREATE, place + opaque("exclusive") + u32(raw.EXCLUSIVE) + b"verifier", raw.OK))

        def ask(client, number):
            procedure, arguments, _ = calls[number]
            client.send(client.message(procedure, arguments, xid=9000 + number))
            reader = client.reply(9000 + number)
            status = reader.u32()
            made = procedure in (raw.MKDIR, raw.SYMLINK, raw.MKNOD, raw.CREATE)
            # The handle, and what the call made of it.
            return status, reader.opaque() if made and reader.u32() else None, reader.optional_attributes() if made else None

        first = [ask(self.client, i) for i in range(len(calls))]
        self.assertEqual({status for status, _, _ in first}, {raw.OK})
        names = sorted(self.client.names(self.root))
        self.kill()
        self.serve(self.port)
        with Client(self.port) as again:
            self.assertEqual([ask(again, i)[:2] for i in range(len(calls))], [told[:2] for told in first])
            self.assertEqual([ask(again, i)[:2] for i in range(len(calls))], [told[:2] for told in first], "and again")
            made = again.getattr(again.lookup("guarded", self.root))
            self.assertEqual((made.mode, made.uid, made.mtime), (0o640, 7, (5, 0)))
            self.assertEqual(again.getattr(again.lookup("linked", self.root)).nlink, 2)
            self.assertEqual(sorted(again.names(self.root)), names)
            # Another call is another call.
            for procedure, arguments, expected in calls:
                self.assertEqual(again.status(procedure, arguments), expected)
        self.stop()
        self.serve(self.port)
        with Client(self.port) as again:
            self.assertEqual(ask(again, 0)[0], raw.NOENT, "a server that was stopped has answered everything")

    def test_what_was_undone_since_is_not_done_again(self):
        message = self.client.message(raw.REMOVE, opaque(self.root) + opaque("f"), xid=77)
        self.client.create("f", mode=0o600)
        self.client.send(message)
        self.assertEqual(self.client.reply(77).u32(), raw.OK)
        self.client.create("f", mode=0o600)
        self.kill()
        self.serve(self.port)
        with Client(self.port) as again:
            again.send(message)
            self.assertEqual(again.reply(77).u32(), raw.OK)
            self.assertIsInstance(again.lookup("f", self.root), bytes, "it is another file's name by now")

    def test_write_verifier_changes_with_the_run(self):
        handle = self.client.create("f", mode=0o644)
        verifiers = {self.client.write(handle, 0, b"a", raw.UNSTABLE), self.client.write(handle, 1, b"b", raw.DATA_SYNC),
                     self.client.commit(handle)}
        self.assertEqual(len(verifiers), 1)
        self.client.write(handle, 2, b"committed", raw.UNSTABLE)
        self.client.commit(handle)
        self.kill()
        self.serve(self.port)
        with Client(self.port) as again:
            self.assertEqual(again.read(handle, 0, 100), b"abcommitted")
            self.assertNotIn(again.commit(handle), verifiers)

    def test_garbage_ends_its_connection_alone(self):
        handle = self.client.create("f", mode=0o644)
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, u32(0x80000004) + b"abcd", u32(0x80000000),
                        u32(0x7fffffff) + b"x", u32(0x80000000 | 8) + u32(1, 1)):
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as stranger:
                stranger.sendall(garbage)
                try:
                    self.assertEqual(stranger.recv(100), b"", garbage)
                except ConnectionResetError:
                    pass
        self.assertIsInstance(self.client.getattr(handle), raw.Attributes)
        self.assertIn("the connection is closed", self.log.read_text())

    def test_credentials_of_other_kinds(self):
        self.client.credentials = u32(6) + opaque(b"")  # RPCSEC_GSS
        self.client.send(self.client.message(raw.GETATTR, opaque(self.root)))
        reader = self.client.receive()
        reader.u32()
        self.assertEqual([reader.u32() for _ in range(4)], [1, 1, 1, 5])

    def test_stops_gracefully(self):
        handle = self.client.create("f", mode=0o644)
        self.client.write(handle, 0, b"unstable", raw.UNSTABLE)
        self.stop()
        self.serve(self.port)
        with Client(self.port) as again:
            self.assertEqual(again.read(handle, 0, 100), b"unstable")

    def test_file_system_information(self):
        for procedure in (raw.FSSTAT, raw.FSINFO, raw.PATHCONF):
            reader = self.client.call(procedure, opaque(self.root))
            self.assertEqual(reader.u32(), raw.OK)
            self.assertIsNotNone(reader.optional_attributes())
            if procedure == raw.FSINFO:
                self.assertEqual(reader.u32(), 1 << 20)
        self.assertEqual(largest_file(self.client), (1 << 63) - 1)


class LargestFile(ServedTest):
    def test_is_what_tiers_can_have(self):
        self.succeed("init", self.volume, "--tier", f"nas={self.folder / 'nas'}", "--chunk-size", 1 << 16)
        self.configure(EVERYBODY)
        self.serve()
        with Client(self.port) as client:
            self.assertEqual(client.mount(), raw.OK)
            self.assertEqual(largest_file(client), 1 << 48)


if __name__ == "__main__":
    unittest.main()
