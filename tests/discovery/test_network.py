"""Volumes that find each other by mDNS: two machines, a real avahi-daemon on each."""
import json
import re
import select
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from firn_cli import CRASHES, DEADLINE_S, FIRN
from machines import Machine, end, join
from served import ServedTest


class MachinesTest(ServedTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab = Path(tempfile.mkdtemp(prefix="firn-network-"))
        cls.lab.chmod(0o755)
        cls.nas = cls.laptop = None
        try:
            cls.make_machines()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        for machine in (cls.nas, cls.laptop):
            if machine:
                machine.close()
        shutil.rmtree(cls.lab, ignore_errors=True)
        super().tearDownClass()

    @classmethod
    def make_machines(cls):
        raise NotImplementedError(cls)

    def open_to_all(self, volume=None):
        return self.with_settings(self.init(volume))

    def serve_on(self, machine, *options, volume=None):
        """The daemon, and what it says while it starts."""
        log = open(machine.folder / "daemon.log", "w+", encoding="utf-8")
        daemon = machine.start(FIRN, "serve", volume or self.volume, *options, stdout=subprocess.PIPE, stderr=log,
                               text=True)
        daemon.log = log
        self.daemons.append(daemon)
        ready, _, _ = select.select([daemon.stdout], [], [], DEADLINE_S)
        self.assertTrue(ready and daemon.stdout.readline().startswith("serving"), self.said(daemon))
        return daemon

    def firn_on(self, machine, *arguments, **environment):
        return machine.run(FIRN, *arguments, **environment)

    def done_on(self, machine, *arguments, **environment):
        done = self.firn_on(machine, *arguments, **environment)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout

    def with_settings(self, volume):
        self.volume, mine = volume, self.volume
        self.settings(allow_plaintext=True, allow_anonymous=True)
        self.volume = mine
        return volume


class Network(MachinesTest):
    @classmethod
    def make_machines(cls):
        cls.nas, cls.laptop = Machine(cls.lab, "nas", "10.77.0.1"), Machine(cls.lab, "laptop", "10.77.0.2")
        join(cls.nas, cls.laptop)
        for machine in (cls.nas, cls.laptop):
            machine.start_bus()
            machine.start_avahi()

    def devices(self, machine=None):
        return json.loads(self.done_on(machine or self.laptop, "devices", "--json"))["devices"]

    def wait_for_devices(self, *volumes, machine=None):
        """Until they, and no others, are announced; what tests before this one announced goes, too."""
        ids, seen = sorted(self.id_of(volume) for volume in volumes), []

        def right():
            seen[:] = self.devices(machine)
            return sorted(device["id"] for device in seen) == ids
        self.wait_until(right, lambda: f"{ids}: {seen}\n{(self.nas.folder / 'machine.log').read_text()}")
        return seen

    def id_of(self, volume):
        # A machine that is busy may have a volume that is not well, which is the exit code of status.
        return json.loads(self.firn("status", volume, "--json").stdout)["id"]

    def test_a_volume_is_found_and_read_but_not_written(self):
        self.open_to_all()
        self.serve_on(self.nas, "--http", "0.0.0.0:7734")
        volume_id = self.id_of(self.volume)
        (device,) = self.wait_for_devices(self.volume)
        version = re.search(r"\d\S*", self.succeed("version")).group(0)
        self.assertEqual(device, {"name": "volume", "id": volume_id, "version": version, "tls": False,
                                  "host": "nas.local", "address": "10.77.0.1:7734", "url": "http://nas.local:7734"})
        shown = self.done_on(self.laptop, "devices")
        for word in ("volume", volume_id[:8], version, "http://nas.local:7734", "10.77.0.1:7734"):
            self.assertIn(word, shown)
        inside = self.nas.run("curl", "-sS", "http://localhost:7734/v1/devices")
        self.assertEqual(json.loads(inside.stdout)["devices"], [device], inside.stderr)
        self.assertEqual(self.done_on(self.laptop, "devices", "--json", "--url", "http://10.77.0.1:7734"), inside.stdout + "\n")

        self.succeed("mkdir", "-p", f"{self.volume}:/photos/2024")
        self.assertEqual(self.done_on(self.laptop, "ls", "/photos"), "2024\n")
        by_id = ("--volume", volume_id)
        for wanted in (by_id, ("--volume", "volume")):
            self.assertEqual(self.done_on(self.laptop, "ls", "/photos", *wanted), "2024\n")
        self.assert_refused(self.firn_on(self.laptop, "ls", "/", "--volume", "other"), "no volume other")
        for command in (("mkdir", "/mine"), ("rm", "-r", "/photos"), ("put", FIRN, "/f")):
            self.assert_refused(self.firn_on(self.laptop, *command, *by_id), "found on the network", "--url", "--ca-file")
        self.assertEqual(self.done_on(self.laptop, "ls", "/", *by_id), "photos\n")

    def test_a_token_is_for_a_server_that_is_named_or_vouched_for(self):
        self.init()
        ca, certificate, key = self.certificates(name="nas.local")
        secret = self.token("--write")
        self.settings(allow_plaintext=True)
        daemon = self.serve_on(self.nas, "--http", "0.0.0.0:7734")
        by_id = ("--volume", self.wait_for_devices(self.volume)[0]["id"])
        # The token would do; it is not sent.
        self.assert_refused(self.firn_on(self.laptop, "ls", "/", FIRN_TOKEN=secret), "wants a token", "--url")
        self.assertEqual(self.done_on(self.laptop, "ls", "/", FIRN_TOKEN=secret, FIRN_URL="http://10.77.0.1:7734"), "")
        # A plaintext server is vouched for by nobody.
        self.assert_refused(self.firn_on(self.laptop, "ls", "/", *by_id, "--ca-file", ca, FIRN_TOKEN=secret),
                            "wants a token")
        self.stop(daemon)

        self.settings(tls_certificate=str(certificate), tls_key=str(key))
        self.serve_on(self.nas, "--http", "0.0.0.0:7734")
        self.wait_until(lambda: [device["tls"] for device in self.devices()] == [True])
        self.done_on(self.laptop, "mkdir", "/mine", *by_id, "--ca-file", ca, FIRN_TOKEN=secret)
        self.assertEqual(self.done_on(self.laptop, "ls", "/", FIRN_CA_FILE=str(ca), FIRN_TOKEN=secret), "mine\n")
        self.assert_refused(self.firn_on(self.laptop, "ls", "/", *by_id, FIRN_TOKEN=secret), "certificate", "--ca-file")
        self.assert_refused(self.firn_on(self.laptop, "ls", "/", *by_id, "--ca-file", certificate, FIRN_TOKEN=secret),
                            "certificate")

    def test_of_several_volumes_one_is_chosen(self):
        first, second = self.folder / "one" / "photos", self.folder / "two" / "photos"
        ids = []
        for volume, machine in ((first, self.nas), (second, self.laptop)):
            volume.parent.mkdir()
            self.open_to_all(volume)
            self.serve_on(machine, "--http", "0.0.0.0:0", volume=volume)
            self.succeed("mkdir", f"{volume}:/on-{machine.name}")
            ids.append(self.id_of(volume))
        self.wait_for_devices(first, second)
        self.assert_refused(self.firn_on(self.laptop, "ls", "/"), "several", "photos", ids[0][:8], ids[1][:8],
                            "--volume", "--url")
        self.assert_refused(self.firn_on(self.laptop, "ls", "/", "--volume", "photos"), "several")
        self.assertEqual(self.done_on(self.laptop, "ls", "/", "--volume", ids[0]), "on-nas\n")
        self.assertEqual(self.done_on(self.nas, "ls", "/", "--volume", ids[1]), "on-laptop\n")
        # One name on the network, two volumes: one or both tell their ids.
        said = "".join(self.said(daemon) for daemon in self.daemons)
        self.assertRegex(said, rf'announced as "photos \(({ids[0][:8]}|{ids[1][:8]})\)"')
        self.assertNotIn("#", said)

    def test_it_is_announced_again_when_avahi_and_the_bus_come_back(self):
        self.open_to_all()
        self.nas.stop_avahi()
        self.nas.stop_bus()
        daemon = self.serve_on(self.nas, "--http", "0.0.0.0:7734")
        self.wait_until(lambda: "Avahi does not answer" in self.said(daemon), "no notice")
        self.nas.start_bus()
        self.nas.start_avahi()
        self.wait_for_devices(self.volume)
        self.nas.stop_avahi()
        self.nas.start_avahi()
        self.wait_until(lambda: self.said(daemon).count("announced as") == 2, lambda: self.said(daemon))
        self.wait_for_devices(self.volume)
        self.assertNotRegex(self.said(daemon), r"\b(error|warning)\b")

    def test_what_only_this_machine_reaches_is_announced_only_if_told(self):
        self.open_to_all()
        daemon = self.serve_on(self.nas, "--http", "127.0.0.1:7734")
        other, third = self.open_to_all(self.folder / "other"), self.open_to_all(self.folder / "third")
        self.serve_on(self.laptop, "--http", "10.77.0.2:7734", "--announce", "no", volume=other)
        self.serve_on(self.laptop, "--http", "10.77.0.2:7735", volume=third)
        (device,) = self.wait_for_devices(third, machine=self.nas)
        self.assertEqual(device["address"], "10.77.0.2:7735")
        self.assertNotIn("announced", self.said(daemon))
        self.stop(daemon)
        self.serve_on(self.nas, "--http", "127.0.0.1:7734", "--announce", "yes")
        devices = self.wait_for_devices(self.volume, third, machine=self.nas)
        self.assertIn("127.0.0.1:7734", [device["address"] for device in devices])
        self.wait_for_devices(third)

class WithoutAvahi(MachinesTest):
    """The bus is missing, or Avahi alone."""

    @classmethod
    def make_machines(cls):
        cls.laptop = Machine(cls.lab, "laptop", "10.77.0.2")

    def test_it_is_a_notice_and_this_machine_is_asked(self):
        done = self.firn_on(self.laptop, "devices", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(json.loads(done.stderr)["notice"], "^devices: notice: Avahi does not answer")
        self.assertEqual(json.loads(done.stdout)["devices"], [])
        self.assert_refused(self.firn_on(self.laptop, "ls", "/photos"), "/photos", "not inside a mounted", "Avahi",
                            "localhost:7734", "--url")
        self.laptop.start_bus()
        self.assert_notice(self.firn_on(self.laptop, "devices"))
        self.init()
        self.serve_on(self.laptop, "--http", "127.0.0.1:7734")
        self.done_on(self.laptop, "mkdir", "/photos")
        self.assertEqual(self.done_on(self.laptop, "ls", "/"), "photos\n")
        self.assertIn("notice", json.loads(self.laptop.run("curl", "-sS", "http://localhost:7734/v1/devices").stdout))

    def test_another_user_who_listens_there_is_not_asked(self):
        stranger = self.laptop.start("setpriv", "--reuid=65534", "--clear-groups", "python3", "-c",
                                     "import socket; s = socket.create_server(('127.0.0.1', 7734));"
                                     "print('listening', flush=True)\nwhile True: s.accept()",
                                     stdout=subprocess.PIPE)
        try:
            said = stranger.stdout.readline()
            self.assertEqual(said, b"listening\n", (self.laptop.folder / "machine.log").read_text())
            self.assert_refused(self.firn_on(self.laptop, "ls", "/", FIRN_TOKEN="firn_secret"), "another user")
        finally:
            end(stranger)
            stranger.stdout.close()

    def assert_notice(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, "^firn: devices: notice: Avahi does not answer.*\n$")
        self.assertIsNone(CRASHES.search(done.stderr))


if __name__ == "__main__":
    unittest.main()
