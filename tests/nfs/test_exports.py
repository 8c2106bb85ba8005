"""Who may mount what, and as whom."""
import unittest

import raw_nfs as raw
from raw_nfs import Client, opaque, sattr
from served import EVERYBODY, ServedTest


class Exports(ServedTest):
    def prepare(self):
        """A volume with /open and /closed, made while everything is exported."""
        self.make(EVERYBODY)
        self.serve()
        with Client(self.port) as client:
            client.mount()
            for name in ("open", "closed"):
                self.assertEqual(client.status(raw.MKDIR, opaque(client.root) + opaque(name) + sattr(mode=0o777)), raw.OK)
            folder = client.lookup("closed")
            client.create("secret", directory=folder, mode=0o644)
            self.secret = client.lookup("secret", folder)
        self.stop()

    def restart_with(self, *exports):
        self.configure(*exports)
        self.serve()

    def test_paths_and_options(self):
        self.prepare()
        self.restart_with("/open 127.0.0.0/8(ro,insecure)", "/closed 10.9.8.7(rw)")
        with Client(self.port, uid=0) as client:
            self.assertEqual(client.mount("/"), raw.ACCES)
            self.assertEqual(client.mount("/closed"), raw.ACCES)
            self.assertEqual(client.mount("/open/nothing"), raw.NOENT)
            self.assertEqual(client.mount("/open/.."), raw.INVAL)
            self.assertEqual(client.mount("//open/"), raw.OK)
            self.assertEqual(client.create("f"), raw.ROFS)
            self.assertEqual(client.lookup(".."), client.root, "nobody climbs out")
            self.assertEqual(client.getattr(self.secret), raw.STALE, "its export is gone")
            listed = client.call(5, program=raw.MOUNT)
            self.assertEqual((listed.u32(), listed.opaque(), listed.u32(), listed.opaque()), (1, b"/open", 1, b"127.0.0.0/8"))
        self.stop()

    def test_squashing(self):
        self.prepare()
        self.restart_with("/open *(insecure)", "/closed *(insecure,all_squash,anonuid=77,anongid=88)")
        with Client(self.port, uid=0) as root, Client(self.port, uid=1000, gid=1000) as user:
            with Client(self.port, auth=False) as nobody:
                for client, uid in ((root, 65534), (user, 1000), (nobody, 65534)):
                    self.assertEqual(client.mount("/open"), raw.OK)
                    self.assertEqual(client.getattr(client.create(f"of{uid}", mode=0o600)).uid, uid)
            self.assertEqual(user.mount("/closed"), raw.OK)
            made = user.getattr(user.create("f", mode=0o600))
            self.assertEqual((made.uid, made.gid), (77, 88))
        self.stop()

    def test_ordinary_ports_only_when_told(self):
        self.prepare()
        self.restart_with("/ *(no_root_squash)")
        with Client(self.port) as client:
            self.assertEqual(client.mount(), raw.ACCES)
        self.stop()

    def test_refused_settings(self):
        self.init()
        self.refuse("serve", self.volume, "--nfs", "somewhere", words=["address for NFS"])
        self.configure("/ no.such.host")
        self.refuse("serve", self.volume, "--nfs", "127.0.0.1:0", words=["nfs.exports", "no.such.host"])
        self.assertFalse((self.volume / "nfs.key").exists())

    def test_only_when_asked_for(self):
        self.make(EVERYBODY)
        self.mount()
        self.assertNotIn("nfs", (self.volume / "firn.log").read_text())
        self.umount()

    def test_mounted_clients(self):
        self.make(EVERYBODY)
        self.serve()
        with Client(self.port) as client:
            client.mount("/")
            listed = client.call(2, program=raw.MOUNT)
            self.assertEqual((listed.u32(), listed.opaque(), listed.opaque(), listed.u32()), (1, b"127.0.0.1", b"/", 0))
            client.call(3, opaque("/"), program=raw.MOUNT)
            self.assertEqual(client.call(2, program=raw.MOUNT).u32(), 0)
            client.mount("/")
            client.call(4, program=raw.MOUNT)
            self.assertEqual(client.call(2, program=raw.MOUNT).u32(), 0)


if __name__ == "__main__":
    unittest.main()
