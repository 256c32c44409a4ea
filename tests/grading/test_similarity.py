"""What resembles what: copies are found under other names and in another order, independent work is not."""

import ast
import csv
import io
from inspect import getsource, isfunction
from itertools import combinations
from textwrap import dedent

import numpy as np
import pytest

from rlhw import exercises
from rlhw.grading import fingerprints, similarity

ORIGINAL = '''
# answer: ch6-gae
def gae(rewards, values, mask, gamma, lam):
    """My answer."""
    advantages = np.zeros(rewards.shape)
    clean = np.where(mask, values, 0.0)
    earned = np.where(mask, rewards, 0.0)
    for row in range(rewards.shape[0]):
        running = 0.0
        last = int(mask[row].sum())
        for t in range(last - 1, -1, -1):
            later = clean[row, t + 1] if t + 1 < last else 0.0
            delta = earned[row, t] + gamma * later - clean[row, t]
            running = delta + gamma * lam * running
            advantages[row, t] = running
    returns = np.where(mask, advantages + clean, 0.0)
    return advantages, returns
'''
# The same, in another order and under other names, with comments and other layout.
DISGUISED = """
# answer: ch6-gae
def gae(rewards, values, mask, gamma, lam):
    r = np.where(mask, rewards, 0.0)   # rewards at the tokens
    v = np.where(mask, values,
                 0.0)
    A = np.zeros(rewards.shape)
    for i in range(rewards.shape[0]):
        n = int(mask[i].sum())
        acc = 0.0
        for k in range(n - 1, -1, -1):
            # what comes after
            nxt = v[i, k + 1] if k + 1 < n else 0.0
            d = r[i, k] + gamma * nxt - v[i, k]
            acc = d + gamma * lam * acc
            A[i, k] = acc
    R = np.where(mask, A + v, 0.0)
    return (A, R)
"""


@pytest.fixture(scope="module")
def references():
    return similarity.references()


def answers(*texts, question="ch6-gae"):
    return {f"s{number}": {question: text} for number, text in enumerate(texts)}


class Renamed(ast.NodeTransformer):
    """Every argument and variable under another name."""

    def __init__(self):
        self.names = {}

    def _other(self, name):
        return self.names.setdefault(name, f"other_{len(self.names)}")

    def visit_arg(self, node):
        node.arg = self._other(node.arg)
        return node

    def visit_Name(self, node):
        if node.id != "np" and node.id not in fingerprints._FIXED:
            node.id = self._other(node.id)
        return node


def renamed(source, exchange=False):
    """The source under other names and in Python's own layout; with `exchange` its first two statements change places."""
    tree = Renamed().visit(ast.parse(source))
    body = tree.body[0].body
    if exchange and len(body) > 2:
        body[0], body[1] = body[1], body[0]
    return ast.unparse(tree)


def right_answers(question):
    return {
        key: dedent(getsource(right))
        for key, right in question.right.items()
        if isfunction(right) and "<" not in right.__qualname__
    }


def test_a_copy_under_other_names_and_in_another_order_is_found():
    (pair,) = similarity.compare(answers(ORIGINAL, DISGUISED), {})
    assert (pair.first, pair.second, pair.question, pair.word_for_word) == ("s0", "s1", "ch6-gae", False)
    assert pair.score >= similarity.RENAMED
    assert set(range(8, 16)) <= {line for start, end in pair.first_lines for line in range(start, end + 1)}


def test_with_the_names_left_in_the_disguised_copy_is_not_found():
    # The control: taking the names away is what finds it.
    found = [fingerprints.of(text, names=True).kept for text in (ORIGINAL, DISGUISED)]
    assert len(found[0] & found[1]) / min(map(len, found)) < similarity.RENAMED


def test_a_plain_copy_is_called_word_for_word():
    (pair,) = similarity.compare(answers(ORIGINAL, "# mine\n" + ORIGINAL), {})
    assert (pair.word_for_word, pair.score) == (True, 1.0)
    assert pair.second_lines[-1][1] == pair.first_lines[-1][1] + 1


def test_empty_stubs_are_never_listed():
    stubs = {name: exercises.question(name).stub for name in exercises.names()}
    assert similarity.compare({f"s{n}": dict(stubs) for n in range(5)}, dict(stubs)) == []


def test_what_is_no_python_stops_nothing():
    broken = ["def f(:\n  '''", "\x00" * 500, "((((" * 400, "é" * 300, "# only a comment", "", '"""' + "a b " * 100]
    assert similarity.compare(answers(*broken), {"ours": ORIGINAL}) == []


def test_of_a_huge_answer_only_the_beginning_is_read():
    longest = fingerprints.LONGEST
    for line in ("x = 1 + y\n", "'", "("):
        text = line * (5_000_000 // len(line))
        assert fingerprints.tokens(text) == fingerprints.tokens(text[:longest])
        assert len(fingerprints.tokens(text)) <= longest
    # The control: up to there everything is read.
    assert len(fingerprints.tokens("x\n" * longest)) == longest // 2
    assert similarity.compare(answers("x = 1 + y\n" * 500_000, "'" * 5_000_000, "(" * 5_000_000), {}) == []


def test_independent_right_answers_are_not_listed(references):
    """The false alarms, over every question's own right answers: all pairs, and each against the library."""
    pairs, closest = 0, 0.0
    for name in exercises.names():
        question = exercises.question(name)
        prints = [fingerprints.of(text, False, question.stub).kept for text in right_answers(question).values()]
        for first, second in combinations((own for own in prints if len(own) >= similarity.LEAST), 2):
            pairs += 1
            closest = max(closest, len(first & second) / min(len(first), len(second)))
    assert pairs >= 100
    assert closest <= 0.6 < similarity.RENAMED
    independent = {
        f"s{number}": {name: text}
        for name in exercises.names()
        for number, text in enumerate(right_answers(exercises.question(name)).values())
    }
    library = {name: text for name, text in references.items() if name.startswith("rlhw.")}
    assert similarity.compare(independent, library) == []


@pytest.mark.parametrize(("exchange", "rate"), [(False, 1.0), (True, 0.97)])
def test_right_answers_are_found_again_under_other_names(exchange, rate):
    found = []
    for name in exercises.names():
        question = exercises.question(name)
        for text in right_answers(question).values():
            own = fingerprints.of(text, False, question.stub).kept
            other = fingerprints.of(renamed(text, exchange), False, question.stub).kept
            if min(len(own), len(other)) >= similarity.LEAST:
                found.append(len(own & other) / min(len(own), len(other)) >= similarity.RENAMED)
    assert len(found) >= 100
    assert np.mean(found) >= rate


def test_a_library_function_under_other_names_is_found(references):
    lengths = {name: text.count("\n") for name, text in references.items() if name.startswith("rlhw.")}
    tried = {name: references[name] for name in sorted(lengths) if 15 < lengths[name] < 40}
    for name, text in list(tried.items())[::25]:
        pairs = similarity.compare({"ann": {"ch6-gae": renamed(text)}}, references)
        assert [(pair.second, pair.reference) for pair in pairs] == [(name, True)], name


def test_the_chapters_solutions_are_among_the_references(references):
    assert "ch6-gae, right answer 'model'" in references
    source = references["ch6-gae, right answer 'model'"]
    (pair,) = similarity.compare({"ann": {"ch6-gae": source}}, references)
    assert (pair.reference, pair.word_for_word, pair.score) == (True, True, 1.0)


def test_what_many_write_is_the_questions_own():
    others = right_answers(exercises.question("ch6-gae"))
    same = {f"s{n}": {"ch6-gae": renamed(ORIGINAL) if n % 2 else DISGUISED} for n in range(12)}
    assert [pair for pair in similarity.compare(same, {}) if not pair.word_for_word] == []
    # Two of thirty share it: that is no longer the question's own.
    rest = {f"t{n}": {"ch6-gae": list(others.values())[n % 3] + f"\nx{n} = {n}"} for n in range(28)}
    pairs = similarity.compare({"a": {"ch6-gae": ORIGINAL}, "b": {"ch6-gae": DISGUISED}, **rest}, {})
    assert ("a", "b", False) in [(pair.first, pair.second, pair.word_for_word) for pair in pairs]


SHORT = {
    "ch5-kwise": "def kwise(s):\n    return -np.sum(np.log1p(np.exp(s[1:] - s[:-1])))\n",
    "ch7-beta": "def beta(x):\n    return np.sqrt(np.abs(x) + 7) ** 3 % 11\n",
    "ch8-fit": "def fit(d, r):\n    return np.polyfit(np.cbrt(d), r[::-1] / 13, 2)[::-1]\n",
}


def test_one_short_answer_is_never_listed_and_several_together_are():
    assert all(len(fingerprints.of(text).kept) < similarity.LEAST for text in SHORT.values())
    assert (
        similarity.compare({"a": {"ch5-kwise": SHORT["ch5-kwise"]}, "b": {"ch5-kwise": SHORT["ch5-kwise"]}}, {}) == []
    )
    (pair,) = similarity.compare({"a": SHORT, "b": {name: renamed(text) for name, text in SHORT.items()}}, {})
    assert (pair.question, pair.word_for_word) == (similarity.SHORT, False)


@pytest.mark.slow
def test_of_two_hundred_students_who_are_all_alike_the_list_stays_short(references):
    rng = np.random.default_rng(0)
    names = [name for name in exercises.names() if len(right_answers(exercises.question(name))) >= 2][:11]
    texts = {name: list(right_answers(exercises.question(name)).values()) for name in names}
    students = {
        f"s{n}": {name: texts[name][rng.integers(len(texts[name]))] + f"\ny{n} = {n}.5\n" for name in names}
        for n in range(200)
    }
    pairs = similarity.compare(students, references)
    # Everything is alike here; the list stays one that a person can open.
    assert len(pairs) == similarity.MOST


def test_the_list_as_a_table(tmp_path):
    pairs = similarity.compare({"=ann": {"ch6-gae": ORIGINAL}, "bob": {"ch6-gae": ORIGINAL}}, {})
    similarity.write(pairs, tmp_path / "similarity.csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "similarity.csv").read_text(encoding="utf8")))
    assert (row["student"], row["and"], row["how"], row["score"]) == ("%3Dann", "bob", "word for word", "1")
    assert row["lines"].startswith("line")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 'a # b'  # c", ["v", "=", "s"]),
        ('def f():\n    """doc\n# no\n"""\n    return 1.0', ["def", "v", "return", "1"]),
        ("mean = np.mean(x, axis=0)", ["v", "=", "v", ".", "mean", "v", "axis".replace("axis", "v"), "=", "0"]),
        ("y = (\n  'text'\n)", ["v", "=", "s"]),
        ("z = 0x1F + 1e-5 + .5", ["v", "=", "0x1F", "+", "1e-5", "+", ".5"]),
        ("a //= b ** c", ["v", "//=", "v", "**", "v"]),
    ],
)
def test_tokens(text, expected):
    assert [token for token, _ in fingerprints.tokens(text)] == expected
