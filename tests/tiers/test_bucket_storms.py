"""A volume that lives in a bucket whose answers get lost, come late, or do not come: what fsync acknowledged is there for
the next machine, nobody fences itself, and who is taken over in the middle of it loses nothing."""
import os
import threading
import time
import unittest

from bucket_volume import LONG_S, TAKEN_OVER
from fault_proxy import BROKEN, WITHOUT
from proxied import ProxiedBucketTest

LEASE_S = 5  # tiers.lease
LIGHT_STORM = 0.08  # both daemons get on
AWAY_S = 20  # longer than a request is tried again before its failure is told


class BucketStorms(ProxiedBucketTest):
    def test_a_storm(self):
        names = WITHOUT + BROKEN + ("put_corrupted", "late")
        self.make()
        self.now_and_then(names)
        for i in range(1, 31):
            self.write_some()
            if i % 10 == 0:
                self.lose_machine()
                self.assert_tree()
        for name in names:
            self.assertGreater(self.proxy.injected.get(name, 0), 0, self.proxy.injected)
        self.settle()

    def test_taken_over_in_a_storm(self):
        self.be_taken_over(WITHOUT + BROKEN + ("late",))

    def test_taken_over_while_it_writes(self):
        self.be_taken_over(())

    def be_taken_over(self, faults):
        """The former writer goes on as fast as it can."""
        self.make()
        acknowledged, stop, outside = {}, threading.Event(), self.folder.stat().st_dev

        def write_on():
            for number in range(100_000):
                content = self.random.randbytes(self.random.choice([90, 5_000, 100_000]))
                try:
                    with open(self.mount_point / f"n{number}", "xb", buffering=0) as file:
                        if os.fstat(file.fileno()).st_dev == outside:
                            return
                        file.write(content)
                        os.fsync(file.fileno())
                except OSError:
                    return
                if stop.is_set():
                    return
                acknowledged[f"n{number}"] = content

        self.write("before", 300_000)
        self.now_and_then(faults or (None,), LIGHT_STORM)
        writer = threading.Thread(target=write_on)
        writer.start()
        first, elsewhere = self.volume, self.folder / "elsewhere"
        elsewhere.mkdir()
        try:
            self.wait_until(lambda: len(acknowledged) > 5)
            self.mount(self.folder / "other", elsewhere)
            self.wait_for_end(first)
        finally:
            stop.set()
            writer.join(LONG_S)
        self.assertFalse(writer.is_alive())
        self.assertIn(TAKEN_OVER, (first / "firn.log").read_text())
        self.volume, self.mount_point = self.folder / "other", elsewhere
        for path in elsewhere.glob("n*"):
            if path.name not in acknowledged:  # it was being written
                path.unlink()
        self.expected.update(acknowledged)
        self.assert_tree()
        self.write_some()
        self.settle()

    def test_being_asked_to_slow_down(self):
        self.make()
        refused = [20]

        def choose(method, path):
            refused[0] -= 1
            return "slow_down" if refused[0] >= 0 else None

        self.proxy.inject(choose)
        for _ in range(4):
            self.write_some()
        self.assertLess(refused[0], 0)
        self.assert_tree()
        self.settle()

    def test_a_log_object_that_arrived_and_was_not_answered(self):
        """Its place is taken when it is put again: by the same writer, who goes on."""
        self.make()
        self.write("a", 5_000)
        for name in ("answer_lost", "late", "reset_midway"):
            with self.subTest(name):
                self.once_each(name, "/log/", ("PUT",))
                self.write("a", 3_000, at=len(self.expected["a"]))
                self.assertEqual(self.proxy.injected, {name: 1})
                self.assert_tree()
                self.assert_not_fenced()
        self.settle()

    def test_reads_go_on_while_a_log_object_that_arrived_is_not_answered(self):
        self.make()
        self.write("a", 5_000)
        self.write("b", 5_000)
        self.once_each("swallowed", "/log/", ("PUT",))
        begun = time.monotonic()
        thread, outcome = self.fsync_elsewhere("a")
        time.sleep(LEASE_S + 2)  # what was said before the PUT is not enough any more
        self.assertEqual((self.mount_point / "b").stat().st_size, 5_000)
        self.assertLess(time.monotonic() - begun, LEASE_S + 7)
        self.assertTrue(thread.is_alive())
        thread.join(LONG_S)
        self.assertFalse(thread.is_alive())
        self.assertIsNone(outcome["error"])
        self.assertEqual(self.proxy.injected, {"swallowed": 1})
        self.expected["a"] += b"more"
        self.assert_tree()
        self.settle()

    def test_connections_that_hang(self):
        self.make()
        self.write("cold", 900_000)
        self.lose_machine()
        self.once_each("hang", "/blob/", ("GET",))
        self.assert_tree()
        self.assertEqual(self.proxy.injected, {"hang": 1})
        self.once_each("hang", "/log/", ("PUT",))
        self.write("small", 90)
        self.assertEqual(self.proxy.injected, {"hang": 1})
        self.settle()

    def test_fsync_waits_while_chunks_do_not_arrive(self):
        self.make()
        self.write("small", 90)
        self.now_and_then(("slow_down",), 1, "/blob/")
        healing = threading.Timer(AWAY_S, self.proxy.heal)
        healing.start()
        try:
            self.write("large", 900_000)
        finally:
            healing.join()
        self.assertGreater(self.proxy.injected["slow_down"], 8)
        self.settle()


if __name__ == "__main__":
    unittest.main(verbosity=2)
