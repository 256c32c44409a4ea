"""The zip file that Gradescope makes an autograder of: `rlhw homework autograder hw2`.

Gradescope unpacks it into /autograder/source, runs setup.sh once as root while it builds the image, and run_autograder in a
fresh container for each submission. The zip holds both, this library as a wheel, pinned requirements and the term's secret.

The wheel is made here from the files of the library that runs, whether it is a checkout or installed: what the instructor
tried is what grades. The same files give the same bytes.
"""

import base64
import hashlib
import io
import json
import os
import re
import tempfile
import tomllib
import zipfile
from email import message_from_string
from importlib import metadata, resources
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

import rlhw
from rlhw import homework
from rlhw.grading import inputs

EXTRA = "grading"
MOMENT = (1980, 1, 1, 0, 0, 0)
SCRIPT, PLAIN, PRIVATE = 0o755, 0o644, 0o600
# Gradescope's images are Linux, whatever the instructor's machine is.
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
TOLD = """\
{path}: upload it as the autograder of a programming assignment of {points} points; choose the newest Ubuntu as base image.
secret: {kept}{how} (fingerprint {fingerprint}). The zip holds it too: keep both to yourself.
A submission's output, which instructors see, names the sandbox that Gradescope's container allows. Where it allows no
namespaces, a second user is the only wall, and what stays open then is printed there."""


def main(name: str, out: str | None, secret: str | None) -> int:
    """Write the zip and say what is in it. Without a secret one is made and kept beside the zip."""
    assignment = homework.assignment(name)
    path = Path(out or f"{name}_autograder.zip")
    kept = Path(secret) if secret else path.with_suffix(".secret")
    made = not secret and not kept.exists()
    hidden = inputs.make_secret(kept) if made else inputs.read_secret(kept)
    write(assignment.name, hidden, path)
    how, fingerprint = ", made anew" if made else "", inputs.fingerprint(hidden)
    print(TOLD.format(path=path, points=assignment.automatic, kept=kept, how=how, fingerprint=fingerprint))
    return 0


def write(name: str, secret: bytes, path: Path) -> None:
    """Write the zip for an assignment, atomically, for the owner's eyes only. ValueError where no wheel can be made."""
    templates = resources.files("rlhw.grading") / "templates"
    wheel_name, wheel = build_wheel()
    members = {
        "setup.sh": (SCRIPT, (templates / "setup.sh").read_bytes()),
        "run_autograder": (SCRIPT, (templates / "run_autograder").read_bytes()),
        "requirements.txt": (PLAIN, "".join(f"{line}\n" for line in pins()).encode()),
        "assignment.json": (PLAIN, json.dumps({"assignment": name}).encode() + b"\n"),
        wheel_name: (PLAIN, wheel),
        "secret": (PRIVATE, secret + b"\n"),
    }
    data = _zipped(members)
    handle, draft = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".part")
    try:
        # mkstemp gives a file that its owner alone reads, and it stays so: the secret is in it.
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _zipped(members: dict[str, tuple[int, bytes]]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (mode, data) in members.items():
            member = zipfile.ZipInfo(name, MOMENT)
            member.create_system, member.external_attr = 3, (0o100000 | mode) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return packed.getvalue()


def build_wheel() -> tuple[str, bytes]:
    """(file name, bytes) of a wheel of the library that runs. ValueError where nothing says what it needs."""
    package, info = Path(rlhw.__file__).parent, f"rlhw-{rlhw.__version__}.dist-info"
    files = {f"rlhw/{place}": path.read_bytes() for place, path in _files(package)}
    if not (package / "results").is_dir():
        # In a checkout the result cards lie beside the package; the wheel holds them inside.
        files |= {f"rlhw/results/{place}": path.read_bytes() for place, path in _files(package.parent / "results")}
    described, licenses = _description(package)
    files |= {f"{info}/licenses/{name}": data for name, data in licenses.items()}
    files[f"{info}/METADATA"] = described.encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: rlhw\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = b"[console_scripts]\nrlhw = rlhw.cli:main\n"
    record = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in sorted(files.items())]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    return f"rlhw-{rlhw.__version__}-py3-none-any.whl", _zipped(
        {name: (PLAIN, data) for name, data in sorted(files.items())}
    )


def _description(package: Path) -> tuple[str, dict[str, bytes]]:
    """(METADATA, licences): in a checkout from pyproject.toml, which an editable install may lag behind; else as installed."""
    project = package.parent / "pyproject.toml"
    if project.is_file():
        told = tomllib.loads(project.read_text(encoding="utf8"))["project"]
        lines = ["Metadata-Version: 2.1", f"Name: {told['name']}", f"Version: {rlhw.__version__}"]
        lines += [f"Requires-Python: {told['requires-python']}"]
        lines += [f"Requires-Dist: {line}" for line in told["dependencies"]]
        lines += [f'Requires-Dist: {line}; extra == "{EXTRA}"' for line in told["optional-dependencies"][EXTRA]]
        return "\n".join(lines) + "\n", {name: (package.parent / name).read_bytes() for name in told["license-files"]}
    try:
        distribution = metadata.distribution("rlhw")
    except metadata.PackageNotFoundError:
        raise ValueError(
            "no wheel can be made of this copy of rlhw: it was not installed. Run `pip install '.[grading]'` in the "
            "course's folder, then this command again."
        ) from None
    found = [Path(distribution.locate_file(name)) for name in distribution.files or () if "licenses" in name.parts]
    return distribution.read_text("METADATA") or "", {path.name: path.read_bytes() for path in found}


def _files(folder: Path) -> list[tuple[str, Path]]:
    found = [(path.relative_to(folder), path) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        (place.as_posix(), path)
        for place, path in found
        if "__pycache__" not in place.parts and not any(part.startswith(".") for part in place.parts)
    ]


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def pins() -> list[str]:
    """What the library needs to grade, each package in the version installed here, as lines of a requirements file."""
    own = message_from_string(_description(Path(rlhw.__file__).parent)[0]).get_all("Requires-Dist") or []
    pinned: dict[str, str] = {}
    queue = [(own, EXTRA)]
    while queue:
        lines, extra = queue.pop()
        for needed in map(Requirement, lines):
            environment = {**default_environment(), **LINUX, "extra": extra}
            if needed.marker and not needed.marker.evaluate(environment):
                continue
            key = re.sub(r"[-_.]+", "-", needed.name).lower()
            if key not in pinned:
                pinned[key] = _pin(needed)
                queue += [(_requires(needed.name), wanted) for wanted in needed.extras or {""}]
    return [pinned[name] for name in sorted(pinned)]


def _requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []


def _pin(needed: Requirement) -> str:
    try:
        # What follows a + is a build of this machine, such as one without CUDA.
        return f"{needed.name}=={metadata.version(needed.name).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return f"{needed.name}{needed.specifier}"
