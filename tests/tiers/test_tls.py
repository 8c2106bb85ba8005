"""A bucket behind TLS: a server's certificate is believed only when who signed it is, and the name is right."""
import shutil
import subprocess
import unittest

from s3_server import S3Server
from tiered import TieredTest


def make_authority(folder, name):
    """Returns its certificate and key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "basicConstraints=critical,CA:TRUE"], check=True, capture_output=True)
    return certificate, key


def make_certificate(folder, authority, host):
    """Of a server of this name, signed by `authority`."""
    stem = f"{host} by {authority[0].stem}"
    certificate, key, request, names = (folder / f"{stem}.{kind}" for kind in ("pem", "key", "csr", "ext"))
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", request, "-subj", f"/CN={host}"], check=True, capture_output=True)
    names.write_text(f"subjectAltName=DNS:{host}\n")
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", authority[0], "-CAkey", authority[1], "-days", "2",
                    "-CAcreateserial", "-extfile", names, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Tls(TieredTest):
    def setUp(self):
        super().setUp()
        self.authority = make_authority(self.folder, "authority")
        self.secured = S3Server(make_certificate(self.folder, self.authority, "localhost"))
        self.addCleanup(self.secured.remove)
        self.environment = {**self.secured.environment(), "AWS_ENDPOINT_URL": f"https://localhost:{self.secured.port}"}
        self.trusting = {**self.environment, "AWS_CA_BUNDLE": str(self.authority[0])}

    def refuse_init(self, environment, *words):
        self.environment = environment
        self.refuse("init", self.volume, "--tier", f"s3={self.url}", words=["certificate", *words])
        self.assertFalse(self.volume.exists())

    def test_a_private_authority(self):
        stranger = make_authority(self.folder, "stranger")
        self.refuse_init(self.environment, "s3.ca_file|AWS_CA_BUNDLE")
        self.refuse_init({**self.environment, "AWS_CA_BUNDLE": str(stranger[0])})
        # The right authority, and a name that it has not signed.
        self.refuse_init({**self.trusting, "AWS_ENDPOINT_URL": f"https://127.0.0.1:{self.secured.port}"})
        self.environment = self.trusting
        self.succeed("init", self.volume, "--tier", f"s3={self.url}")
        # firn.toml has it from here on.
        del self.environment["AWS_CA_BUNDLE"]
        self.mount()
        self.write_tree()
        self.flush()
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.umount()
        shutil.rmtree(self.volume)
        self.environment["AWS_CA_BUNDLE"] = str(self.authority[0])
        self.go_on_restored()
        self.settle()

    def test_another_server_in_its_place_gets_nothing(self):
        """Whoever answers under its name without its certificate: nothing is sent, nothing is lost, and the status says why."""
        self.environment = self.trusting
        self.succeed("init", self.volume, "--tier", f"s3={self.url}")
        self.mount()
        self.write_tree()
        self.flush()
        self.secured.stop()
        stranger = make_authority(self.folder, "stranger")
        own, self.secured.certificate = self.secured.certificate, make_certificate(self.folder, stranger, "localhost")
        self.secured.start()
        self.write("after", 700_000)
        self.refuse("tier", "flush", self.volume, words=["certificate"])
        status = self.status()
        self.assertNotEqual(status["health"], "ok")
        self.assertRegex("\n".join(status["reasons"]), "tier s3.*certificate")
        self.assert_tree()
        self.secured.stop()
        self.secured.certificate = own
        self.secured.start()
        self.wait_until_drained()
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()
        self.settle()


if __name__ == "__main__":
    unittest.main()
