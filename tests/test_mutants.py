"""Wrong implementations are rejected, those by hand and those by machine; and the runner is itself put to the test."""

import ast
import importlib.util
from pathlib import Path

import pytest

from rlhw import laws, mutants
from rlhw.mutants import mechanical, promises

HAND = [(law, name) for law, rows in mutants.hand_mutants().items() for name in rows]


def unhooked(address, change=lambda source: source):
    """A library function from its source, outside the type checks of the tests: promises are about what users get."""
    source = Path(importlib.util.find_spec(address.split(":")[0]).origin).read_text(encoding="utf-8")
    return mechanical.from_source(address, change(source))


def toy_mutant(body):
    """A mutant of softmax with this body."""
    source = f"import os\nimport numpy as np\n\n\ndef softmax(logits):\n    {body}\n"
    return mechanical.Mutant("check_softmax", "rlhw.policy_gradient:softmax", "toy:softmax", body, source)


RIGHT = """
    if not np.isfinite(logits).all():
        raise ValueError("logits must be finite.")
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
"""


def test_every_law_has_a_subject_and_three_mutants():
    names = {name for name in dir(laws) if name.startswith("check_")}
    assert len(names) >= 17
    assert set(mutants.law_names()) == set(mutants.subjects()) == set(mutants.hand_mutants()) == names
    assert all(len(rows) >= 3 for rows in mutants.hand_mutants().values())
    assert set(promises.PROMISES) <= names
    assert all(len({id(fn) for fn in rows.values()}) == len(rows) for rows in mutants.hand_mutants().values())


@pytest.mark.parametrize("law", mutants.law_names())
def test_the_law_holds_the_library(law):
    assert mutants.broken_law(law, unhooked(mutants.subjects()[law]), promises=True) == ""
    getattr(laws, law)(mutants.load(mutants.subjects()[law]))


@pytest.mark.parametrize(("law", "name"), HAND, ids=[f"{law}: {name}" for law, name in HAND])
def test_the_law_rejects_the_mutant_with_a_sentence(law, name):
    broken = mutants.broken_law(law, mutants.hand_mutants()[law][name])
    assert broken.startswith("law: "), f"no law rejects it; its own error: {broken!r}"
    sentence = broken.removeprefix("law: ")
    stated, yours = sentence.split("; yours ")
    assert len(stated.split()) >= 4
    assert yours.endswith(".")
    assert "_" not in name


class WithoutGuards(ast.NodeTransformer):
    def visit_If(self, node):
        return ast.Pass() if isinstance(node.body[0], ast.Raise) else self.generic_visit(node)


@pytest.mark.parametrize("law", promises.PROMISES)
def test_a_promise_is_broken_when_the_guard_is_taken_away(law):
    def unguarded(source):
        return ast.unparse(ast.fix_missing_locations(WithoutGuards().visit(ast.parse(source))))

    fn = unhooked(mutants.subjects()[law], unguarded)
    assert mutants.broken_law(law, fn) == "", "the law itself asks for no guard"
    assert mutants.broken_law(law, fn, promises=True) != ""


def test_nine_in_ten_mechanical_mutants_are_killed_and_every_survivor_is_explained():
    outcomes = list(mechanical.run(mechanical.mutants(mutants.subjects())))
    assert {mutant.law for mutant, _ in outcomes} == set(mutants.law_names())
    assert len(outcomes) >= 300
    keys = {mutant.key for mutant, outcome in outcomes if not outcome}
    assert keys == set(mechanical.SURVIVORS), "a new survivor shows a weak law; a stale one is to be deleted"
    assert sum(bool(outcome) for _, outcome in outcomes) >= 0.9 * len(outcomes)
    assert not [outcome for _, outcome in outcomes if outcome.startswith(("time", "crash"))]
    assert all(len(reason.split()) >= 5 and reason.endswith(".") for reason in mechanical.SURVIVORS.values())


def test_a_mutant_that_does_not_end_or_takes_its_process_down_is_killed_and_the_next_is_still_judged():
    bodies = [RIGHT, "while True: pass", "os._exit(3)", "return -logits", "return no_such_name"]
    outcomes = [outcome for _, outcome in mechanical.run(map(toy_mutant, bodies), seconds=3.0)]
    assert outcomes[0] == "", "a right function survives: the runner does not kill by itself"
    assert outcomes[1] == "time: it had not come to an end after 3 seconds"
    assert outcomes[2] == "crash: it took its process down"
    assert outcomes[3].startswith("law: softmax is exp")
    assert outcomes[4].startswith("NameError")


def test_the_changes_of_a_small_function():
    source = """def f(a: "A | B", b=1):
    '''a - 2'''
    if a < b:
        raise ValueError("1 - 2" + str(3))
    return -np.max(a)
"""
    lines = {line for line, _ in mechanical.changes(source)}
    assert lines == {
        'def f(a: "A | B", b= 2):', 'def f(a: "A | B", b= 0):',
        "if a == b:", "if a != b:", "if a <= b:", "if a > b:", "if a >= b:", "if not a < b:",
        "return +np.max(a)", "return ~np.max(a)", "return not np.max(a)", "return np.max(a)", "return -np.min(a)",
    }  # fmt: skip


def test_meaning_leaves_layout_and_words_out():
    source = 'def f(a: int) -> int:\n    "words"\n    if a:\n        raise ValueError("a")\n    return a - 1\n'
    assert mechanical.meaning(source) == mechanical.meaning(
        'def f(a: float):\n    "other"\n    if (a):\n        raise ValueError("b" * 2)\n    return (a -\n    1)\n'
    )
    assert mechanical.meaning(source) != mechanical.meaning(source.replace("a - 1", "a + 1"))
    assert mechanical.meaning(source) != mechanical.meaning(source.replace("ValueError", "TypeError"))
    assert mechanical.meaning("def f(:") is None


def stage(monkeypatch, outcomes, survivors=None):
    """main with these mechanical outcomes in place of a real run."""
    monkeypatch.setattr(mechanical, "mutants", lambda subjects: [])
    monkeypatch.setattr(mechanical, "run", lambda found: outcomes)
    monkeypatch.setattr(mechanical, "SURVIVORS", survivors or {})


def said(capsys):
    return capsys.readouterr().out.splitlines()


KILLED = [(toy_mutant(f"return {n}"), "law: no.") for n in range(19)]
SURVIVOR = toy_mutant("return 19")


def test_main_ends_well_when_all_is_well(monkeypatch, capsys):
    stage(monkeypatch, [*KILLED, (SURVIVOR, "")], {SURVIVOR.key: "does no harm: it is a toy."})
    assert mutants.main(mutants=True) == 0
    lines = said(capsys)
    total = len(HAND) + len(KILLED)
    assert lines[-1] == f"{total} of {total} killed"
    assert lines[-2].startswith("mechanical: 19 of 20 killed (95.0 %), 1 survivors explained")
    assert "    does no harm: it is a toy." in lines


@pytest.mark.parametrize(
    ("outcomes", "survivors", "sentence"),
    [
        ([*KILLED, (SURVIVOR, "")], {}, "NOT EXPLAINED"),
        (KILLED, {SURVIVOR.key: "does no harm."}, "STALE"),
        ([*KILLED[:1], (SURVIVOR, "")], {SURVIVOR.key: "does no harm."}, "(50.0 %)"),
    ],
    ids=["unexplained", "stale", "under nine in ten"],
)
def test_main_ends_badly(monkeypatch, capsys, outcomes, survivors, sentence):
    stage(monkeypatch, outcomes, survivors)
    assert mutants.main(mutants=True) == 1
    assert sentence in "\n".join(said(capsys))


def test_main_ends_badly_when_a_mutant_by_hand_survives_or_dies_of_itself(monkeypatch, capsys):
    stage(monkeypatch, KILLED)
    rows = {law: dict(rows) for law, rows in mutants.hand_mutants().items()}
    rows["check_softmax"] |= {"nothing wrong": unhooked("rlhw.policy_gradient:softmax"), "broken": lambda z: z[99]}
    monkeypatch.setattr(mutants, "hand_mutants", lambda: rows)
    assert mutants.main(mutants=True) == 1
    lines = said(capsys)
    assert "NOT KILLED by its law: nothing wrong" in lines
    assert "NOT KILLED by its law: broken" in lines
    total = len(HAND) + 2 + len(KILLED)
    assert lines[-1] == f"{total - 2} of {total} killed"


def test_without_cosmic_ray_the_command_says_so(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cosmic_ray" else find(name))
    assert mutants.main(mutants=True) == 0
    lines = said(capsys)
    assert mutants.NOT_RUN in lines
    assert lines[-1] == f"{len(HAND)} of {len(HAND)} killed"


def test_the_plain_command_names_a_broken_function(monkeypatch, capsys):
    monkeypatch.setattr(mutants, "load", unhooked)
    assert mutants.main() == 0
    assert said(capsys)[-1] == f"{len(mutants.subjects())} of {len(mutants.subjects())} laws hold"
    monkeypatch.setattr(
        mutants, "load", lambda address: unhooked(address, lambda s: s.replace("teacher -", "teacher +"))
    )
    assert mutants.main() == 1
    lines = said(capsys)
    assert [line for line in lines if line.startswith("BROKEN")] == [
        "BROKEN  check_cloning_gradient     rlhw.policy_gradient:cloning_gradient"
    ]
    assert lines[-1] == f"{len(mutants.subjects()) - 1} of {len(mutants.subjects())} laws hold"
