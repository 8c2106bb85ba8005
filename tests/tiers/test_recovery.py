"""What docs/recovery.md says of a tier that is gone for good, done word for word."""
import json
import re
import shutil
import subprocess
import unittest

from tiered import TieredTest

MARKER = "A firn object store. Do not remove this file.\nid {}\n"


class Recovery(TieredTest):
    def make_with_history(self):
        """Files that are here and in both tiers, and files that are in the tiers only."""
        self.make()
        self.write_tree()
        for i in range(3):
            self.write(f"away/f{i}", 2 << 20)
        self.flush()
        self.succeed("tier", "evict", self.mount_point / "away")
        self.id = json.loads(self.succeed("status", self.volume, "--json"))["id"]

    def set_urls(self, **urls):
        """`tiers.stores` in firn.toml: names and order as they are."""
        path = self.volume / "firn.toml"
        stores = ", ".join(f'"{name}={urls[name]}"' for name in ("nas", "s3"))
        text, changed = re.subn(r"(?m)^#?stores = .*$", f"stores = [{stores}]", path.read_text())
        self.assertEqual(changed, 1, text)
        path.write_text(text)

    def bucket_object(self, prefix, name):
        return self.server.bucket / prefix / name

    def repair_unmounted(self):
        self.assertRegex(self.succeed("fsck", "--deep", "--repair", self.volume), r"problems, all repaired")
        self.mount()

    def repair_mounted(self):
        self.mount()
        done = self.firn("scrub", self.volume)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)

    def assert_served_by(self, lost):
        """With what was lost out of the way, all is there from the tier that was made anew alone."""
        self.assertIn("0 damaged", self.succeed("scrub", self.volume))
        self.succeed("tier", "evict", self.volume)
        lost()
        self.assert_tree()

    def lose_nas(self, repair):
        self.make_with_history()
        shutil.rmtree(self.nas)
        self.write("meanwhile", 2 << 20)
        self.umount()
        new = self.folder / "new nas"
        new.mkdir()
        (new / "firn-store").write_text(MARKER.format(self.id))
        shutil.copy(self.bucket_object(self.prefix, "volume"), new / "volume")
        self.set_urls(nas=new, s3=self.url)
        repair()
        self.wait_until_drained()
        self.assert_tree()
        self.assert_served_by(self.server.stop)
        self.server.start()
        self.nas = new
        self.settle()

    def test_a_nas_that_is_gone_for_good_and_fsck(self):
        self.lose_nas(self.repair_unmounted)

    def test_a_nas_that_is_gone_for_good_and_scrub(self):
        self.lose_nas(self.repair_mounted)

    def test_a_bucket_that_is_gone_while_the_disk_is_there(self):
        self.make_with_history()
        self.umount()
        shutil.rmtree(self.server.bucket / self.prefix)
        prefix = self.prefix + "-new"
        url = self.server.url(prefix)
        self.put_object(prefix, "volume", self.nas / "volume")
        self.set_urls(nas=self.nas, s3=url)
        self.repair_mounted()
        self.wait_until_drained()
        self.assert_tree()
        self.umount()
        self.fsck_deep()
        # The bucket is enough for all that comes after.
        shutil.rmtree(self.volume)
        shutil.rmtree(self.nas)
        self.go_on_restored(url=url)

    def put_object(self, prefix, name, source):
        done = subprocess.run(["curl", "-sS", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                               f"{self.environment['AWS_ACCESS_KEY_ID']}:{self.environment['AWS_SECRET_ACCESS_KEY']}",
                               "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-T", source, f"http://127.0.0.1:{self.server.port}/{self.server.bucket.name}/{prefix}/{name}"],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
