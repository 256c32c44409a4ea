"""Probes by values, sources, names and metadata that a grader may stumble over. Under plain nbval they gain nothing."""

import ast
import copy
import json
import os
from functools import partial

from .files import IRREGULAR
from .forge import FORGE
from .scene import DENIAL, POINTS, Attack, HandIn

# Homework 2 asks for nine functions.
PACK = 9

# What the function returns; `shape` is that of its first argument.
RETURNED = {
    "nan": "[np.full(shape, np.nan)] * 2",
    "infinite": "[np.full(shape, np.inf), np.full(shape, -np.inf)]",
    "complex": "[np.zeros(shape, complex)] * 2",
    "objects": "[np.zeros(shape, object)] * 2",
    "wrong-shape": "[np.zeros((1, 1))] * 2",
    "zero-dimensional": "[np.array(0.0), np.array(0.0)]",
    "no-entries": "[np.zeros((0, 5)), np.zeros((5, 0))]",
    "many-axes": "[np.zeros((1,) * 30)] * 2",
    "broadcast": "[np.broadcast_to(0.0, (10**6, 10**6))] * 2",
    "no-stride": "[np.lib.stride_tricks.as_strided(np.zeros(1), (10**9, 10**3), (0, 0))] * 2",
    "bytes-of-an-array": "[np.zeros(shape, 'V8'), np.zeros(shape, 'S3')]",
    "dates": "[np.zeros(shape, 'M8[s]'), np.zeros(shape, 'm8[s]')]",
    "structured": "[np.zeros(shape, [('a', 'f8')])] * 2",
    "long-double": "[np.zeros(shape, np.longdouble), np.zeros(shape, np.float16)]",
    "masked": "[np.ma.masked_all(shape)] * 2",
    "digits": "['0.0', '1' * 5000]",
    "large-text": "'x' * (64 << 20)",
    "large-number": "10 ** 5000",
    "deep-list": "deep()",
    "list-in-itself": "itself()",
    "dictionary": "{1: 2, (3, 4): [5], 'a': {None: 0}}",
    "set": "{1, 2, 3}",
    "bytes": "b'0'",
    "function": "lambda: 0",
    "a-class": "type('Evil', (), {})",
    "ellipsis": "...",
    "not-implemented": "NotImplemented",
    "endless-generator": "iter(int, 1)",
    "surrogate": "'\\ud800' * 3",
    "truth": "True",
    "wrong-class": "Wrong()",
    "evil-list": "Evil([0.0, 0.0])",
}

HELPERS = """
import numpy as np

def deep():
    value = []
    for _ in range(100000):
        value = [value]
    return value

def itself():
    value = []
    value.append(value)
    return value

class Wrong:
    __class__ = float
    def __float__(self):
        return 0.0
    def __len__(self):
        return 1 << 62
    def __iter__(self):
        while True:
            yield self

class Evil(list):
    def __iter__(self):
        return iter(int, 1)
    def __len__(self):
        return -1
    def __reduce__(self):
        return (exec, ("raise SystemExit",))

"""

# What the answer's name is bound to, where a function was asked for.
BOUND = {
    "deep-list": "deep()",
    "itself": "itself()",
    "broadcast": "np.broadcast_to(0.0, (10**6, 10**6))",
    "callable": "type('F', (), {'__call__': lambda self, *a: 0.0})()",
    "class": "Wrong",
    "generator": "iter(int, 1)",
    "text": "'x' * (50 << 20)",
    "number": "0.0",
}

# Whole answer cells; most are never even a program.
SOURCES = {
    "deep": "x = " + "(" * 5000 + ")" * 5000,
    "minus": "x = " + "-" * 190_000 + "1",
    "dots": "x = a" + ".a" * 95_000,
    "binary": "x = " + "1+" * 95_000 + "1",
    "null": "x = 1\0\n",
    "surrogate": "x = '\ud800'\n# \udfff",
    "coding": "# -*- coding: utf-7 -*-\nx = '+AAo-print(1)'",
    "form-feed": "\x0c\x0b\x1c\x85\u2028x = 1\r\rprint('\ufeff')",
    "long-line": "x = '" + "a" * 190_000 + "'",
    "spaces": " " * 95_000 + "\n# answer:" + " " * 95_000 + "x",
    "quotes": '"""' * 60_001,
    "magic": "%%bash\necho no > $mark\n!echo no > $mark",
    "syntax": "def (:",
    "indents": "".join("\t" * k + "if 1:\n" for k in range(99)),
    "comment": "#" * 190_000,
}


def functions(hand: HandIn) -> list[tuple[str, str]]:
    """Each question that asks for a function, with the function's name."""
    found = []
    for cell in hand.notebook["cells"]:
        if question := cell["metadata"].get("rlhw", {}).get("answer"):
            names = [node.name for node in ast.parse(cell["source"]).body if isinstance(node, ast.FunctionDef)]
            found += [(question, names[0])] if names else []
    return found


def packed(kind: str, tries: str, gain: str, codes: dict[str, str]) -> list[Attack]:
    """Probes that go into one submission, one a question, as many submissions as it takes. `$f` is the function's name."""
    names = list(codes)

    def build(some: list[str], hand: HandIn) -> None:
        for name, (question, function) in zip(some, functions(hand), strict=False):
            cell = next(c for c in hand.notebook["cells"] if c["metadata"].get("rlhw", {}).get("answer") == question)
            code = codes[name].replace("$f", function).replace("$mark", str(hand.mark))
            cell["source"] = f"# answer: {question}\n{code}"

    made = []
    for start in range(0, len(names), PACK):
        some = names[start : start + PACK]
        label = f"{kind}-{start // PACK + 1}"
        made.append(Attack(label, f"{tries}: {', '.join(some)}", gain, partial(build, some)))
    return made


def metadata(name: str, **entries: object) -> Attack:
    def build(hand: HandIn) -> None:
        hand.call("return 0.0")
        hand.notebook["metadata"]["rlhw"] |= entries

    return Attack(f"metadata-{name}", f"the notebook's metadata say {str(entries)[:60]}", DENIAL, build)


def student(name: str, tries: str) -> Attack:
    return Attack(
        f"named-{tries.split()[0]}",
        f"the student's name is {tries}",
        DENIAL,
        lambda hand: hand.call("return 0.0"),
        student=name,
    )


def every_name(hand: HandIn) -> None:
    """Two thousand copies of one answer cell, and as many that claim strange questions."""
    hand.call("return 0.0")
    (one,) = [
        cell for cell in hand.notebook["cells"] if cell["metadata"].get("rlhw", {}).get("answer") == hand.scene.question
    ]
    for number in range(2000):
        twin = copy.deepcopy(one)
        twin["metadata"] = {
            "rlhw": {"answer": [hand.scene.question, "__class__", "../../x", {"a": 1}, None][number % 5]}
        }
        hand.notebook["cells"].append(twin)


def long_prose(hand: HandIn) -> None:
    hand.call("return 0.0")
    for cell in hand.notebook["cells"]:
        if written := cell["metadata"].get("rlhw", {}).get("written"):
            cell["source"] = (
                f"<!-- answer: {written} -->\n" + "<!-- answer: " * 20_000 + "\ud800\x00\u202e" + "|" * 200_000
            )


def two_notebooks(hand: HandIn) -> None:
    hand.call("return 0.0")
    for name in ("one", "two"):
        hand.beside(f"{name}.ipynb", json.dumps(hand.notebook).replace("$", ""))


def hidden_copies(hand: HandIn) -> None:
    """A checkpoint folder with a solved notebook, a wrong one beside it: the wrong one is handed in."""
    hand.call("return 0.0")
    solved = json.dumps(hand.scene.solved)
    for name in (".ipynb_checkpoints/x-checkpoint.ipynb", "__MACOSX/._x.ipynb", "sub/x.ipynb"):
        path = hand.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(solved, encoding="utf8")


def not_utf8_name(hand: HandIn) -> None:
    hand.call("return 0.0")
    path = os.path.join(os.fsencode(hand.scene.submissions), b"caf\xe9-\xff.ipynb")
    with open(path, "w", encoding="utf8") as file:
        json.dump(hand.notebook, file)


OTHERS = (
    Attack("cells-many", "thousands of copies of an answer cell, and claims of strange ones", DENIAL, every_name),
    Attack("prose-long", "a written answer that is long, unpaired and full of bars", DENIAL, long_prose),
    Attack("two-notebooks", "two notebooks of one student", DENIAL, two_notebooks, whole=True),
    Attack("hidden-copies", "solved copies in folders that nobody looks at", POINTS, hidden_copies),
    Attack("name-not-utf8", "a file name that is no text", DENIAL, not_utf8_name, whole=True),
    metadata("variant", variant="zz"), metadata("variant-long", variant="f" * 1_000_000),
    metadata("variant-list", variant=["a3f9"]),
    metadata("variant-number", variant=1e400), metadata("assignment-path", assignment="../../../etc/passwd"),
    metadata("assignment-list", assignment=["hw2", None]), metadata("version", version={"a": [[]]}),
    student("-rf", "dash-first"), student("x" * 200, "long"), student("a\nb,100", "broken-line"), student("grades", "reserved"),
    student("summary.json", "a file's"), student("Vera-Victim", "another's but for case"), student("ve\u0301ra", "decomposed"),
    student("%2e%2e%2f", "escaped"), student(" ", "blank"), student("null", "nothing"),
)  # fmt: skip

RETURNS = {
    name: f"{HELPERS}\ndef $f(*arguments):\n    shape = np.shape(arguments[0])\n    return {value}\n"
    for name, value in RETURNED.items()
}
BINDS = {name: f"{HELPERS}\n$f = {value}\n" for name, value in BOUND.items()}

PROBES: tuple[Attack, ...] = (
    *FORGE,
    *IRREGULAR,
    *packed("returns", "functions that return", POINTS, RETURNS),
    *packed("binds", "names bound to", POINTS, BINDS),
    *packed("sources", "answer cells of this form", DENIAL, SOURCES),
    *OTHERS,
)
