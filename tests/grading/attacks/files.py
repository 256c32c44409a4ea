"""Attacks by the form of the submission: no notebook at all, links, archives, bombs in JSON."""

import io
import json
import os
import stat
import zipfile

from .scene import DENIAL, DISK, FILE, HANG, MEMORY, POINTS, Attack, HandIn


def put(content: bytes):
    """The notebook's file holds these bytes."""

    def build(hand: HandIn) -> None:
        (hand.folder / f"{hand.scene.stem}.ipynb").write_bytes(content)

    return build


def changed(change):
    """The notebook as it is, changed as data, with a wrong answer in it."""

    def build(hand: HandIn) -> None:
        hand.call("return 0.0")
        change(hand.notebook)

    return build


def nested(hand: HandIn) -> None:
    """Brackets a hundred thousand deep, in the metadata."""
    hand.call("return 0.0")
    text = json.dumps(hand.notebook | {"metadata": {"rlhw": "DEEP"}}).replace('"DEEP"', "[" * 100_000 + "]" * 100_000)
    put(text.encode())(hand)


def huge_number(hand: HandIn) -> None:
    hand.notebook["metadata"]["number"] = "HUGE"
    put(json.dumps(hand.notebook).replace('"HUGE"', "9" * 100_000).encode())(hand)


def sparse(hand: HandIn) -> None:
    with open(hand.folder / f"{hand.scene.stem}.ipynb", "wb") as file:
        file.truncate(200 << 20)


def link(hand: HandIn) -> None:
    (hand.folder / f"{hand.scene.stem}.ipynb").symlink_to(hand.scene.victim_file)


def link_to_folder(hand: HandIn) -> None:
    (hand.scene.submissions / hand.student).symlink_to(hand.scene.victim_file.parent)


def link_to_zeros(hand: HandIn) -> None:
    (hand.folder / f"{hand.scene.stem}.ipynb").symlink_to("/dev/zero")


def pipe(hand: HandIn) -> None:
    os.mkfifo(hand.folder / f"{hand.scene.stem}.ipynb")


def folder(hand: HandIn) -> None:
    (hand.folder / f"{hand.scene.stem}.ipynb").mkdir()
    (hand.folder / f"{hand.scene.stem}.ipynb" / "x").touch()


def archive(hand: HandIn, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> None:
    """A zip in place of a folder: `<student>.zip`."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries:
            made.writestr(name, content)
    hand.scene.submissions.mkdir(parents=True, exist_ok=True)
    (hand.scene.submissions / f"{hand.student}.zip").write_bytes(whole.getvalue())


def traversal(hand: HandIn) -> None:
    hand.answer("$function = None")
    up = "../" * 40 + str(hand.mark)[1:]
    notebook = json.dumps(hand.notebook).encode()
    archive(hand, (up, b"x"), (str(hand.mark), b"x"), (f"{hand.scene.stem}.ipynb", notebook))


def zip_bomb(hand: HandIn) -> None:
    """400 kB that unpack to 400 MB, in the notebook's place and beside it."""
    archive(hand, (f"{hand.scene.stem}.ipynb", b" " * (200 << 20)), ("more.txt", b" " * (200 << 20)))


def zip_with_link(hand: HandIn) -> None:
    entry = zipfile.ZipInfo(f"{hand.scene.stem}.ipynb")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    archive(hand, (entry, str(hand.scene.victim_file).encode()))


def strange_cells(notebook: dict) -> None:
    notebook["cells"] = {"0": "cells", "1": None}


def strange_metadata(notebook: dict) -> None:
    notebook["metadata"] = ["rlhw", {"assignment": ["hw2"]}]


def strange_sources(notebook: dict) -> None:
    for number, cell in enumerate(notebook["cells"]):
        cell["source"] = [None, 7, {"a": 1}, ["b"]][number % 4]
        cell["id"] = [[], {}, None, 3.5][number % 4]
        cell["metadata"] = [None, [], "rlhw", {"rlhw": ["answer"], "tags": 1}][number % 4]


def strange_kind(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["cell_type"] = ["code"]
    notebook["nbformat"] = "four"


def attachments(notebook: dict) -> None:
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    cell["attachments"] = {"../../x.png": {"image/png": ["not", {"a": "string"}]}, "y": None}
    cell["outputs"] = cell["execution_count"] = [[[]]]


FILES = (
    Attack("no-notebook", "a text in the notebook's place", DENIAL, put(b"I will hand it in tomorrow, promised.\n")),
    Attack("empty-file", "nothing in the notebook's place", DENIAL, put(b"")),
    Attack("not-utf8", "bytes that are no text", DENIAL, put(b"\xff\xfe\x00\xd8{}" * 100)),
    Attack("json-not-an-object", "JSON that is no notebook", DENIAL, put(b"[1, 2, NaN]")),
    Attack("json-bomb", "brackets a hundred thousand deep", DENIAL, nested),
    Attack("json-number", "a number of a hundred thousand digits", DENIAL, huge_number),
    Attack("json-cells", "cells that are no list", DENIAL, changed(strange_cells)),
    Attack("json-metadata", "metadata that are a list", DENIAL, changed(strange_metadata)),
    Attack("json-sources", "sources, ids and tags of every wrong type", DENIAL, changed(strange_sources)),
    Attack("json-kinds", "cell types that are lists, a version in words", DENIAL, changed(strange_kind)),
    Attack("attachments", "attachments and outputs of a wrong form", DENIAL, changed(attachments)),
    Attack("sparse-file", "200 MB of nothing", DENIAL, sparse),
    Attack("symlink", "a link to somebody else's notebook", POINTS, link, whole=True),
    Attack("symlinked-folder", "a link to somebody else's folder", POINTS, link_to_folder, whole=True),
    Attack("zip-traversal", "an archive that unpacks to the outside", FILE, traversal, whole=True),
    Attack("zip-bomb", "an archive that unpacks to 400 MB", DISK, zip_bomb, whole=True),
    Attack("zip-symlink", "an archive whose notebook is a link to somebody else's", POINTS, zip_with_link, whole=True),
)  # fmt: skip

# pytest looks at regular files only.
IRREGULAR = (
    Attack("symlink-to-zeros", "a link to a device that never ends", MEMORY, link_to_zeros, whole=True),
    Attack("named-pipe", "a named pipe in the notebook's place", HANG, pipe, whole=True),
    Attack("folder-as-notebook", "a folder named as the notebook", DENIAL, folder, whole=True),
)
