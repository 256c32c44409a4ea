"""Mechanical mutants: which there are, how they are run, and that nine in ten are killed and the rest explained."""

import pytest

from rlhw import mutants
from rlhw.mutants import mechanical, survivors


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


NOTHING_TO_CHANGE = {"check_sum_of_tokens", "check_sequence_logprobs"}
# Most of the mutants' time goes into the sampler's; `rlhw laws --mutants`, with which `make test` begins, judges them all.
LONG = {"check_generate"}


@pytest.mark.slow
def test_nine_in_ten_mechanical_mutants_are_killed_and_every_survivor_is_explained():
    short = {law: address for law, address in mutants.subjects().items() if law not in LONG}
    outcomes = list(mechanical.run(mechanical.mutants(short)))
    assert set(short) - {mutant.law for mutant, _ in outcomes} == NOTHING_TO_CHANGE
    assert len(outcomes) >= 800
    keys = {mutant.key for mutant, outcome in outcomes if not outcome}
    functions = {mutant.function for mutant, _ in outcomes}
    explained = {key for key in survivors.SURVIVORS if key.split(" | ")[0] in functions}
    assert keys == explained, "a new survivor shows a weak law; a stale one is to be deleted"
    assert sum(bool(outcome) for _, outcome in outcomes) >= 0.9 * len(outcomes)
    assert not [outcome for _, outcome in outcomes if outcome.startswith(("time", "crash"))]
    assert all(len(reason.split()) >= 5 and reason.endswith(".") for reason in survivors.SURVIVORS.values())
    assert len(survivors.SURVIVORS) == sum(map(len, survivors.EXPLAINED.values())), "each is explained once"


def test_a_mutant_that_does_not_end_or_takes_its_process_down_is_killed_and_the_next_is_still_judged():
    bodies = [RIGHT, "while True: pass", "os._exit(3)", "return -logits", "return no_such_name"]
    outcomes = [outcome for _, outcome in mechanical.run(map(toy_mutant, bodies), seconds=3.0)]
    assert outcomes[0] == "", "a right function survives: the runner does not kill by itself"
    assert outcomes[1] == "time: it had not come to an end after 3 seconds"
    assert outcomes[2] == "crash: it took its process down"
    assert outcomes[3].startswith("law: softmax is exp")
    assert outcomes[4].startswith("NameError")


def test_side_by_side_every_mutant_is_judged_once_and_as_alone(monkeypatch):
    monkeypatch.setattr(mechanical, "PIECE", 1)
    bodies = [RIGHT, "return -logits", "return no_such_name", "return logits"]
    found = mechanical.run_side_by_side(map(toy_mutant, bodies), workers=3)
    assert found == list(mechanical.run(map(toy_mutant, bodies)))
    assert len({mutant.source for mutant, _ in found}) == len(bodies)


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


SOURCE = """class Model:
    def __init__(self, size):
        self.size = size + 1

    def forward(self, x):
        return helper(x) + self.size


def helper(x):
    return deeper(x) * 2


def deeper(x):
    return x - LIMIT


def alone(x):
    return x
"""


def test_a_class_is_judged_by_its_forward_and_helpers_are_followed_down():
    functions = mechanical.functions_of(SOURCE)
    assert set(functions) == {"Model", "helper", "deeper", "alone"}
    assert functions["Model"].startswith("def forward")
    assert mechanical.called_by("Model", functions) == ["Model", "helper", "deeper"]
    lines = {line for line, _ in mechanical.changes(functions["Model"])}
    assert "return helper(x) - self.size" in lines
    assert not any("size + 1" in line for line in lines)


def test_the_mutants_of_a_method_are_whole_modules_with_one_change(tmp_path, monkeypatch):
    (tmp_path / "toy_module.py").write_text(SOURCE, encoding="utf8")
    monkeypatch.syspath_prepend(tmp_path)
    found = list(mechanical.mutants({"check_first": "toy_module:Model", "check_second": "toy_module:helper"}))
    assert {(m.law, m.function) for m in found} == {
        ("check_first", "toy_module:Model"), ("check_first", "toy_module:deeper"), ("check_second", "toy_module:helper"),
    }  # fmt: skip
    for mutant in found:
        pairs = zip(SOURCE.splitlines(), mutant.source.splitlines(), strict=True)
        assert [" ".join(new.split()) for old, new in pairs if old != new] == [mutant.line]
    assert (
        list(mechanical.mutants({"check_first": "toy_module:Model", "check_second": "toy_module:helper"}, 2)) == found
    )
