"""A bucket that only a role may use, whose credentials come from a token service."""
import hashlib
import json
import unittest

from proxied import ProxiedTest
from s3_server import ACCESS, SECRET
from token_service import Refusal, TokenService

USER, USER_SECRET = "AKIDUSERUSERUSER", "the-secret-of-the-user"
ARN = "arn:aws:iam::123456789012:role/storage"


class Roles(ProxiedTest):
    def setUp(self):
        super().setUp()
        self.service = TokenService()
        self.addCleanup(self.service.stop)
        self.service.users[USER] = (USER_SECRET, None)
        self.config = self.folder / "config"
        self.environment = {**self.without_keys(), "AWS_ENDPOINT_URL_STS": self.service.url,
                            "AWS_CONFIG_FILE": str(self.config), "AWS_PROFILE": "role"}
        self.secrets = [SECRET, USER_SECRET]

    def give_token(self, token, arn=ARN):
        """The bucket wants this session token, and the role has it."""
        self.proxy.token = token
        self.service.roles[arn] = (ACCESS, SECRET, token)
        self.secrets.append(token)

    def write_config(self, *lines):
        self.config.write_text("\n".join(lines) + "\n")

    def write_role(self, *lines):
        self.write_config("[profile role]", f"role_arn = {ARN}", *lines, "[profile user]",
                          f"aws_access_key_id = {USER}", f"aws_secret_access_key = {USER_SECRET}")

    def make(self):
        """With nothing but the bucket."""
        self.succeed("init", self.volume, "--tier", f"s3={self.url}")
        self.mount()

    def refuse_init(self, *words, profile="the profile role"):
        self.refuse("init", self.volume, "--tier", f"s3={self.url}", words=[profile, *words])
        self.assertFalse(self.volume.exists())

    def assert_works(self):
        for i in range(8):
            self.write(f"f{i}", self.random.randrange(1, 2_000_000))
        self.flush()
        self.succeed("tier", "evict", self.volume)
        self.assert_tree()

    def assert_no_secrets(self):
        """Neither in what the daemon said, nor in what goes to whoever helps."""
        log = (self.volume / "firn.log").read_bytes()
        bundle = self.folder / "bundle.tar.gz"
        self.succeed("debug", self.volume, "--output", bundle)
        unpacked = self.folder / "unpacked"
        unpacked.mkdir()
        self.assertEqual(self.run_program("tar", "-xzf", bundle, "-C", unpacked).returncode, 0)
        texts = [log] + [path.read_bytes() for path in unpacked.rglob("*") if path.is_file()]
        self.assertGreater(len(texts), 3)
        for secret in self.secrets:
            for text in texts:
                self.assertNotIn(secret.encode(), text)

    def test_a_volume_whose_bucket_a_role_may_use(self):
        self.write_role("source_profile = user", "external_id = an id", "role_session_name = tests")
        self.refuse_init("AssumeRole of " + ARN, "AccessDenied", "nobody may assume")
        self.give_token("first-session-token")
        self.make()
        self.assertEqual(self.service.asked[-1], {**self.service.asked[-1], "Action": "AssumeRole", "RoleArn": ARN,
                                                  "RoleSessionName": "tests", "ExternalId": "an id"})
        self.assert_works()
        # The role's credentials are held on to.
        asked = len(self.service.asked)
        self.write("more", 300_000)
        self.flush()
        self.assertEqual(len(self.service.asked), asked)
        # The bucket no longer takes them, and the service gives none.
        self.give_token("second-session-token")
        self.service.refusal = Refusal(403, "AccessDenied", "not today")
        self.write("meanwhile", 300_000)
        self.refuse("tier", "flush", self.volume, words=["tier s3", "AssumeRole of", "the profile role", "not today"])
        self.assertRegex("\n".join(self.status()["reasons"]), "not today")
        self.assert_no_secrets()
        self.service.refusal = None
        self.wait_until_drained()
        self.assert_tree()
        self.settle()

    def test_roles_that_lead_to_one_another(self):
        middle = "arn:aws:iam::123456789012:role/middle"
        self.write_role("source_profile = middle", "[profile middle]", f"role_arn = {middle}", "source_profile = user")
        self.service.roles[middle] = ("ASIAMIDDLE", "the-middle-secret", "the-middle-token")
        self.give_token("first-session-token")
        self.make()
        self.assertEqual([asked["RoleArn"] for asked in self.service.asked[-2:]], [middle, ARN])
        self.assert_works()
        self.settle()

    def test_keys_of_the_environment_that_ask_for_a_role(self):
        self.write_role("credential_source = Environment")
        self.refuse_init("credential_source = Environment", str(self.config), "no credentials")
        self.give_token("first-session-token")
        self.environment.update(AWS_ACCESS_KEY_ID=USER, AWS_SECRET_ACCESS_KEY=USER_SECRET)
        self.url += "?profile=role"  # as else the keys themselves would be used
        self.make()
        self.assert_works()
        self.settle()

    def test_a_role_for_who_has_a_token(self):
        token = self.folder / "token"
        del self.environment["AWS_PROFILE"]
        self.environment.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(token), AWS_ROLE_ARN=ARN)
        self.refuse_init(str(token), "No such file", profile="AWS_WEB_IDENTITY_TOKEN_FILE")
        token.write_text("the-wrong-identity")
        said = self.firn("init", self.volume, "--tier", f"s3={self.url}").stderr
        self.assertIn("InvalidIdentityToken: not to be trusted: (removed)", said)
        self.service.identity = "the-first-identity"
        token.write_text("the-first-identity\n")
        self.give_token("first-session-token")
        self.make()
        self.assert_works()
        # Both are others now.
        self.service.identity = "the-second-identity"
        token.write_text("the-second-identity\n")
        self.give_token("second-session-token")
        self.secrets += ["the-first-identity", "the-second-identity"]
        self.write("more", 300_000)
        self.wait_until_drained()
        self.assert_no_secrets()
        self.settle()

    def test_a_profile_that_has_a_token(self):
        token = self.folder / "token"
        token.write_text("the-identity")
        self.service.identity = "the-identity"
        self.write_config("[profile role]", f"role_arn = {ARN}", f"web_identity_token_file = {token}")
        self.give_token("first-session-token")
        self.make()
        self.assert_works()
        self.settle()

    def sign_in(self, token, until, **more):
        """As `aws sso login` does. The file."""
        cache = self.folder / "home/.aws/sso/cache"
        cache.mkdir(parents=True, exist_ok=True)
        file = cache / (hashlib.sha1(b"my-sso").hexdigest() + ".json")
        file.write_text(json.dumps({"startUrl": "https://start", "region": "eu-west-3", "accessToken": token,
                                    "expiresAt": until, **more}))
        self.secrets.append(token)
        return file

    def write_sign_on(self, role):
        self.environment.update(HOME=str(self.folder / "home"), AWS_ENDPOINT_URL_SSO=self.service.url,
                                AWS_ENDPOINT_URL_SSO_OIDC=self.service.url)
        self.write_config("[profile role]", "sso_session = my-sso", f"sso_account_id = {role[0]}",
                          f"sso_role_name = {role[1]}", "[sso-session my-sso]", "sso_region = eu-west-3",
                          "sso_start_url = https://start")

    def test_a_role_for_who_has_signed_in(self):
        role = ("123456789012", "storage")
        self.write_sign_on(role)
        self.refuse_init("aws sso login --profile role", "No such file")
        self.sign_in("the-first-sign-in", "2001-01-01T00:00:00Z")
        self.refuse_init("aws sso login --profile role", "has expired")
        self.sign_in("the-first-sign-in", "2999-01-01T00:00:00Z")
        self.refuse_init("aws sso login --profile role", "401", "invalid: .removed.")
        self.give_token("first-session-token", role)
        self.service.signed_in = {"the-first-sign-in": role}
        self.make()
        self.assert_works()
        # The sign-in has ended, and the bucket no longer takes the role's credentials.
        self.give_token("second-session-token", role)
        self.service.signed_in = {"the-second-sign-in": role}
        self.write("meanwhile", 300_000)
        self.refuse("tier", "flush", self.volume, words=["tier s3", "aws sso login --profile role"])
        self.assert_no_secrets()
        self.sign_in("the-second-sign-in", "2999-01-01T00:00:00Z")
        self.wait_until_drained()
        self.settle()

    def test_a_sign_in_is_renewed(self):
        role = ("123456789012", "storage")
        self.write_sign_on(role)
        self.give_token("first-session-token", role)
        client = {"clientId": "the-client", "clientSecret": "the-secret-of-the-client",
                  "registrationExpiresAt": "2999-01-01T00:00:00Z"}
        file = self.sign_in("the-first-sign-in", "2001-01-01T00:00:00Z", refreshToken="the-first-refresh", **client)
        self.secrets += ["the-secret-of-the-client", "the-first-refresh", "the-next-refresh", "the-renewed-sign-in"]
        self.service.signed_in = {"the-renewed-sign-in": role}
        self.refuse_init("aws sso login --profile role", "400: invalid_grant", ".removed.")
        self.service.renewals = {("the-client", "the-secret-of-the-client", "the-first-refresh"):
                                 ("the-renewed-sign-in", "the-next-refresh")}
        self.make()
        self.assert_works()
        kept = json.loads(file.read_text())
        self.assertEqual((kept["accessToken"], kept["refreshToken"]), ("the-renewed-sign-in", "the-next-refresh"))
        self.assertEqual(kept["startUrl"], "https://start")
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assert_no_secrets()
        self.settle()

    def test_profiles_that_are_wrong(self):
        for lines, words in (((), ["role_arn", "needs source_profile or credential_source"]),
                             (("source_profile = nobody",), ["source_profile = nobody", "no such profile"]),
                             (("source_profile = role",), ["in a circle: role -> role"]),
                             (("source_profile = user", "mfa_serial = m"), ["mfa_serial", "nobody to ask"]),
                             (("source_profile = user", "duration_seconds = 1h"), ["duration_seconds", "900"])):
            with self.subTest(lines=lines):
                self.write_role(*lines)
                self.refuse_init(str(self.config), *words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
