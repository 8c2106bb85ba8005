"""Who is let in, and how far."""
import os
import socket
import ssl
import stat
import time
import unittest

from firn_cli import NOBODY, needs_root
from served import ServedTest, attributes, listing


class Loopback(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()

    def test_curl_needs_nothing_on_this_machine(self):
        self.serve()
        url = f"http://localhost:{self.port}/v1"
        source = self.folder / "source"
        source.write_bytes(os.urandom(300_000))
        self.assertEqual(self.curl("-4", "-f", "-T", source, f"{url}/files/copy").returncode, 0)
        back = self.folder / "back"
        self.assertEqual(self.curl("-4", "-f", "-o", back, f"{url}/files/copy").returncode, 0)
        self.assertEqual(back.read_bytes(), source.read_bytes())

    def test_a_foreign_page_is_not_let_in(self):
        self.serve()
        self.assertEqual(self.ask("GET", listing("/")).status, 200)
        self.assertEqual(self.ask("GET", listing("/"), Host="[::1]:7734").status, 200)
        for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Host": ""},
                        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
            reply = self.ask("GET", listing("/"), **headers)
            self.assertEqual(reply.status, 403, headers)
            self.assertEqual(reply.headers["content-type"], "application/problem+json")
        self.assertEqual(self.ask("GET", listing("/"), Origin=f"http://localhost:{self.port}",
                                  Host=f"localhost:{self.port}").status, 200)
        self.assertEqual(self.ask("GET", listing("/"), Host=None).status, 400)

    def test_a_token_may_be_wanted_on_this_machine_too(self):
        self.settings(loopback="token")
        token = self.token()
        self.serve()
        reply = self.ask("GET", listing("/"))
        self.assertEqual(reply.status, 401)
        self.assertIn("Bearer", reply.headers["www-authenticate"])
        self.assertEqual(reply.json()["status"], 401)
        self.assertEqual(self.ask("GET", listing("/"), token=token).status, 200)

    @needs_root
    def test_another_user_of_this_machine_needs_a_token(self):
        self.serve()
        url = f"http://127.0.0.1:{self.port}" + listing("/")
        def status(*options):
            return self.run_program("setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "curl", "-s",
                                    "-o", "/dev/null", "-w", "%{http_code}", *options, url).stdout
        self.assertEqual(status(), "401")
        self.assertEqual(status("-H", f"Authorization: Bearer {self.token()}"), "200")


class Tokens(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.settings(loopback="token")

    def test_they_are_kept_hashed_and_for_the_owner_alone(self):
        secret = self.token("--name", "laptop of Zoë")
        file = self.volume / "http.tokens"
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertNotIn(secret.removeprefix("firn_"), file.read_text())
        self.assertIn("laptop of Zoë", self.succeed("token", "list", self.volume))

    def test_they_are_made_and_revoked_while_the_volume_is_served(self):
        self.serve()
        token = self.token("--name", "x")
        self.assertEqual(self.ask("GET", listing("/"), token=token).status, 200)
        self.assertEqual(self.ask("GET", listing("/"), token=token[:-1] + "x").status, 401)
        identity = self.succeed("token", "list", self.volume).split()[0]
        self.succeed("token", "revoke", self.volume, identity)
        self.assertEqual(self.ask("GET", listing("/"), token=token).status, 401)
        self.refuse("token", "revoke", self.volume, identity, words=["no token"])
        self.stop(self.daemons[0])
        self.assertIn("no tokens", self.succeed("token", "list", self.volume))

    def test_reading_tokens_do_not_write(self):
        reads, writes = self.token(), self.token("--write")
        self.serve()
        self.assertEqual(self.ask("PUT", "/v1/files/f", b"x", token=reads).status, 403)
        self.assertEqual(self.ask("PUT", "/v1/files/f", b"x", token=writes).status, 201)
        self.assertEqual(self.ask("GET", "/v1/files/f", token=reads).body, b"x")
        for method, target in (("DELETE", "/v1/files/f"), ("POST", "/v1/mkdir?path=/d"),
                               ("POST", "/v1/move?from=/f&to=/g"), ("POST", "/v1/admin/stop"),
                               ("POST", "/v1/admin/tokens")):
            self.assertEqual(self.ask(method, target, token=reads).status, 403, target)
        for target in ("/v1/admin/stop", "/v1/admin/tokens", "/v1/admin/flush"):
            self.assertEqual(self.ask("POST", target, token=writes).status, 403, target)
        self.assertEqual(self.ask("GET", "/v1/admin/tokens", token=writes).status, 403)

    def test_administering_tokens_do(self):
        admin = self.token("--admin")
        self.serve()
        made = self.ask("POST", "/v1/admin/tokens?right=write&path=/a", token=admin)
        self.assertEqual(made.status, 201)
        self.assertEqual(len(self.ask("GET", "/v1/admin/tokens", token=admin).json()["tokens"]), 2)
        self.assertNotIn(b"secret", self.ask("GET", "/v1/admin/tokens", token=admin).body)
        self.assertEqual(self.ask("POST", "/v1/admin/sync", token=admin).status, 204)

    def test_files_of_the_daemons_machine_are_for_its_socket(self):
        admin = self.token("--admin")
        (self.folder / "tree").mkdir()
        report = self.folder / "report"
        report.write_text("of somebody else")
        self.serve()
        target = f"/v1/admin/migrate?from={self.folder}/tree&name=tree&report={report}"
        refused = self.ask("POST", target, token=admin)
        self.assertEqual((refused.status, refused.headers["content-type"]), (403, "application/problem+json"))
        self.assertIn("Unix socket", refused.json()["detail"])
        self.assertEqual(report.read_text(), "of somebody else")
        done = self.curl("-f", "-X", "POST", "--unix-socket", self.volume / "firn.sock", "http://localhost" + target)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"done":true', done.stdout)
        self.assertIn('"copied"', report.read_text())

    def test_work_that_fails_at_once_has_a_status_of_its_own(self):
        admin = self.token("--admin")
        self.serve()
        for work in ("evict", "warm", "flush"):
            refused = self.ask("POST", f"/v1/admin/{work}?path=/none", token=admin)
            self.assertEqual((refused.status, refused.headers["content-type"]), (404, "application/problem+json"), work)
        url = f"http://127.0.0.1:{self.port}/v1/admin"
        authorization = ("-H", f"Authorization: Bearer {admin}")
        self.assertEqual(self.curl("-f", "-X", "POST", *authorization, f"{url}/evict?path=/none").returncode, 22)
        self.assertIn('"done":true', self.curl("-f", "-X", "POST", *authorization, f"{url}/evict?path=/").stdout)

    def test_they_expire(self):
        self.token("--expires", "30d")
        token = self.token("--expires", "1s")
        self.serve()
        while self.ask("GET", listing("/"), token=token).status == 200:
            time.sleep(0.1)
        self.assertEqual(self.ask("GET", listing("/"), token=token).status, 401)
        self.assertIn("expired", self.succeed("token", "list", self.volume))
        self.refuse("token", "create", self.volume, "--expires", "soon", words=["30d"])

    def test_they_act_as_their_user(self):
        token = self.token("--write", "--uid", "1234", "--gid", "5678")
        root = self.token("--write")
        self.serve()
        self.assertEqual(self.ask("PUT", "/v1/files/f", b"x", token=token).status, 403)
        self.assertEqual(self.ask("POST", "/v1/mkdir?path=/open&mode=0777", token=root).status, 201)
        self.assertEqual(self.ask("PUT", "/v1/files/open/f", b"x", token=token).status, 201)
        made = self.ask("GET", attributes("/open/f"), token=token).json()
        self.assertEqual((made["uid"], made["gid"]), (1234, 5678))
        self.assertEqual(self.ask("PUT", "/v1/files/secret?mode=0600", b"x", token=root).status, 201)
        self.assertEqual(self.ask("GET", "/v1/files/secret", token=token).status, 403)

    def test_a_damaged_file_lets_nobody_in(self):
        self.token()
        file = self.volume / "http.tokens"
        file.write_text(file.read_text() + "nonsense\n")
        self.refuse("token", "list", self.volume, words=["http.tokens", "line 3"])
        self.refuse_to_serve("--http", "127.0.0.1:0", words=["http.tokens", "line 3"])


class Scopes(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.mount()
        for name in ("photos/2024", "photosafe", "private"):
            (self.mount_point / name).mkdir(parents=True)
        (self.mount_point / "photos" / "a").write_text("a")
        (self.mount_point / "private" / "p").write_text("p")
        (self.mount_point / "photosafe" / "s").write_text("s")
        for name, target in (("up", "../private/p"), ("absolute", "/private/p"), ("folder", "../private"),
                             ("root", "/"), ("inside", "/photos/a"), ("round", "../photos/a")):
            (self.mount_point / "photos" / name).symlink_to(target)
        self.umount()
        self.settings(loopback="token")
        self.scoped = self.token("--write", "--path", "//photos/")
        self.serve()

    def status(self, method, target, body=b""):
        return self.ask(method, target, body, token=self.scoped).status

    def test_inside(self):
        for target in ("files/photos/a", "files//photos//a", "files/photos/./a", "files/photos/inside",
                       "files/photos/round", "files/%70hotos/a"):
            self.assertEqual(self.status("GET", "/v1/" + target), 200, target)
        for target in (listing("/photos"), attributes("/photos/up")):
            self.assertEqual(self.status("GET", target), 200, target)
        self.assertEqual(self.status("PUT", "/v1/files/photos/2024/new", b"x"), 201)
        self.assertEqual(self.status("POST", "/v1/mkdir?path=/photos/x/y&parents=1"), 201)
        self.assertEqual(self.status("POST", "/v1/move?from=/photos/2024/new&to=/photos/x/y/z"), 204)
        self.assertEqual(self.status("DELETE", "/v1/files/photos/x/y/z"), 204)

    def test_outside(self):
        for target in ("files/private/p", "files/photosafe/s", "files/photos/../private/p", "files/photos/%2e%2e/private/p",
                       "files/photos%2f..%2fprivate/p", "files/photos/2024/..%2f..%2fprivate%2fp", "files/photos/up",
                       "files/photos/absolute", "files/photos/folder/p", "files/photos/root/private/p",
                       "files/", "files", "tiers", "status", "metrics", "admin/wal", "events", "admin/tokens"):
            self.assertEqual(self.status("GET", "/v1/" + target), 403, target)
        for target in (listing("/"), listing("/photos/root"), listing("/photos/folder"), listing("/photos/.."),
                       listing("/private"), attributes("/"), attributes("/private"), "/metrics"):
            self.assertEqual(self.status("GET", target), 403, target)

    def test_neither_end_of_a_move_is_outside(self):
        self.assertEqual(self.status("POST", "/v1/move?from=/photos/a&to=/private/a"), 403)
        self.assertEqual(self.status("POST", "/v1/move?from=/private/p&to=/photos/p"), 403)
        self.assertEqual(self.status("POST", "/v1/move?from=/photos/a&to=/photos/folder/a"), 403)
        self.assertEqual(self.status("POST", "/v1/move?from=/photos&to=/photos/2024/x"), 403)
        self.assertEqual(self.status("DELETE", "/v1/files/photos"), 403)
        self.assertEqual(self.status("PUT", "/v1/files/photos/folder/new", b"x"), 403)
        self.assertEqual(self.status("POST", "/v1/mkdir?path=/private/d"), 403)
        self.assertEqual(self.status("POST", "/v1/mkdir?path=/photos/folder/d/e&parents=1"), 403)
        self.assertEqual(self.status("GET", "/v1/files/photos/a"), 200)


class Network(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()

    def test_it_is_not_served_without_tls_or_tokens_unless_told_so(self):
        everywhere = ("--http", "0.0.0.0:0")
        self.refuse_to_serve(*everywhere, words=["TLS", "http.tls_certificate", "http.allow_plaintext = true"])
        self.settings(allow_plaintext=True)
        self.refuse_to_serve(*everywhere, words=["token create", "http.allow_anonymous = true"])
        self.token()
        self.serve("0.0.0.0:0")

    def test_strangers_are_nobody_where_they_are_let_in(self):
        self.settings(allow_plaintext=True, allow_anonymous=True, loopback="token")
        self.serve("0.0.0.0:0")
        self.assertEqual(self.ask("GET", listing("/"), Host="nas.example").status, 200)
        self.assertEqual(self.ask("PUT", "/v1/files/f", b"x", Host="nas.example").status, 403)
        self.assertEqual(self.ask("POST", "/v1/admin/stop", Host="nas.example").status, 403)

    def test_settings_that_make_no_sense(self):
        ca, certificate, _ = self.certificates()
        self.settings(tls_certificate=str(certificate))
        self.refuse("serve", self.volume, words=["go together"])
        self.settings(tls_key=str(ca))
        self.refuse_to_serve("--http", "127.0.0.1:0", words=["ca.pem"])
        self.refuse("serve", self.volume, "--http", "name.example:1", words=["numeric"], code=2)

    def test_an_address_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.refuse_to_serve("--http", "127.0.0.1:%d" % taken.getsockname()[1], words=["in use"])


class Tls(ServedTest):
    def setUp(self):
        super().setUp()
        self.init()
        self.settings(loopback="token")
        self.secret = self.token("--write")

    def test_curl_trusts_the_certificate(self):
        ca = self.serve_tls()
        source = self.folder / "source"
        source.write_bytes(os.urandom(1_000_000))
        common = ["-f", "--cacert", ca, "-H", f"Authorization: Bearer {self.secret}"]
        url = f"https://127.0.0.1:{self.port}/v1/files/f"
        self.assertEqual(self.curl(*common, "-T", source, url).stderr, "")
        back = self.folder / "back"
        for version in ("--tls-max", "1.2"), ("--tlsv1.3",):
            self.assertEqual(self.curl(*common, *version, "-o", back, url).stderr, "")
            self.assertEqual(back.read_bytes(), source.read_bytes())
        self.assertNotEqual(self.curl(*common, "--tls-max", "1.1", "-o", back, url).returncode, 0)
        self.assertNotEqual(self.curl("-f", url).returncode, 0)

    def test_a_new_certificate_serves_without_a_restart(self):
        self.serve_tls()
        def serial():
            with self.connect() as plain, ssl._create_unverified_context().wrap_socket(plain) as secured:
                return secured.getpeercert(True)
        first = serial()
        self.certificates()
        end = time.monotonic() + 10
        while serial() == first and time.monotonic() < end:
            time.sleep(0.1)
        self.assertNotEqual(serial(), first)

    def test_what_is_no_tls_is_cut_off(self):
        self.serve_tls()
        self.assertNotIn(b"HTTP/1.1 200", self.raw("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        self.assertEqual(self.raw(b"\x16\x03\x01\xff\xff" + b"x" * 100)[:1], b"\x15")


if __name__ == "__main__":
    unittest.main()
