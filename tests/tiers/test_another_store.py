"""A volume's last tier that is another store than before: whether it keeps two writers apart is asked before anybody writes."""
import shutil
import unittest

from fault_proxy import FaultProxy
from linkless import have_no_links, share
from proxied import ProxiedBucketTest, ProxiedTest

WORDS = ["tier s3", "ignores .*only if absent", "two writers", "use another server"]


class Careless:
    """Stores that know no conditions."""

    def ignore_conditions(self, proxy=None):
        proxy = proxy or self.proxy
        proxy.asked = 0  # whether it does

        def choose(method, path):
            proxy.asked += "/probe/" in path
            return "unconditional" if method == "PUT" else None

        proxy.inject(choose)

    def assert_nobody_took_over(self, roots):
        self.assertEqual(self.metadata("root"), roots)
        self.assertEqual(list((self.server.bucket / self.prefix / "probe").glob("*")), [])


class AnotherStore(Careless, ProxiedTest):
    def move_the_bucket(self):
        """To a server that has all of it."""
        proxy = FaultProxy(self.server.port)
        self.addCleanup(proxy.stop)
        config = self.volume / "firn.toml"
        text = config.read_text()
        config.write_text(text.replace(f"http://127.0.0.1:{self.proxy.port}", f"http://127.0.0.1:{proxy.port}"))
        self.assertNotEqual(config.read_text(), text)
        return proxy

    def test_init_refuses_a_store_that_knows_no_conditions(self):
        self.ignore_conditions()
        self.refuse("init", self.volume, "--tier", f"s3={self.url}", words=WORDS)
        self.assertGreater(self.proxy.asked, 0)
        self.assertFalse(self.volume.exists())
        self.assertEqual(list((self.server.bucket / self.prefix).rglob("*.*")), [])

    def test_a_share_without_hard_links_is_not_the_last_tier(self):
        folder = share(self) / "nas"
        done = self.firn("init", self.volume, "--tier", f"nas={folder}", preexec_fn=have_no_links)
        self.assert_refused(done, "tier nas", "without hard links", "two machines", "nearer tier", "NFS")
        self.assertFalse(self.volume.exists())
        self.assertFalse(folder.exists())
        done = self.firn("init", self.volume, "--tier", f"nas={folder}", "--tier", f"s3={self.url}",
                         preexec_fn=have_no_links)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_store_that_takes_over_is_asked(self):
        self.make()
        self.write_tree()
        self.flush()
        self.umount()
        moved = self.move_the_bucket()
        roots = self.metadata("root")
        self.ignore_conditions(moved)
        self.mount()  # what is on the local disk is there all the same
        self.assert_tree()
        self.wait_until(lambda: any("only if absent" in reason for reason in self.status()["reasons"]),
                        lambda: f"not told: {self.status()['reasons']}")
        reasons = "\n".join(self.status()["reasons"])
        for word in WORDS:
            self.assertRegex(reasons, word)
        self.assertFalse(self.status()["tiers"]["metadata"]["attached"])
        self.write("meanwhile", 700_000)
        self.refuse("tier", "flush", self.volume, words=["only if absent"])
        self.umount()
        self.assert_nobody_took_over(roots)
        moved.heal()
        self.mount()
        self.flush()
        self.assertEqual(self.status()["reasons"], [])
        self.settle()

    def test_a_store_is_asked_once(self):
        self.make()
        self.flush()
        self.umount()

        def asked(proxy):
            seen = []
            proxy.inject(lambda method, path: seen.append(path) if "/probe/" in path else None)
            self.mount()
            self.flush()
            self.umount()
            proxy.heal()
            self.assertEqual(list((self.server.bucket / self.prefix / "probe").glob("*")), [])
            return len(seen) > 0

        self.assertFalse(asked(self.proxy), "init has asked it")
        moved = self.move_the_bucket()
        self.assertTrue(asked(moved))
        self.assertFalse(asked(moved))
        self.mount()
        self.settle()

    def test_a_store_that_a_volume_is_restored_from_is_asked(self):
        self.make()
        self.write_tree()
        self.flush()
        self.umount()
        roots = self.metadata("root")
        restored = self.folder / "restored"
        self.ignore_conditions()
        self.refuse("restore", self.url, restored, words=WORDS)
        self.assert_nobody_took_over(roots)
        self.assertFalse(restored.exists())
        self.proxy.heal()
        self.go_on_restored()
        self.settle()


class AnotherStoreOfABucket(Careless, ProxiedBucketTest):
    def test_a_machine_asks_the_bucket_that_it_has_not_mounted_before(self):
        self.make()
        self.write_tree()
        self.umount()
        roots = self.metadata("root")
        shutil.rmtree(self.volume)
        self.ignore_conditions()
        self.mounted.append((self.volume, self.mount_point))
        self.refuse("mount", self.url, self.mount_point, "--cache", self.volume, words=WORDS)
        self.assert_nobody_took_over(roots)
        self.proxy.heal()
        self.mount()
        self.assert_tree()
        self.umount()
        self.ignore_conditions()
        self.mount()
        self.assertEqual(self.proxy.asked, 0)
        self.proxy.heal()
        self.settle()


if __name__ == "__main__":
    unittest.main(verbosity=2)
