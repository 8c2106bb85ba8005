"""libnfs, the client library, as Python sees it. Failures are OSErrors."""
import ctypes
import ctypes.util
import errno
import os

LIBRARY = ctypes.CDLL(ctypes.util.find_library("nfs") or "libnfs.so.13")
LIBRARY.nfs_init_context.restype = ctypes.c_void_p
LIBRARY.nfs_get_error.restype = ctypes.c_char_p
LIBRARY.nfs_parse_url_dir.restype = ctypes.c_void_p
LIBRARY.nfs_readdir.restype = ctypes.c_void_p


class Stat(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "dev ino mode nlink uid gid rdev size blksize blocks atime mtime ctime atime_nsec mtime_nsec ctime_nsec "
        "used").split()]


class Dirent(ctypes.Structure):
    _fields_ = [("next", ctypes.c_void_p), ("name", ctypes.c_char_p), ("inode", ctypes.c_uint64)]


class Timeval(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("microseconds", ctypes.c_long)]


class Mount:
    """A mount of its own, with a connection of its own."""

    def __init__(self, url):
        self.context = ctypes.c_void_p(LIBRARY.nfs_init_context())
        address = ctypes.c_void_p(LIBRARY.nfs_parse_url_dir(self.context, url.encode()))
        server = ctypes.cast(address, ctypes.POINTER(ctypes.c_char_p))
        self.call("mount", server[0], server[1])
        LIBRARY.nfs_destroy_url(address)

    def close(self):
        LIBRARY.nfs_destroy_context(self.context)
        self.context = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, name, *arguments):
        words = [word.encode() if isinstance(word, str) else word for word in arguments]
        result = getattr(LIBRARY, "nfs_" + name)(self.context, *words)
        if result < 0:
            raise OSError(-result, f"{name}{arguments}: {(LIBRARY.nfs_get_error(self.context) or b'').decode()}")
        return result

    # ---- files ----
    def open(self, path, flags=os.O_RDONLY):
        handle = ctypes.c_void_p()
        self.call("open", path, flags, ctypes.byref(handle))
        return handle

    def create(self, path, flags=os.O_RDWR, mode=0o644):
        handle = ctypes.c_void_p()
        self.call("create", path, flags, mode, ctypes.byref(handle))
        return handle

    def pread(self, handle, offset, count):
        buffer = ctypes.create_string_buffer(max(count, 1))
        got = self.call("pread", handle, ctypes.c_uint64(offset), ctypes.c_uint64(count), buffer)
        return buffer.raw[:got]

    def pwrite(self, handle, offset, data):
        return self.call("pwrite", handle, ctypes.c_uint64(offset), ctypes.c_uint64(len(data)), bytes(data))

    def write_file(self, path, data, mode=0o644):
        handle = self.create(path, mode=mode)
        done = 0
        while done < len(data):
            done += self.pwrite(handle, done, data[done:done + (1 << 20)])
        self.call("fsync", handle)
        self.call("close", handle)

    def read_file(self, path):
        handle = self.open(path)
        out = b""
        while True:
            piece = self.pread(handle, len(out), 1 << 20)
            if not piece:
                break
            out += piece
        self.call("close", handle)
        return out

    def stat(self, path):
        stat = Stat()
        self.call("lstat64", path, ctypes.byref(stat))
        return stat

    def exists(self, path):
        try:
            self.stat(path)
            return True
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            return False

    def readlink(self, path):
        buffer = ctypes.create_string_buffer(4097)
        self.call("readlink", path, buffer, len(buffer))
        return buffer.value.decode()

    def utimes(self, path, atime, mtime):
        self.call("utimes", path, (Timeval * 2)(Timeval(*atime), Timeval(*mtime)))

    def listdir(self, path):
        directory = ctypes.c_void_p()
        self.call("opendir", path, ctypes.byref(directory))
        names = []
        while True:
            entry = LIBRARY.nfs_readdir(self.context, directory)
            if not entry:
                break
            names.append(ctypes.cast(entry, ctypes.POINTER(Dirent)).contents.name.decode())
        LIBRARY.nfs_closedir(self.context, directory)
        return [name for name in names if name not in (".", "..")]
