"""The token service of AWS, and its portal for single sign-on, on loopback: who has keys, a token, or has signed in, gets roles."""
import hashlib
import hmac
import http.server
import json
import re
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

KEYS = ("AccessKeyId", "SecretAccessKey", "SessionToken")
LASTS_S = 3600


class Refusal(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class TokenService:
    def __init__(self):
        self.users = {}      # access key: secret, session token or None
        self.roles = {}      # ARN: the access key, secret and session token that it has
        self.identity = None  # the token of whom another one vouches for
        self.signed_in = {}  # token of a sign-in: account and role, as keys of `roles`
        self.renewals = {}   # client's id and secret, refresh token: the token and the refresh token that follow
        self.refusal = None  # for everybody
        self.asked = []      # the parameters of each request that was granted
        handler = type("Handler", (_Handler,), {"service": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def assume_role(self, headers, body, asked):
        self.verify(headers, body)
        return self.role(asked)

    def assume_role_with_web_identity(self, headers, body, asked):
        if "authorization" in headers or asked.get("WebIdentityToken") != self.identity:
            raise Refusal(400, "InvalidIdentityToken", f"not to be trusted: {asked.get('WebIdentityToken')}")
        return self.role(asked)

    def role(self, asked):
        if asked["RoleArn"] not in self.roles:
            raise Refusal(403, "AccessDenied", f"nobody may assume {asked['RoleArn']}")
        keys = self.roles[asked["RoleArn"]]
        self.users[keys[0]] = keys[1:]
        self.asked.append(asked)
        return keys

    def verify(self, headers, body):
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[^/]+/sts/aws4_request),"
                             r"SignedHeaders=([^,]+),Signature=([0-9a-f]{64})", headers.get("authorization", ""))
        if not found:
            raise Refusal(403, "IncompleteSignature", "it is not signed for sts")
        access, scope, names, signature = found.groups()
        if access not in self.users:
            raise Refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        secret, token = self.users[access]
        if headers.get("x-amz-security-token") != token:
            raise Refusal(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        lines = ["POST", "/", ""] + [f"{name}:{headers[name]}" for name in names.split(";")]
        request = "\n".join(lines + ["", names, hashlib.sha256(body).hexdigest()])
        text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + secret).encode()
        for part in scope.split("/") + [text]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        required = {"host", "x-amz-date"} | ({"x-amz-security-token"} if token else set())
        if not required <= set(names.split(";")) or not hmac.compare_digest(key.hex(), signature):
            raise Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
        token = self.headers.get("x-amz-sso_bearer_token")
        place = (asked.get("account_id"), asked.get("role_name"))
        if path != "/federation/credentials":
            self.send(404, "application/json", "{}")
        elif token not in self.service.signed_in:
            self.send(401, "application/json", json.dumps({"message": f"Session token not found or invalid: {token}"}))
        elif self.service.signed_in[token] != place:
            self.send(403, "application/json", json.dumps({"message": "No access"}))
        else:
            names = ("accessKeyId", "secretAccessKey", "sessionToken")
            keys = dict(zip(names, self.service.roles[place]))
            self.service.asked.append(asked)
            self.send(200, "application/json",
                      json.dumps({"roleCredentials": {**keys, "expiration": int((time.time() + LASTS_S) * 1000)}}))

    def renew(self, asked):
        known = (asked["clientId"], asked["clientSecret"], asked["refreshToken"])
        if asked["grantType"] != "refresh_token" or known not in self.service.renewals:
            self.send(400, "application/json", json.dumps({"error": "invalid_grant", "error_description": str(asked)}))
            return
        token, refresh = self.service.renewals.pop(known)
        self.send(200, "application/json", json.dumps({"accessToken": token, "refreshToken": refresh,
                                                       "tokenType": "Bearer", "expiresIn": LASTS_S}))

    def do_POST(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers["content-length"]))
        if self.path == "/token":
            self.renew(json.loads(body))
            return
        asked = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        actions = {"AssumeRole": self.service.assume_role,
                   "AssumeRoleWithWebIdentity": self.service.assume_role_with_web_identity}
        try:
            if self.service.refusal:
                raise self.service.refusal
            if asked["Action"] not in actions or asked["Version"] != "2011-06-15":
                raise Refusal(400, "InvalidAction", "there is no such action")
            keys = dict(zip(KEYS, actions[asked["Action"]](headers, body, asked)))
        except Refusal as refusal:
            self.send(refusal.status, "text/xml",
                      f"<ErrorResponse><Error><Type>Sender</Type><Code>{refusal.code}</Code>"
                      f"<Message>{escape(refusal.message)}</Message></Error></ErrorResponse>")
            return
        keys["Expiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LASTS_S))
        members = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in keys.items())
        name = asked["Action"]
        self.send(200, "text/xml",
                  f"<{name}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{name}Result>"
                  f"<Credentials>{members}</Credentials></{name}Result></{name}Response>")
