"""Volumes with colder tiers: places that cannot be used, inits that break off, passphrases. Folders, and a real S3 server."""
import os
import pty
import signal
import socket
import subprocess
import time
import unittest

from firn_cli import DEADLINE_S, FIRN, FirnTest, needs_root
from s3_server import S3Server


def setUpModule():
    global server
    server = S3Server()


def tearDownModule():
    server.remove()


class TierTest(FirnTest):
    prefixes = 0

    def setUp(self):
        super().setUp()
        TierTest.prefixes += 1
        self.prefix = f"prefix{TierTest.prefixes}"
        self.nas = self.folder / "nas"
        self.environment = server.environment()

    def run_program(self, *command, **more):
        more.setdefault("env", self.environment)
        return super().run_program(*command, **more)

    def tier_nas(self):
        return ["--tier", f"nas={self.nas}"]

    def tier_s3(self, options=""):
        return ["--tier", f"s3={server.url(self.prefix)}{options}"]

    def bucket_object(self):
        return server.bucket / self.prefix / "volume"

    def setting(self, old, new):
        path = self.volume / "firn.toml"
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def assert_untouched(self):
        """Nothing is left of an init that failed."""
        self.assertFalse(self.volume.exists())
        self.assertFalse(self.nas.exists())
        self.assertFalse(self.bucket_object().exists())

    def assert_mounts(self):
        self.mount()
        (self.mount_point / "file").write_text("content")
        self.umount()


class Init(TierTest):
    def test_folder_and_bucket(self):
        said = self.succeed("init", self.volume, *self.tier_nas(), *self.tier_s3())
        self.assertIn("same disk", said)
        self.assertEqual((self.nas / "volume").read_bytes(), self.bucket_object().read_bytes())
        self.assert_mounts()

    def test_a_share_that_is_not_mounted_is_warned_of(self):
        on_root = os.stat(self.folder).st_dev == os.stat("/").st_dev
        done = self.firn("init", self.volume, *self.tier_nas())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual("warning: the tier nas" in done.stderr, on_root, done.stderr)

    @needs_root
    def test_a_share_that_is_mounted_is_not_warned_of(self):
        disk = self.small_disk(64)
        done = self.firn("init", self.volume, "--tier", f"nas={disk}/nas")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_relative_folder(self):
        done = self.firn("init", self.volume, "--tier", "nas=here/../nas", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'"nas={self.nas}"', (self.volume / "firn.toml").read_text())
        self.assertTrue((self.nas / "firn-store").exists())

    def test_the_environments_endpoint_is_kept_and_its_keys_are_not(self):
        self.environment["AWS_REGION"] = "us-east-1"
        self.succeed("init", self.volume, *self.tier_s3())
        settings = (self.volume / "firn.toml").read_text()
        self.assertIn(f'\nendpoint = "http://127.0.0.1:{server.port}"\n', settings)
        self.assertIn('\nregion = "us-east-1"\n', settings)
        self.assertNotIn("firn-test-key", settings)
        self.assertNotIn("firn-test-secret", settings)

    def test_an_endpoint_in_the_url(self):
        self.environment |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "elsewhere"}
        self.succeed("init", self.volume, *self.tier_s3(f"?endpoint=http://127.0.0.1:{server.port}&region=us-east-1"))
        self.assertTrue(self.bucket_object().exists())

    def test_misuse(self):
        many = [word for i in range(9) for word in ("--tier", f"t{i}={self.folder}/t{i}")]
        for options in (["--tier", "nas"], ["--tier", "s3://bucket/prefix"], ["--tier", "NAS=/mnt"], ["--tier", "hot=/mnt"],
                        ["--tier", "a=ftp://host/x"], ["--tier", "a=s3://"], ["--tier", "a=s3://bucket/x?colour=red"],
                        ["--tier", "a=/x", "--tier", "a=/y"], ["--tier", "a=/x", "--tier", "b=/x/"], ["--tier", "a=/"], many,
                        ["--encrypt"], ["--dedup"], ["--compress", "lz4"], [*self.tier_nas(), "--durability", "object"], ["--durability", "moon"],
                        [*self.tier_nas(), "--compress", "gzip"], [*self.tier_nas(), "--key-file", "/key"],
                        [*self.tier_nas(), "--chunk-size", "32MiB"], ["--tier", b"a=/caf\xe9".decode(errors="surrogateescape")]):
            with self.subTest(options):
                self.refuse("init", self.volume, *options, code=2)
        self.assert_untouched()

    def test_folder_without_parent(self):
        self.refuse("init", self.volume, "--tier", f"nas={self.folder}/no/such", words=["tier nas", "no such", "mount"])
        self.assert_untouched()

    def test_folder_with_other_things(self):
        self.nas.mkdir()
        (self.nas / "mine").write_text("mine")
        self.refuse("init", self.volume, *self.tier_nas(), words=["tier nas", "not empty"])
        self.assertEqual(os.listdir(self.nas), ["mine"])
        self.assertFalse(self.volume.exists())

    def test_a_folder_inside_the_volume(self):
        for inside in (self.volume, self.volume / "tier"):
            self.refuse("init", self.volume, "--tier", f"nas={inside}", words=["tier nas", "inside the volume"])
        self.assert_untouched()

    def test_a_file_in_place_of_the_folder(self):
        self.nas.write_text("file")
        self.refuse("init", self.volume, *self.tier_nas(), words=["tier nas", "not a directory"])
        self.assertEqual(self.nas.read_text(), "file")

    def test_wrong_credentials(self):
        self.environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
        self.refuse("init", self.volume, *self.tier_nas(), *self.tier_s3(), words=["tier s3", "403", "credentials"])
        self.assert_untouched()

    def test_no_credentials(self):
        del self.environment["AWS_ACCESS_KEY_ID"]
        self.refuse("init", self.volume, *self.tier_nas(), *self.tier_s3(), words=["tier s3", "AWS_ACCESS_KEY_ID"])
        self.assert_untouched()

    def test_missing_bucket(self):
        self.refuse("init", self.volume, *self.tier_nas(), "--tier", "s3=s3://no-such-bucket/x",
                    words=["tier s3", "NoSuchBucket", "make the bucket"])
        self.assert_untouched()

    def test_wrong_region(self):
        self.environment["AWS_REGION"] = "elsewhere"
        self.refuse("init", self.volume, *self.tier_nas(), *self.tier_s3(), words=["tier s3", "in region us-east-1"])
        self.assert_untouched()

    def test_nobody_listens(self):
        self.environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
        self.refuse("init", self.volume, *self.tier_nas(), *self.tier_s3(), words=["tier s3", "127.0.0.1:1", "endpoint"])
        self.assert_untouched()

    def test_somebody_listens_and_never_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
            self.refuse("init", self.volume, *self.tier_nas(), *self.tier_s3(), words=["tier s3", "endpoint"])
        self.assert_untouched()

    def test_another_volumes_place(self):
        self.succeed("init", self.volume, *self.tier_nas(), *self.tier_s3())
        marks = (self.nas / "volume").read_bytes(), self.bucket_object().read_bytes()
        other = self.folder / "other"
        for tier in (self.tier_nas(), self.tier_s3()):
            self.refuse("init", other, *tier, words=["place of the volume", '"volume"', "id [0-9a-f]{32}", "made 20", "UTC"])
        self.assertEqual(marks, ((self.nas / "volume").read_bytes(), self.bucket_object().read_bytes()))
        self.assertFalse(other.exists())
        # Nor is a place free whose mark cannot be read.
        self.bucket_object().write_bytes(b"noise" * 20)
        self.refuse("init", other, *self.tier_s3(), words=["not firn's", "prefix"])

    def interrupted_init(self, *tiers):
        """An init that was killed while a silent server kept it waiting, after it had marked the tiers before."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            waiting = f"late=s3://bucket/x?endpoint=http://127.0.0.1:{silent.getsockname()[1]}"
            init = subprocess.Popen([FIRN, "init", self.volume, *tiers, "--tier", waiting], env=self.environment,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            silent.settimeout(DEADLINE_S)
            silent.accept()[0].close()
            init.send_signal(signal.SIGKILL)
            init.wait()
        self.refuse("mount", self.volume, self.mount_point, words=["interrupted", "firn init"])

    def test_interrupted_and_repeated(self):
        self.interrupted_init(*self.tier_nas(), *self.tier_s3())
        interrupted = (self.nas / "volume").read_bytes()
        self.refuse("init", self.folder / "other", *self.tier_nas(), words=["place of the volume"])
        self.succeed("init", self.volume, *self.tier_nas(), *self.tier_s3())
        self.assertEqual((self.nas / "volume").read_bytes(), self.bucket_object().read_bytes())
        self.assertNotEqual((self.nas / "volume").read_bytes(), interrupted)
        self.assert_mounts()

    def test_interrupted_and_repeated_in_vain(self):
        self.interrupted_init(*self.tier_nas())
        self.refuse("init", self.volume, *self.tier_nas(), "--tier", "s3=s3://no-such-bucket/x", words=["NoSuchBucket"])
        self.assertFalse((self.nas / "firn-store").exists())
        self.succeed("init", self.folder / "other", *self.tier_nas())

    def test_two_inits_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            waiting = f"late=s3://bucket/x?endpoint=http://127.0.0.1:{silent.getsockname()[1]}"
            init = subprocess.Popen([FIRN, "init", self.volume, "--tier", waiting], env=self.environment,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            silent.settimeout(DEADLINE_S)
            silent.accept()[0].close()
            self.refuse("init", self.volume, words=["another firn init is at work"])
            init.kill()
            init.wait()
        self.succeed("init", self.volume)


class Mount(TierTest):
    def setUp(self):
        super().setUp()
        self.succeed("init", self.volume, *self.tier_nas(), *self.tier_s3())

    def test_while_every_tier_is_away(self):
        (self.nas / "firn-store").rename(self.folder / "away")
        self.setting(f"127.0.0.1:{server.port}", "127.0.0.1:1")
        self.assert_mounts()

    def test_settings_that_make_no_sense(self):
        self.setting("#low_watermark = 70", "low_watermark = 99")
        self.refuse("mount", self.volume, self.mount_point, words=["firn.toml", "low_watermark"])
        self.setting("low_watermark = 99", "low_watermark = 0")
        self.setting('"s3=s3:', '"s3=s4:')
        self.refuse("mount", self.volume, self.mount_point, words=[r"firn.toml:\d+", "tiers.stores", "s3://bucket"])


class Policies(TierTest):
    def test_refusals(self):
        self.succeed("init", self.volume, *self.tier_nas(), *self.tier_s3())
        self.mount()
        file = self.mount_point / "file"
        file.write_bytes(b"content" * 10000)
        os.symlink("file", self.mount_point / "link")
        for options in (["--pin", "nas"], ["--pin", ""], ["--pin"], ["--skip"], ["--pin", "hot", "--clear"], ["--clear", "--skip", "s3"],
                        ["--skip", "s3", "--pin", "cold"], ["--unknown"], ["more"]):
            with self.subTest(options):
                self.refuse("tier", "set", file, *options, code=2)
        self.refuse("tier", "set", code=2)
        self.refuse("tier", "set", "--pin", "hot", code=2)
        for options in (["--skip", "moon"], ["--skip", "s3", "--skip", "S3"], ["--skip", "nas,s3"], ["--skip", ""]):
            with self.subTest(options):
                self.refuse("tier", "set", file, *options, words=["no tier of that name", "nas, s3"], code=2)
        for options in ([], ["--pin", "hot"], ["--skip", "s3"], ["--clear"]):
            with self.subTest(options):
                self.refuse("tier", "set", self.mount_point / "missing", *options, words=["missing", "not found"])
                self.refuse("tier", "set", self.mount_point / "link", *options, words=["link"])
                self.refuse("tier", "set", self.folder, *options, words=["not inside a mounted"])
        for text in (b"pin=nas", b"skip=moon", b"skip=nas skip=s3", b"pin", b"\xff\xfe", b"x" * 60000):
            with self.subTest(text):
                with self.assertRaisesRegex(OSError, "Invalid argument"):
                    os.setxattr(file, "user.firn.policy", text)
        with self.assertRaises(OSError):
            os.getxattr(file, "user.firn.policy")
        self.assertEqual(self.succeed("tier", "set", file), "the default\n")

    def test_a_volume_without_tiers(self):
        self.init()
        self.mount()
        for options in ([], ["--pin", "hot"], ["--skip", "s3"], ["--clear"]):
            self.refuse("tier", "set", self.mount_point, *options, words=["no colder tiers"])
        self.umount()
        self.refuse("tier", "set", self.volume, "--pin", "hot", words=["mount"])

    def test_a_volume_that_is_only_read(self):
        self.succeed("init", self.volume, *self.tier_nas())
        self.mounted.append((self.volume, self.mount_point))
        self.succeed("mount", self.volume, self.mount_point, "-o", "ro")
        self.refuse("tier", "set", self.mount_point, "--pin", "hot", words=["read-only"])


class Encryption(TierTest):
    def encrypted(self, passphrase="correct horse", *more):
        self.environment["FIRN_PASSPHRASE"] = passphrase
        self.succeed("init", self.volume, *self.tier_nas(), *self.tier_s3(), "--encrypt", *more)

    def with_passphrase(self, passphrase):
        self.environment["FIRN_PASSPHRASE"] = passphrase

    def assert_opens_with(self, passphrase):
        self.with_passphrase(passphrase)
        self.assert_mounts()

    def assert_does_not_open_with(self, passphrase):
        self.with_passphrase(passphrase)
        self.refuse("mount", self.volume, self.mount_point, words=["passphrase", "does not open"])
        served = self.firn("serve", self.volume)  # logs to stderr
        self.assertEqual(served.returncode, 1)
        self.assertIn("does not open", served.stderr.splitlines()[-1])
        self.assertFalse(os.path.ismount(self.mount_point))

    def test_passphrase(self):
        self.encrypted()
        self.assertNotIn(b"correct horse", (self.volume / "firn.toml").read_bytes() + (self.nas / "volume").read_bytes())
        self.assert_opens_with("correct horse")
        self.assert_does_not_open_with("correct horse ")
        del self.environment["FIRN_PASSPHRASE"]
        self.refuse("mount", self.volume, self.mount_point, words=["FIRN_PASSPHRASE", "no terminal"])

    def test_settings_gone(self):
        self.encrypted()
        (self.volume / "firn.toml").write_text("")
        self.assert_opens_with("correct horse")
        del self.environment["FIRN_PASSPHRASE"]
        self.refuse("mount", self.volume, self.mount_point, words=["encrypted", "firn.toml", "FIRN_PASSPHRASE"])

    def test_key_file(self):
        key = self.folder / "key"
        key.write_bytes(os.urandom(32))
        done = self.firn("init", self.volume, *self.tier_nas(), "--encrypt", "--key-file", "key", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'key_file = "{key}"', (self.volume / "firn.toml").read_text())
        self.assert_mounts()
        key.rename(self.folder / "elsewhere")
        self.refuse("mount", self.volume, self.mount_point, words=[key, "no such"])
        key.write_bytes(b"another")
        self.refuse("mount", self.volume, self.mount_point, words=["does not open"])
        key.write_bytes(b"")
        self.refuse("mount", self.volume, self.mount_point, words=["empty"])

    def test_no_passphrase_for_init(self):
        self.refuse("init", self.volume, *self.tier_nas(), "--encrypt", words=["FIRN_PASSPHRASE"])
        self.refuse("init", self.volume, *self.tier_nas(), "--encrypt", "--key-file", self.folder / "none", words=["no such"])
        self.with_passphrase("")
        self.refuse("init", self.volume, *self.tier_nas(), "--encrypt", words=["empty"])
        self.assert_untouched()

    def change(self, new, *options):
        self.environment["FIRN_NEW_PASSPHRASE"] = new
        return self.firn("key", "change", self.volume, *options)

    def test_key_change(self):
        self.encrypted()
        before = (self.nas / "volume").read_bytes()
        self.assertEqual(self.change("battery staple").returncode, 0)
        self.assert_does_not_open_with("correct horse")
        self.assert_opens_with("battery staple")
        after = (self.nas / "volume").read_bytes()
        self.assertNotEqual(before, after)
        self.assertEqual(after, self.bucket_object().read_bytes())

    def test_key_change_to_a_file_and_back(self):
        self.encrypted()
        key = self.folder / "key"
        key.write_bytes(os.urandom(32))
        done = self.firn("key", "change", self.volume, "--new-key-file", key)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'tiers.key_file = "{key}"', done.stdout)
        self.setting('#key_file = ""', f'key_file = "{key}"')
        self.assert_mounts()
        done = self.change("battery staple")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("remove tiers.key_file", done.stdout)
        self.setting(f'key_file = "{key}"', "")
        self.assert_opens_with("battery staple")

    def test_key_change_that_cannot_be(self):
        self.encrypted()
        self.assert_refused(self.change(""), "FIRN_NEW_PASSPHRASE is empty")
        self.with_passphrase("wrong")
        self.assert_refused(self.change("new"), "does not open")
        self.with_passphrase("correct horse")
        self.mount()
        self.assert_refused(self.change("new"), "already mounted", "umount")
        self.umount()
        (self.nas / "firn-store").rename(self.folder / "away")
        self.assert_refused(self.change("new"), "tier nas", "mounted", "nothing has been changed")
        (self.folder / "away").rename(self.nas / "firn-store")
        self.assert_opens_with("correct horse")
        plain = self.folder / "plain"
        self.succeed("init", plain)
        self.assert_refused(self.firn("key", "change", plain), "not encrypted", "--encrypt")
        self.refuse("key", code=2)
        self.refuse("key", "change", code=2)

    @needs_root
    def test_key_change_that_breaks_off_half_way(self):
        self.nas = self.small_disk(64) / "nas"
        self.environment["FIRN_PASSPHRASE"] = "correct horse"
        self.succeed("init", self.volume, *self.tier_s3(), *self.tier_nas(), "--encrypt")
        before = self.bucket_object().read_bytes()
        self.assertEqual(self.run_program("mount", "-o", "remount,ro", self.nas.parent).returncode, 0)
        self.assert_refused(self.change("battery staple"), "tier nas", "read-only", "still opens with the former secret",
                            "from s3 with the new one", "run it again")
        self.assertNotEqual(before, self.bucket_object().read_bytes())
        self.assert_does_not_open_with("battery staple")
        self.assert_opens_with("correct horse")
        self.assertEqual(self.run_program("mount", "-o", "remount,rw", self.nas.parent).returncode, 0)
        self.assertEqual(self.change("battery staple").returncode, 0)
        self.assert_opens_with("battery staple")
        self.assertEqual((self.nas / "volume").read_bytes(), self.bucket_object().read_bytes())

    def answer(self, arguments, answers):
        """Runs firn on a terminal and types each answer when it asks. Its exit code, and what it said and echoed."""
        environment = {name: value for name, value in self.environment.items() if name != "FIRN_PASSPHRASE"}
        controller, terminal = pty.openpty()
        process = subprocess.Popen([str(word) for word in (FIRN, *arguments)], env=environment, stdin=terminal,
                                   stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        said, answers = b"", list(answers)
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                part = os.read(controller, 4096)
            except OSError:  # the other side has closed
                break
            if not part:
                break
            said += part
            if said.endswith(b": ") and answers:
                os.write(controller, answers.pop(0).encode() + b"\n")
        os.close(controller)
        return process.wait(timeout=DEADLINE_S), said.decode()

    def test_terminal(self):
        init = ["init", self.volume, *self.tier_nas(), "--encrypt"]
        code, said = self.answer(init, ["one", "another"])
        self.assertEqual(code, 1, said)
        self.assertIn("differ", said)
        self.assert_untouched()
        code, said = self.answer(init, ["correct horse", "correct horse"])
        self.assertEqual(code, 0, said)
        self.assertNotIn("correct", said)
        self.mounted.append((self.volume, self.mount_point))
        code, said = self.answer(["mount", self.volume, self.mount_point], ["correct horse"])
        self.assertEqual(code, 0, said)
        self.assertTrue(os.path.ismount(self.mount_point))
        self.umount()
        code, said = self.answer(["mount", self.volume, self.mount_point], ["wrong"])
        self.assertEqual(code, 1, said)
        self.assertIn("does not open", said)
        code, said = self.answer(["key", "change", self.volume], ["correct horse", "new one", "new one"])
        self.assertEqual(code, 0, said)
        self.assert_opens_with("new one")


if __name__ == "__main__":
    unittest.main()
