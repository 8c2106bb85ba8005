"""gc on a store that acknowledges what is repacked and forgets it: what was needed is still there, and comes back whole."""
import json
import os
import unittest

from proxied import ProxiedBucketTest, ProxiedTest

KEPT_EVERY = 5
FILES = 40
ROUNDS = 4


class Forgetful:
    def leave_little(self):
        """Blobs of which most is dead, and which are worth repacking."""
        for i in range(FILES):
            self.expected[f"f{i}"] = self.random.randbytes(self.random.randrange(150_000, 400_000))
            (self.mount_point / f"f{i}").write_bytes(self.expected[f"f{i}"])  # an fsync would have a blob of its own
        self.flush()
        for i in range(FILES):
            if i % KEPT_EVERY != 0:
                os.unlink(self.mount_point / f"f{i}")
                del self.expected[f"f{i}"]
        os.sync()
        self.assertGreater(len(self.blobs()), 0)

    def gc(self):
        return json.loads(self.firn("gc", self.volume, "--grace", "0s", "--json").stdout)

    def gc_while_all_is_forgotten(self):
        self.now_and_then(("forgotten",), 1, "/blob/", ("PUT",))
        for _ in range(ROUNDS):
            done = self.gc()
            self.assertGreater(done["failed"], 0, done)
            self.assertEqual(done["moved_chunks"], 0, done)
        self.assertGreaterEqual(self.proxy.injected.get("forgotten", 0), ROUNDS)


class ForgottenInATier(Forgetful, ProxiedTest):
    def assert_the_bucket_has_all(self):
        """What is read comes from there alone."""
        self.succeed("tier", "evict", self.volume)
        away = self.folder / "nas away"
        self.nas.rename(away)
        self.assert_tree()
        self.succeed("tier", "evict", self.volume)
        away.rename(self.nas)

    def test_nothing_moves_to_what_is_forgotten(self):
        self.make()
        self.leave_little()
        self.gc_while_all_is_forgotten()
        self.assert_the_bucket_has_all()
        self.proxy.heal()
        self.assertGreater(self.gc()["moved_chunks"], 0)
        self.gc()  # what was repacked is dead now
        self.assert_the_bucket_has_all()
        self.settle()


class ForgottenInABucket(Forgetful, ProxiedBucketTest):
    def test_nothing_moves_to_what_is_forgotten(self):
        self.make()
        self.leave_little()
        self.gc_while_all_is_forgotten()
        self.lose_machine()
        self.assert_tree()
        self.proxy.heal()
        self.assertGreater(self.gc()["moved_chunks"], 0)
        self.gc()
        self.lose_machine()
        self.assert_tree()
        self.settle()


if __name__ == "__main__":
    unittest.main(verbosity=2)
