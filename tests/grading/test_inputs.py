"""Seeds and variants from a secret: as RFC 2104 computes them, the same again, and nothing of the secret in them."""

import hashlib

import pytest

from rlhw.grading import inputs

SECRET = b"0123456789abcdef"


def hmac_by_hand(key, message):
    """RFC 2104 with SHA-256 for keys of up to 64 bytes."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def test_a_seed_is_the_hmac_of_question_and_part():
    digest = hmac_by_hand(SECRET, b"inputs\0hw2-gae\0nan at the padding")
    assert inputs.seed(SECRET, "hw2-gae", "nan at the padding") == int.from_bytes(digest[:8], "big") // 2


def test_seeds_differ_by_secret_question_and_part_and_are_the_same_again():
    seeds = [
        inputs.seed(secret, question, part)
        for secret in (SECRET, SECRET + b"!") for question in ("a", "ab") for part in ("bc", "c")
    ]  # fmt: skip
    # "a", "bc" and "ab", "c" put together would be the same letters.
    assert len(set(seeds)) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert inputs.seed(SECRET, "a", "bc") == seeds[0]


def test_variants_are_hexadecimal_and_spread():
    variants = {inputs.variant(SECRET, f"s{number}") for number in range(500)}
    assert len(variants) > 490
    assert all(len(v) == 4 and int(v, 16) >= 0 for v in variants)
    assert inputs.variant(SECRET, "s1") == hmac_by_hand(SECRET, b"variant\0s1").hex()[:4]


def test_a_secret_that_others_may_read_or_that_is_short_is_refused(tmp_path):
    path = tmp_path / "secret"
    path.write_bytes(b" " + SECRET + b"\n")
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(ValueError, match=r"chmod 600"):
            inputs.read_secret(path)
    path.chmod(0o600)
    assert inputs.read_secret(path) == SECRET
    path.write_bytes(SECRET[:-1] + b"\n\n\n")
    with pytest.raises(ValueError, match="holds 15 bytes"):
        inputs.read_secret(path)


def test_a_secret_that_is_made_can_be_read_by_its_owner_only_and_is_never_replaced(tmp_path):
    made = inputs.make_secret(tmp_path / "secret.hex")
    assert (tmp_path / "secret.hex").stat().st_mode & 0o777 == 0o600
    assert inputs.read_secret(tmp_path / "secret.hex") == made
    assert len(bytes.fromhex(made.decode())) == 32
    with pytest.raises(FileExistsError):
        inputs.make_secret(tmp_path / "secret.hex")
    assert inputs.fingerprint(made) not in made.decode()
    assert inputs.fingerprint(made) != inputs.fingerprint(SECRET)
