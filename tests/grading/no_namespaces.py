"""Run a command where no namespace can be made, as under Docker's usual seccomp profile: `python no_namespaces.py COMMAND …`.

A seccomp filter answers unshare, setns and mount with EPERM, clone with a flag for a namespace too, and clone3 with ENOSYS (so
that the C library falls back to clone). It needs root, which may install one without giving up set-user-id programs.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

# Numbers of the calls, and of the architecture in seccomp's data.
NUMBERS = {
    "x86_64": (0xC000003E, {"unshare": 272, "setns": 308, "mount": 165, "clone": 56, "clone3": 435}),
    "aarch64": (0xC00000B7, {"unshare": 97, "setns": 268, "mount": 40, "clone": 220, "clone3": 435}),
}
NAMESPACE_FLAGS = 0x7E020000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, FILTER = 22, 2


def program() -> bytes:
    """The filter: (code, jump if true, jump if false, value) eight bytes each."""
    architecture, calls = NUMBERS[platform.machine()]
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, ERROR | errno.EPERM), (LOAD, 0, 0, 0)]
    for name in ("unshare", "setns", "mount"):
        steps += [(EQUAL, 0, 1, calls[name]), (RETURN, 0, 0, ERROR | errno.EPERM)]
    steps += [(EQUAL, 0, 1, calls["clone3"]), (RETURN, 0, 0, ERROR | errno.ENOSYS)]
    steps += [(EQUAL, 0, 3, calls["clone"]), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, NAMESPACE_FLAGS)]
    steps += [(RETURN, 0, 0, ERROR | errno.EPERM), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def main(command: list[str]) -> None:
    """Install the filter and become the command."""
    steps = program()
    held = ctypes.create_string_buffer(steps, len(steps))
    wanted = _Program(len(steps) // 8, ctypes.cast(held, ctypes.c_char_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(wanted), 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp filter could be installed")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
