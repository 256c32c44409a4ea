"""The secret of a term, and what follows from it: the seeds of the hidden inputs, and each student's variant.

    seed = HMAC-SHA256(secret, question, part)

The same for all students of a run, the same again for a regrade, another one with another secret. Only seeds reach the
kernel in which nbval runs; the secret stays in the process that reads it.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

LEAST_BYTES = 16


def _digest(secret: bytes, *words: str) -> bytes:
    # The separator occurs in no name, so that ("a", "bc") and ("ab", "c") differ.
    return hmac.new(secret, "\0".join(words).encode("utf8"), hashlib.sha256).digest()


def seed(secret: bytes, question: str, part: str) -> int:
    """The seed of a part's hidden inputs, from 0 to 2⁶³ - 1."""
    return int.from_bytes(_digest(secret, "inputs", question, part)[:8], "big") >> 1


def variant(secret: bytes, student: str) -> str:
    """A student's variant: four hexadecimal digits."""
    return _digest(secret, "variant", student).hex()[:4]


def fingerprint(secret: bytes) -> str:
    """What may be shown of a secret: it tells two secrets apart and leads back to neither."""
    return _digest(secret, "fingerprint").hex()[:12]


def read_secret(path: Path | str) -> bytes:
    """The secret in a file, without white space around it.

    ValueError when others than the owner may read the file, or when it holds fewer than 16 bytes.
    """
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"--secret {path} is no regular file.")
        if stat.S_IMODE(mode) & 0o077:
            raise ValueError(f"--secret {path} can be read by others than its owner: run `chmod 600 {path}`.")
        secret = file.read(10_000).strip()
    if len(secret) < LEAST_BYTES:
        raise ValueError(
            f"--secret {path} holds {len(secret)} bytes, and at least {LEAST_BYTES} are needed; "
            "leave --secret out, and one is made."
        )
    return secret


def make_secret(path: Path) -> bytes:
    """A new secret of 32 random bytes, in hexadecimal, written for the owner's eyes only. FileExistsError if it is there."""
    text = secrets.token_hex(32)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="ascii") as file:
        file.write(text + "\n")
    return text.encode("ascii")
