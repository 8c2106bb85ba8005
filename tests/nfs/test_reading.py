"""Large reads, whose replies are made of the page cache's own pages: anywhere in a file, while others write it, cut it off and remove it."""
import os
import random
import threading
import time
import unittest

import raw_nfs as raw
from raw_nfs import Client, opaque, sattr, u32, u64
from served import ServedTest

SIZE = (3 << 20) + 1234
RACE_S = 2


class Reading(ServedTest):
    def setUp(self):
        super().setUp()
        self.make()
        self.serve()
        self.client = Client(self.port)
        self.addCleanup(self.client.close)
        self.client.mount()
        self.seed = random.randrange(1 << 32)
        print(f"{self.id()}: seed {self.seed}", flush=True)
        self.content = random.Random(self.seed).randbytes(SIZE)
        self.handle = self.client.create("f", mode=0o644)
        for at in range(0, SIZE, 1 << 20):
            self.client.write(self.handle, at, self.content[at:at + (1 << 20)], raw.UNSTABLE)
        self.client.commit(self.handle)

    @staticmethod
    def data_of(reader):
        """What a READ's reply has, which stands behind its xid; or its status."""
        for _ in range(5):
            reader.u32()
        status = reader.u32()
        if status != raw.OK:
            return status
        reader.optional_attributes()
        counted, end = reader.u32(), reader.u32()
        data = reader.opaque()
        reader.done()
        assert counted == len(data) and end in (0, 1)
        return data

    def read(self, offset, count):
        """As a client does that has another call under way: it gets pages where there are such."""
        read = self.client.message(raw.READ, opaque(self.handle) + u64(offset) + u32(count), xid=1)
        null = self.client.message(raw.NULL, xid=2)
        self.client.socket.sendall(b"".join(u32(len(record) | 1 << 31) + record for record in (read, null)))
        replies = {reader.u32(): reader for reader in (self.client.receive(), self.client.receive())}
        return self.data_of(replies[1])

    def check(self, offset, count):
        wanted = self.content[offset:offset + min(count, 1 << 20)]
        self.assertTrue(self.read(offset, count) == wanted, (offset, count))
        self.assertTrue(self.client.read(self.handle, offset, count) == wanted, (offset, count))

    def test_anywhere(self):
        source = random.Random(self.seed)
        for offset, count in ((0, 1 << 20), (SIZE - (1 << 20), 1 << 20), (SIZE - 70_001, 1 << 20), (1, 65_536), (1, 65_535),
                              (4095, 65_537), (SIZE, 70_000), (SIZE + 5, 70_000), (0, 1 << 30)):
            self.check(offset, count)
        for _ in range(100):
            self.check(source.randrange(SIZE), source.randrange(1 << 20))

    def test_many_at_once_on_one_connection(self):
        source = random.Random(self.seed)
        wanted = {}
        for xid in range(1, 41):
            offset, count = source.randrange(SIZE), source.randrange(60_000, 300_000)
            wanted[xid] = self.content[offset:offset + count]
            self.client.send(self.client.message(raw.READ, opaque(self.handle) + u64(offset) + u32(count), xid=xid))
        for _ in range(len(wanted)):
            reader = self.client.receive()
            expected = wanted.pop(reader.u32())
            self.assertTrue(self.data_of(reader) == expected)

    def test_what_is_not_in_the_page_cache(self):
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("1")
        for offset in range(0, SIZE, 1 << 20):
            self.check(offset, 1 << 20)

    def test_removed_meanwhile(self):
        for xid in (6, 7):
            self.client.send(self.client.message(raw.READ, opaque(self.handle) + u64(0) + u32(1 << 20), xid=xid))
        with Client(self.port) as other:
            other.mount()
            self.assertEqual(other.status(raw.REMOVE, opaque(other.root) + opaque("f")), raw.OK)
            for index in range(20):  # whose backings it might lend
                other.write(other.create(f"other{index}", mode=0o644), 0, b"x" * 200_000, raw.FILE_SYNC)
        for _ in range(2):
            reader = self.client.receive()
            reader.u32()
            self.assertIn(self.data_of(reader), (self.content[:1 << 20], raw.STALE))
        self.assertEqual(self.client.read(self.handle, 0, 10), raw.STALE)

    def cut_off_and_write(self, ended):
        with Client(self.port) as client:
            while not ended.is_set():
                for size in (100_000, 0, SIZE):
                    self.assertEqual(client.status(raw.SETATTR, opaque(self.handle) + sattr(size=size) + u32(0)), raw.OK)
                for at in range(0, SIZE, 1 << 20):
                    client.write(self.handle, at, self.content[at:at + (1 << 20)], raw.UNSTABLE)

    def check_piece(self, offset, piece):
        """Each byte is the file's, or a zero where it was cut off."""
        if piece == self.content[offset:offset + len(piece)]:
            return
        for at, byte in enumerate(piece):
            if byte not in (0, self.content[offset + at]):
                self.fail(f"byte {offset + at} is {byte}")

    def test_cut_off_meanwhile(self):
        source = random.Random(self.seed)
        ended = threading.Event()
        other = threading.Thread(target=self.cut_off_and_write, args=(ended,))
        other.start()
        ended_connections, end = 0, time.monotonic() + RACE_S
        try:
            while time.monotonic() < end:
                offset = source.randrange(SIZE)
                try:
                    self.check_piece(offset, self.read(offset, 1 << 20))
                except (EOFError, ConnectionError):
                    ended_connections += 1
                    self.client.close()
                    self.client = Client(self.port)
        finally:
            ended.set()
            other.join()
        self.check(0, 1 << 20)
        print(f"  {ended_connections} connections were ended", flush=True)
        self.client.close()


if __name__ == "__main__":
    unittest.main()
