"""How clients find and reach the server: rpcbind, IPv6, ports, and how many at once."""
import socket
import subprocess
import unittest
from contextlib import ExitStack

import raw_nfs as raw
from firn_cli import DEADLINE_S, LEAVE_OTHERS_MOUNTS
from raw_nfs import Client
from served import EVERYBODY, ServedTest
from vm_image import ROOT as TOOLS

CONNECTIONS = 256
PROGRAMS = {str(raw.NFS): "nfs", str(raw.MOUNT): "mountd"}


class Namespace:
    """A network of its own, with a loopback and nothing else, and a /run of its own, where rpcbind has its socket."""

    def __init__(self, folder):
        users = folder / "passwd"  # with the one that rpcbind runs as, which its package would have made
        with open("/etc/passwd", encoding="utf8") as file:
            users.write_text(file.read() + "_rpc:x:65533:65534::/run/rpcbind:/usr/sbin/nologin\n")
        script = LEAVE_OTHERS_MOUNTS + f"mount -t tmpfs run /run && mount --bind {users} /etc/passwd && ip link set lo up && echo ready && cat"
        # pylint: disable-next=consider-using-with
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", script], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"ready\n"

    def inside(self, *command):
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", *[str(word) for word in command]]

    def close(self):
        self.holder.stdin.close()
        self.holder.wait(timeout=DEADLINE_S)
        self.holder.stdout.close()


class Rpcbind(ServedTest):
    def setUp(self):
        super().setUp()
        self.assertTrue((TOOLS / "sbin/rpcbind").exists(), "rpcbind is missing: run scripts/nfs-tools")
        self.namespace = Namespace(self.folder)
        self.rpcbind = None
        self.make(EVERYBODY, rpcbind="true")

    def tearDown(self):
        self.kill()
        if self.rpcbind:
            self.rpcbind.kill()
            self.rpcbind.wait()
        self.namespace.close()
        super().tearDown()

    def start_rpcbind(self):
        # pylint: disable-next=consider-using-with
        self.rpcbind = subprocess.Popen(self.namespace.inside(TOOLS / "sbin/rpcbind", "-f"), stderr=subprocess.PIPE)
        self.addCleanup(self.rpcbind.stderr.close)
        self.wait_until(lambda: self.registered() is not None, "rpcbind does not answer")

    def registered(self):
        """{program: port} of what is ours, as rpcinfo tells; None: nobody answers it."""
        done = self.run_program(*self.namespace.inside(TOOLS / "usr/sbin/rpcinfo", "-p", "127.0.0.1"))
        if done.returncode != 0:
            return None
        rows = [line.split() for line in done.stdout.splitlines()]
        return {PROGRAMS[row[0]]: int(row[3]) for row in rows if row[0] in PROGRAMS and row[1:3] == ["3", "tcp"]}

    def daemon(self, *arguments):
        return self.namespace.inside(*super().daemon(*arguments))

    def test_registered_while_it_runs(self):
        self.start_rpcbind()
        self.assertEqual(self.registered(), {})
        for _ in range(2):
            self.serve()
            self.wait_until(lambda: self.registered() == {"nfs": self.port, "mountd": self.port}, self.log.read_text)
            self.assertEqual(self.run_program(*self.namespace.inside("nfs-ls", "nfs://127.0.0.1/?version=3")).returncode, 0)
            self.kill()
            self.assertEqual(self.registered(), {"nfs": self.port, "mountd": self.port}, "nobody told rpcbind")
        self.serve()
        self.wait_until(lambda: self.registered() == {"nfs": self.port, "mountd": self.port}, self.log.read_text)
        self.stop()
        self.assertEqual(self.registered(), {})

    def test_without_rpcbind_it_serves_all_the_same(self):
        self.serve()
        self.wait_until(lambda: f"clients have to name the port {self.port}" in self.log.read_text(), self.log.read_text)
        url = f"nfs://127.0.0.1/?version=3&nfsport={self.port}&mountport={self.port}"
        self.assertEqual(self.run_program(*self.namespace.inside("nfs-ls", url)).returncode, 0)
        self.stop()


class Addresses(ServedTest):
    def test_ipv6(self):
        self.make("/ ::1(rw,insecure,no_root_squash)")
        self.serve(host="[::1]")
        with Client(self.port, host="::1") as client:
            self.assertEqual(client.mount(), raw.OK)
            self.assertIsInstance(client.create("f", mode=0o644), bytes)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)
        self.stop()
        self.configure("/ fd00::/8(rw,insecure) 127.0.0.1(rw,insecure)")
        self.serve(host="[::1]")
        with Client(self.port, host="::1") as client:
            self.assertEqual(client.mount(), raw.ACCES)
        self.stop()

    def test_both_kinds_at_once(self):
        self.make("/ 127.0.0.1(rw,insecure,no_root_squash) ::1(ro,insecure)")
        self.serve(host="[::]")
        for host, wanted in (("127.0.0.1", bytes), ("::1", int)):
            with Client(self.port, host=host) as client:
                self.assertEqual(client.mount(), raw.OK)
                self.assertIsInstance(client.create(f"of {host}", mode=0o644), wanted)
        self.stop()

    def test_privileged_ports(self):
        self.make("/ 127.0.0.1(rw)")
        self.serve()
        for port, wanted in ((0, raw.ACCES), (self.free_privileged_port(), raw.OK)):
            with Client(self.port, source=port) as client:
                self.assertEqual(client.mount(), wanted)
        self.stop()

    def free_privileged_port(self):
        for port in range(1023, 600, -1):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        self.fail("no privileged port is free")

    def test_more_connections_than_there_may_be(self):
        self.make(EVERYBODY, connections_per_address=CONNECTIONS)
        self.serve()
        clients = []
        try:
            for _ in range(CONNECTIONS):
                clients.append(Client(self.port))
                clients[-1].call(raw.NULL)
            with self.assertRaises((EOFError, ConnectionError)), Client(self.port) as refused:
                refused.call(raw.NULL)
            self.assertIn("refused, there are 256 connections", self.log.read_text())
            clients[0].call(raw.NULL)
            clients.pop().close()
            self.wait_until(self.is_served)
        finally:
            for client in clients:
                client.close()
        self.stop()

    def test_more_connections_than_an_address_may_have(self):
        self.make(EVERYBODY, connections_per_address=3)
        self.serve()
        with ExitStack() as open_ones:
            clients = [open_ones.enter_context(Client(self.port)) for _ in range(3)]
            for client in clients:
                client.call(raw.NULL)
            self.assertFalse(self.is_served())
            self.assertIn("nfs: 127.0.0.1: refused, there are 3 connections from there", self.log.read_text())
            self.assertTrue(self.is_served(address="127.0.0.2"), "another address has its own")
            clients[0].call(raw.NULL)
            clients[0].close()
            self.wait_until(self.is_served)
        self.stop()

    def is_served(self, address=None):
        try:
            with Client(self.port, address=address) as client:
                client.call(raw.NULL)
            return True
        except (EOFError, ConnectionError):
            return False


if __name__ == "__main__":
    unittest.main()
