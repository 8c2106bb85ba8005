"""Programs for which no file system has hard links, as a share of FAT has none."""
import ctypes
import errno
import os
import platform
import shutil
import struct
import tempfile
from pathlib import Path

LINKAT = {"x86_64": 265, "aarch64": 37}
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
FAIL, ALLOW = 0x00050000, 0x7fff0000


def have_no_links():
    """For preexec_fn: from here on link(2) fails with EPERM."""
    steps = [(LOAD_WORD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, LINKAT[platform.machine()]), (RETURN, 0, 0, FAIL | errno.EPERM),
             (RETURN, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value, pointer in [(PR_SET_NO_NEW_PRIVS, 1, None), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)]:
        if libc.prctl(option, ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def share(test):
    """A folder that is on no block device, as those of a network are."""
    folder = Path(tempfile.mkdtemp(prefix="firn-share-", dir="/dev/shm"))
    test.addCleanup(shutil.rmtree, folder)
    test.assertEqual(os.major(folder.stat().st_dev), 0)
    return folder
