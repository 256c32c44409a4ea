"""Wrong implementations are rejected by their laws, the promises hold, and the verb `rlhw laws` says what it must."""

import ast
import importlib.util
from pathlib import Path

import pytest

from rlhw import laws, mutants
from rlhw.mutants import bandits, mechanical, policy_gradient, promises

HAND = [(law, name) for law, rows in mutants.hand_mutants().items() for name in rows]


def unhooked(address, change=lambda source: source):
    """A library function from its source, outside the type checks of the tests: promises are about what users get."""
    source = Path(importlib.util.find_spec(address.split(":")[0]).origin).read_text(encoding="utf-8")
    return mechanical.from_source(address, change(source))


def test_every_law_has_a_subject_and_three_mutants():
    names = {name for name in dir(laws) if name.startswith("check_")}
    assert len(names) >= 35
    assert set(mutants.law_names()) == set(mutants.subjects()) == set(mutants.hand_mutants()) == names
    assert all(len(rows) >= 3 for rows in mutants.hand_mutants().values())
    assert set(promises.PROMISES) <= names
    assert set(mutants.ADAPTERS) <= names
    assert all(len({id(fn) for fn in rows.values()}) == len(rows) for rows in mutants.hand_mutants().values())


@pytest.mark.parametrize("law", mutants.law_names())
def test_the_law_holds_the_library(law):
    assert mutants.broken_law(law, unhooked(mutants.subjects()[law]), ours=True) == ""
    getattr(laws, law)(mutants.dressed(law, mutants.load(mutants.subjects()[law])))


@pytest.mark.slow
@pytest.mark.parametrize(("law", "name"), HAND, ids=[f"{law}: {name}" for law, name in HAND])
def test_the_law_rejects_the_mutant_with_a_sentence(law, name):
    """Slow, for `make test` begins with `rlhw laws --mutants`, which lets each law judge them."""
    broken = mutants.broken_law(law, mutants.hand_mutants()[law][name])
    assert broken.startswith("law: "), f"no law rejects it; its own error: {broken!r}"
    sentence = broken.removeprefix("law: ")
    stated, yours = sentence.split("; yours ")
    assert len(stated.split()) >= 4
    assert yours.endswith(".")
    assert "_" not in name


class WithoutGuards(ast.NodeTransformer):
    def visit_Raise(self, node):
        return ast.Pass()


# No guard stands in these functions: a change of the source that leaves every value as it is, and breaks the promise.
GUARDLESS = {
    "check_sarsa": ("def sarsa(\n    mdp: MDP, *, ", "def sarsa(\n    mdp: MDP, "),
    "check_expected_sarsa": ("def expected_sarsa(\n    mdp: MDP, *, ", "def expected_sarsa(\n    mdp: MDP, "),
    "check_q_learning": ("def q_learning(\n    mdp: MDP, *, ", "def q_learning(\n    mdp: MDP, "),
    "check_mc_control": ("max_steps: int = 1000", "max_steps: int = 999"),
    "check_enumerate_episodes": ("    check_policy(mdp, policy)\n", ""),
    "check_weight_second_moment": ("    check_coverage(target, behavior)\n", ""),
    "check_response_states": ("if k > 1:", "if k > 99:"),
    "check_response_logprobs": ("batch.responses.masked_fill(~batch.response_mask, 0)\n", "batch.responses\n"),
    "check_pairwise_loss": ("    check_counts(wins)\n", ""),
    "check_upper_bounds": ("/ np.maximum(counts, 1))", "/ counts)"),
    "check_invert": ("probabilities.gather(1, drawn) > 0", "probabilities.gather(1, drawn) >= 0"),
}


@pytest.mark.parametrize("law", sorted(set(promises.PROMISES) - set(GUARDLESS)))
def test_a_promise_is_broken_when_the_guard_is_taken_away(law):
    def unguarded(source):
        return ast.unparse(ast.fix_missing_locations(WithoutGuards().visit(ast.parse(source))))

    fn = unhooked(mutants.subjects()[law], unguarded)
    assert mutants.broken_law(law, mutants.dressed(law, fn)) == "", "the law itself asks for no guard"
    assert mutants.broken_law(law, fn, ours=True) != ""


@pytest.mark.parametrize("law", GUARDLESS)
def test_a_promise_is_broken_by_code_of_the_same_values(law):
    old, new = GUARDLESS[law]

    def changed(source):
        assert source.count(old) == 1
        return source.replace(old, new)

    fn = unhooked(mutants.subjects()[law], changed)
    assert mutants.broken_law(law, mutants.dressed(law, fn)) == "", "the law itself does not ask for it"
    assert mutants.broken_law(law, fn, ours=True) != ""


@pytest.mark.parametrize(("old", "new"), [("LIVE_SHARE = 0.8", "LIVE_SHARE = 0.0"), ("k: int = 1,", "k: int = 2,")])
def test_a_sampler_that_keeps_finished_answers_or_has_another_default_breaks_its_promises(old, new):
    fn = unhooked(mutants.subjects()["check_generate"], lambda source: source.replace(old, new))
    assert mutants.broken_law("check_generate", mutants.dressed("check_generate", fn)) == ""
    assert mutants.broken_law("check_generate", fn, ours=True) != ""


LIGHT = (policy_gradient, bandits)
LIGHT_HAND = sum(len(rows) for chapter in LIGHT for rows in chapter.MUTANTS.values())


def stage(monkeypatch, outcomes, explained=None):
    """main with these mechanical outcomes in place of a real run, and with the chapters that need no torch."""
    monkeypatch.setattr(mutants, "CHAPTERS", LIGHT)
    monkeypatch.setattr(mechanical, "mutants", lambda subjects, workers: [])
    monkeypatch.setattr(mechanical, "run_side_by_side", lambda found: outcomes)
    monkeypatch.setattr(mutants, "SURVIVORS", explained or {})


def said(capsys):
    return capsys.readouterr().out.splitlines()


def toy_mutant(number):
    """A mutant that was run, or so it is said."""
    return mechanical.Mutant("check_softmax", "toy:softmax", "toy:softmax", f"return {number}", "")


KILLED = [(toy_mutant(n), "law: no.") for n in range(19)]
SURVIVOR = toy_mutant(19)


def test_main_ends_well_when_all_is_well(monkeypatch, capsys):
    stage(monkeypatch, [*KILLED, (SURVIVOR, "")], {SURVIVOR.key: "does no harm: it is a toy."})
    assert mutants.main(mutants=True) == 0
    lines = said(capsys)
    total = LIGHT_HAND + len(KILLED)
    assert lines[-1] == f"{total} of {total} killed"
    assert lines[-2].startswith("mechanical: 19 of 20 killed (95.0 %), 1 survivors explained")
    assert "    does no harm: it is a toy." in lines


@pytest.mark.parametrize(
    ("outcomes", "explained", "sentence"),
    [
        ([*KILLED, (SURVIVOR, "")], {}, "NOT EXPLAINED"),
        (KILLED, {SURVIVOR.key: "does no harm."}, "STALE"),
        ([*KILLED[:1], (SURVIVOR, "")], {SURVIVOR.key: "does no harm."}, "(50.0 %)"),
    ],
    ids=["unexplained", "stale", "under nine in ten"],
)
def test_main_ends_badly(monkeypatch, capsys, outcomes, explained, sentence):
    stage(monkeypatch, outcomes, explained)
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
    total = LIGHT_HAND + 2 + len(KILLED)
    assert lines[-1] == f"{total - 2} of {total} killed"


def test_without_cosmic_ray_the_command_says_so(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(mutants, "CHAPTERS", LIGHT)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cosmic_ray" else find(name))
    assert mutants.main(mutants=True) == 0
    lines = said(capsys)
    assert mutants.NOT_RUN in lines
    assert lines[-1] == f"{LIGHT_HAND} of {LIGHT_HAND} killed"


def test_the_plain_command_names_a_broken_function(monkeypatch, capsys):
    # Of two subjects: that all laws hold is shown above, and by the command itself in test_cli.py.
    monkeypatch.setattr(mutants, "CHAPTERS", LIGHT)
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
