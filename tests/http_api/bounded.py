"""Schemathesis hooks: requests that have no end, or that reach beyond the volume, are kept in bounds. What the daemon is to
refuse stays as it is."""
import os

import schemathesis

SOURCE = os.environ.get("FIRN_API_SOURCE", "/nonexistent")  # a small folder: what a migration may read
REPORT = os.environ.get("FIRN_API_REPORT", "/nonexistent/report")  # what it may write


def one(value):
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def bound_stream(query):
    if str(one(query.get("follow", True))).lower() in ("true", "1"):
        query["follow"] = "false"


def bound_log(query):
    seconds = str(one(query.get("seconds", 600)))
    if seconds.isascii() and seconds.isdigit() and 1 <= int(seconds) <= 600:
        query["seconds"] = 1


def bound_scrub(query):
    rate = str(one(query.get("rate", 0)))
    if rate.isascii() and rate.isdigit() and 0 < int(rate) < 1 << 20:
        query["rate"] = 1 << 20


def bound_migration(query):
    sources = query.get("from")
    if isinstance(sources, list):
        query["from"] = [SOURCE if str(source).startswith("/") else source for source in sources]
    elif str(sources).startswith("/"):
        query["from"] = SOURCE
    if str(one(query.get("report", ""))).startswith("/"):
        query["report"] = REPORT


BOUNDS = {"/v1/events": bound_stream, "/v1/admin/accesslog": bound_log, "/v1/admin/scrub": bound_scrub,
          "/v1/admin/migrate": bound_migration}


@schemathesis.hook
def before_call(_context, case, _arguments):
    bound = BOUNDS.get(case.path)
    if bound:
        case.query = dict(case.query or {})
        bound(case.query)
