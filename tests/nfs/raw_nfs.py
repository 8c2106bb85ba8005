"""NFSv3 by hand, for what no well-behaved client does: forged handles, fragments, repeated calls, verifiers."""
import random
import socket
import struct
from collections import namedtuple

NFS, MOUNT = 100003, 100005
(NULL, GETATTR, SETATTR, LOOKUP, ACCESS, READLINK, READ, WRITE, CREATE, MKDIR, SYMLINK, MKNOD, REMOVE, RMDIR, RENAME,
 LINK, READDIR, READDIRPLUS, FSSTAT, FSINFO, PATHCONF, COMMIT) = range(22)
OK, PERM, NOENT, ACCES, EXIST, NOTDIR, ISDIR, INVAL, ROFS, STALE = 0, 1, 2, 13, 17, 20, 21, 22, 30, 70
BADHANDLE, NOT_SYNC, BAD_COOKIE, TOOSMALL, BADTYPE, JUKEBOX = 10001, 10002, 10003, 10005, 10007, 10008
UNSTABLE, DATA_SYNC, FILE_SYNC = 0, 1, 2
UNCHECKED, GUARDED, EXCLUSIVE = 0, 1, 2

Attributes = namedtuple("Attributes", "type mode nlink uid gid size used rdev fsid fileid atime mtime ctime")


def u32(*values):
    return struct.pack(f">{len(values)}I", *values)


def u64(value):
    return struct.pack(">Q", value)


def opaque(data):
    data = data.encode() if isinstance(data, str) else bytes(data)
    return u32(len(data)) + data + b"\0" * (-len(data) % 4)


def sattr(mode=None, uid=None, gid=None, size=None, atime=None, mtime=None):
    out = b""
    for value in (mode, uid, gid):
        out += u32(0) if value is None else u32(1, value)
    out += u32(0) if size is None else u32(1) + u64(size)
    for time in (atime, mtime):
        out += u32(0) if time is None else u32(2, *time)
    return out


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def fixed(self, count):
        taken = self.data[self.at:self.at + count]
        assert len(taken) == count, "the reply is cut"
        self.at += count + (-count % 4)
        return taken

    def u32(self):
        return struct.unpack(">I", self.fixed(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.fixed(8))[0]

    def opaque(self):
        return self.fixed(self.u32())

    def attributes(self):
        words = [self.u32() for _ in range(5)]
        size, used = self.u64(), self.u64()
        rdev = (self.u32(), self.u32())
        fsid, fileid = self.u64(), self.u64()
        times = [(self.u32(), self.u32()) for _ in range(3)]
        return Attributes(*words, size, used, rdev, fsid, fileid, *times)

    def optional_attributes(self):
        return self.attributes() if self.u32() else None

    def weak_cache(self):
        """(size, mtime, ctime) before, attributes after."""
        before = (self.u64(), (self.u32(), self.u32()), (self.u32(), self.u32())) if self.u32() else None
        return before, self.optional_attributes()

    def done(self):
        assert self.at == len(self.data), f"{len(self.data) - self.at} bytes too many"


class Client:
    """One connection. Calls return a Reader that stands at the result, after asserting that RPC went well."""

    def __init__(self, port, uid=0, gid=0, groups=(), auth=True, host="127.0.0.1", source=0, address=None):
        own = (address or host, source) if source or address else None
        self.socket = socket.create_connection((host, port), timeout=30, source_address=own)
        self.credentials = u32(0, 0)
        if auth:
            self.credentials = u32(1) + opaque(u32(0) + opaque("test") + u32(uid, gid, len(groups), *groups))
        # Two clients' calls that are equal in all, xids too, would be one that is asked again.
        self.xid = random.randrange(1 << 31)
        self.root = None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def message(self, procedure, arguments=b"", program=NFS, version=3, xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        return u32(xid, 0, 2, program, version, procedure) + self.credentials + u32(0, 0) + arguments

    def send(self, record, fragment=None):
        fragment = fragment or len(record)
        out = b""
        for at in range(0, len(record), fragment):
            piece = record[at:at + fragment]
            last = at + fragment >= len(record)
            out += u32(len(piece) | (0x80000000 if last else 0)) + piece
        self.socket.sendall(out)

    def exactly(self, count):
        out = b""
        while len(out) < count:
            piece = self.socket.recv(count - len(out))
            if not piece:
                raise EOFError
            out += piece
        return out

    def receive(self):
        mark = struct.unpack(">I", self.exactly(4))[0]
        assert mark & 0x80000000
        return Reader(self.exactly(mark & 0x7fffffff))

    def reply(self, xid=None):
        reader = self.receive()
        assert reader.u32() == (xid or self.xid)
        assert (reader.u32(), reader.u32()) == (1, 0), "not an accepted reply"
        reader.fixed(8)
        accepted = reader.u32()
        assert accepted == 0, f"accept_stat {accepted}"
        return reader

    def call(self, procedure, arguments=b"", program=NFS, fragment=None):
        self.send(self.message(procedure, arguments, program), fragment)
        return self.reply()

    # ---- what tests need often ----
    def mount(self, path="/"):
        reader = self.call(1, opaque(path), MOUNT)
        status = reader.u32()
        if status == OK:
            self.root = reader.opaque()
            flavours = [reader.u32() for _ in range(reader.u32())]
            assert 1 in flavours
        return status

    def status(self, procedure, arguments):
        return self.call(procedure, arguments).u32()

    def getattr(self, handle):
        reader = self.call(GETATTR, opaque(handle))
        status = reader.u32()
        return reader.attributes() if status == OK else status

    def lookup(self, name, directory=None):
        reader = self.call(LOOKUP, opaque(directory or self.root) + opaque(name))
        status = reader.u32()
        return reader.opaque() if status == OK else status

    def create(self, name, how=UNCHECKED, directory=None, verifier=None, **attributes):
        arguments = opaque(directory or self.root) + opaque(name) + u32(how)
        arguments += verifier if how == EXCLUSIVE else sattr(**attributes)
        reader = self.call(CREATE, arguments)
        status = reader.u32()
        if status != OK:
            return status
        assert reader.u32() == 1
        return reader.opaque()

    def write(self, handle, offset, data, stable=FILE_SYNC):
        """The write verifier, or a failure's status."""
        reader = self.call(WRITE, opaque(handle) + u64(offset) + u32(len(data), stable) + opaque(data))
        status = reader.u32()
        if status != OK:
            return status
        reader.weak_cache()
        assert reader.u32() == len(data)
        assert reader.u32() >= stable
        return reader.fixed(8)

    def commit(self, handle):
        reader = self.call(COMMIT, opaque(handle) + u64(0) + u32(0))
        status = reader.u32()
        if status != OK:
            return status
        reader.weak_cache()
        return reader.fixed(8)

    def read(self, handle, offset, count):
        reader = self.call(READ, opaque(handle) + u64(offset) + u32(count))
        status = reader.u32()
        if status != OK:
            return status
        reader.optional_attributes()
        counted, _ = reader.u32(), reader.u32()
        data = reader.opaque()
        reader.done()
        assert len(data) == counted
        return data

    def names(self, directory, count=4096, plus=False, each=lambda name: None):
        """All names of a directory, page by page; `each` is called for each as it comes."""
        found, cookie, verifier = [], 0, bytes(8)
        while True:
            arguments = opaque(directory) + u64(cookie) + verifier
            reader = self.call(READDIRPLUS if plus else READDIR, arguments + (u32(count) if plus else b"") + u32(count))
            status = reader.u32()
            assert status == OK, status
            reader.optional_attributes()
            verifier = reader.fixed(8)
            while reader.u32():
                reader.u64()
                name = reader.opaque().decode()
                cookie = reader.u64()
                if plus:
                    reader.optional_attributes()
                    if reader.u32():
                        reader.opaque()
                found.append(name)
                each(name)
            end = reader.u32()
            reader.done()
            if end:
                return found
