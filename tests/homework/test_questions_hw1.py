"""Homework 1's questions: nothing printed in a chapter answers them, hints are right part by part, odd values raise nothing."""

import inspect
from functools import cache, reduce
from importlib import import_module

import numpy as np
import pytest

from rlhw import exercises, homework
from rlhw.exercises.question import _same, draw_part, judge, outputs_of

POINTS = {
    "hw1-mle-gradient": 8,
    "hw1-cloning-step": 8,
    "hw1-rl-gradient": 8,
    "hw1-reinforce-step": 8,
    "hw1-proof-puzzle": 10,
    "hw1-value-and-advantage": 4,
    "hw1-baseline-bias": 6,
    "hw1-variance": 8,
    "hw1-compare": 4,
}
VALUES = ("hw1-proof-puzzle", "hw1-compare")
FUNCTIONS = tuple(name for name in POINTS if name not in VALUES)
LIBRARY = (
    "policy_gradient",
    "bandits",
    "exploration",
    "regret",
    "evaluation",
    "importance",
    "running_means",
    "actor_critic",
    "prediction_moments",
)
ODD = {
    "none": None,
    "true": True,
    "whole number": 7,
    "a number too large": 10**400,
    "infinity": float("inf"),
    "nan": float("nan"),
    "text": "EFHBDC" * 100_000,
    "empty list": [],
    "ragged list": [[1.0], [2.0, [3.0]]],
    "deep list": reduce(lambda inner, _: [inner], range(200), 1.0),
    "dictionary": {"a": {"b": [None, 1]}, 1: 2, None: "RL", ("a",): []},
    "numbers for letters": {"a": 10**5000, "b": float("nan")},
    "array of nan": np.full((2, 3), np.nan),
    "array of truth values": np.ones((2, 3), dtype=bool),
    "empty array": np.zeros((0, 3)),
    "single array": np.array(1.0),
    "pair of nothing": (None, None),
    "pair of texts": ("1.0", "2.0"),
    "three": (1.0, 2.0, 3.0),
    "list of odd things": [None, {}, "a", float("inf"), [[]]],
}


def outputs(answer, cases):
    with np.errstate(all="ignore"):
        return outputs_of(answer, cases)


def part_verdict(asked, part, answer, seed=0):
    """The verdict on one part, with the outputs; None where the answer stops with an error."""
    cases = draw_part(asked, part.name, seed)
    try:
        given = outputs(answer, cases)
    except Exception:
        return None
    return judge(asked, cases, given), given, cases


@cache
def strangers():
    """(where from, label, answer) of every right answer to every exercise, and of the library's functions of arrays."""
    found = [
        (name, f"{name}, {key}", answer)
        for name in exercises.names()
        for key, answer in exercises.question(name).right.items()
    ]
    for module in (import_module(f"rlhw.{stem}") for stem in LIBRARY):
        functions = inspect.getmembers(module, inspect.isfunction)
        ours = [(key, function) for key, function in functions if function.__module__ == module.__name__]
        found += [("rlhw", f"{module.__name__}.{key}", function) for key, function in ours if not key.startswith("_")]
    return found


def passed_by(asked, answers):
    """The labels of those answers that are right in some part, how many were tried, and how many could be called."""
    drawn = {part.name: draw_part(asked, part.name, 0)[part.name] for part in asked.parts}
    known = {part: [asked.expected(*case) for case in group] for part, group in drawn.items()}
    found, tried, called = set(), 0, 0
    for label, answer in answers:
        tried += 1
        for part, group in drawn.items():
            try:
                # One case after the other: most are refused by the first.
                right = all(
                    asked.agrees(outputs(answer, {part: [case]})[part][0], true)
                    for case, true in zip(group, known[part], strict=True)
                )
            except Exception:
                continue
            called += 1
            if right:
                found.add(label)
    return found, tried, called


@pytest.mark.parametrize("name", POINTS)
def test_no_printed_solution_and_no_library_function_passes_a_part(name):
    answers = ((label, answer) for origin, label, answer in strangers() if origin != name)
    found, tried, called = passed_by(exercises.question(name), answers)
    assert not found
    # Many of them do fit the call, so that it is the numbers that refuse them.
    assert tried > 250
    assert called > 20


def test_the_search_would_find_a_printed_solution():
    """The chapters' own questions are found by it."""
    found, *_ = passed_by(exercises.question("ch1-score"), ((label, answer) for _, label, answer in strangers()))
    assert {"ch1-score, model", "rlhw.policy_gradient.score"} <= found


def judged_with_twins(asked, part, seed):
    """For each known wrong answer the verdict on this part, and the hints of all that have the same outputs there."""
    cases = draw_part(asked, part.name, seed)
    given = {key: outputs(wrong.answer, cases) for key, wrong in asked.wrong.items()}
    for key in given:
        verdict, mine = judge(asked, cases, given[key]), given[key][part.name]
        twins = {
            asked.wrong[other].hint
            for other, theirs in given.items()
            if all(_same(asked, a, b) for a, b in zip(mine, theirs[part.name], strict=True))
        }
        yield key, verdict, twins


def hints_hold(name, seeds):
    """A wrong answer passes a part with every seed or fails it with every seed. Where it fails, the sentence is its own hint
    or that of a wrong answer with the same outputs there."""
    asked = exercises.question(name)
    passed = {(key, part.name): set() for key in asked.wrong for part in asked.parts}
    for part in asked.parts:
        for seed in seeds:
            for key, verdict, twins in judged_with_twins(asked, part, seed):
                passed[key, part.name].add(verdict.passed)
                if not verdict.passed:
                    hint = verdict.message.removeprefix("not yet. ")
                    assert asked.wrong[key].hint in twins
                    assert hint in twins, f"{key} gets a strange hint in {part.name}: {hint}"
    assert not [where for where, seen in passed.items() if len(seen) > 1], "right by luck"
    assert all(any(False in passed[key, part.name] for part in asked.parts) for key in asked.wrong), "never wrong"


@pytest.mark.parametrize("name", POINTS)
def test_hints_are_right_part_by_part(name):
    hints_hold(name, seeds=(1,))


@pytest.mark.slow
@pytest.mark.parametrize("name", POINTS)
def test_hints_are_right_part_by_part_with_many_seeds(name):
    hints_hold(name, seeds=range(2, 32))


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "hw1-variance"])
def test_overflow_costs_its_part_only(name):
    asked = exercises.question(name)
    wrong = asked.wrong["no maximum subtracted"]
    *ordinary, large = asked.parts
    assert large.name == "logits of a thousand"
    assert all(part_verdict(asked, part, wrong.answer)[0].passed for part in ordinary)
    assert part_verdict(asked, large, wrong.answer)[0].message.endswith(wrong.hint)


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_wrong_and_raise_nothing(name, odd):
    asked = exercises.question(name)
    for part in asked.parts:
        cases = draw_part(asked, part.name, 0)
        assert not asked.agrees(ODD[odd], asked.expected(*cases[part.name][0]))
        verdict = judge(asked, cases, {part.name: [ODD[odd]] * len(cases[part.name])})
        assert not verdict.passed
        assert verdict.earned == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_answers_are_functions_that_stand_alone(name):
    """Three of them at least, the printed one first: they know numpy as np, and nothing else of ours."""
    asked, alone = exercises.question(name), 0
    for answer in asked.right.values():
        source = inspect.getsource(answer)
        if not source.startswith("def "):
            continue
        scope = {"np": np}
        exec(source, scope)
        verdicts = [part_verdict(asked, part, scope[answer.__name__]) for part in asked.parts]
        if all(verdict and verdict[0].passed for verdict in verdicts):
            alone += 1
        assert verdicts[0] or answer is not next(iter(asked.right.values())), (
            f"the model of {name} does not stand alone"
        )
    assert alone >= 3, name
    assert asked.solution.startswith(f"def {homework_item(name).binds[0]}(")


def homework_item(name):
    return next(item for item in homework.assignment("hw1").asked if item.question == name)


@pytest.mark.parametrize("name", VALUES)
def test_variants_are_sound_and_differ(name):
    questions = [exercises.question(name, f"{token * 2654435761 % 2**32:08x}") for token in range(1, 21)]
    assert len({question.text for question in questions}) == 20
    defaults = exercises.question(name)
    for question in questions:
        assert (question.points, question.name) == (defaults.points, defaults.name)
        assert len(question.wrong) >= 8
        assert len({wrong.hint for wrong in question.wrong.values()}) == len(question.wrong)
        for part in question.parts:
            assert all(part_verdict(question, part, answer)[0].passed for answer in question.right.values())
        for wrong in question.wrong.values():
            found = [part_verdict(question, part, wrong.answer)[0] for part in question.parts]
            assert not all(verdict.passed for verdict in found)
            assert all(verdict.passed or verdict.message.endswith(wrong.hint) for verdict in found)
            assert "{" not in wrong.hint
    # A neighbour's answer helps a few at most.
    answer = next(iter(questions[0].right.values()))
    lucky = [q for q in questions[1:] if all(part_verdict(q, part, answer)[0].passed for part in q.parts)]
    assert len(lucky) == 0


def test_a_variant_is_the_same_each_time_and_reaches_check(capsys):
    asked = exercises.question("hw1-proof-puzzle", "a3f9")
    assert asked.text == exercises.question("hw1-proof-puzzle", "a3f9").text
    proof = asked.right["value"]
    for part in asked.parts:
        assert exercises.check("hw1-proof-puzzle", proof, part.name, variant="a3f9").passed
        assert not exercises.check("hw1-proof-puzzle", proof, part.name).passed or part.name == "the six true lines"
    assert "hw1-proof-puzzle, their order: ok\n" in capsys.readouterr().out


def test_a_judgement_of_one_statement_gets_its_hint_whatever_the_others_are():
    """In a check cell of four statements, the hint is on the first of these that is wrong."""
    asked = exercises.question("hw1-compare")
    names = dict(asked.right["value"])
    said = next(name.split(" taken for ")[1] for name in asked.wrong if name.startswith("b "))
    spoiled = {**names, "b": said, "g": "both", "h": "both"}
    verdict = part_verdict(asked, asked.parts[0], spoiled)[0]
    assert verdict.message.startswith("not yet. Look at b again")
    assert part_verdict(asked, asked.parts[1], {**names, "b": said})[0].passed


def test_half_of_a_pair_earns_half():
    """The variance alone or the baselines alone are worth their part, and each gets the hint on what is wrong in it."""
    asked = exercises.question("hw1-variance")
    model = next(iter(asked.right.values()))
    first, second = asked.parts
    half = lambda *case: (model(*case)[0], (model(*case)[1] + 1.0))  # noqa: E731
    assert part_verdict(asked, first, half)[0].passed
    assert not part_verdict(asked, second, half)[0].passed

    def both_wrong(logits, question_probs, rewards, b):
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return model(logits, question_probs, rewards, b)[0] ** 0.5, (p * rewards).sum(axis=1)

    assert part_verdict(asked, first, both_wrong)[0].message.endswith(asked.wrong["standard deviation"].hint)
    assert part_verdict(asked, second, both_wrong)[0].message.endswith(asked.wrong["values"].hint)


def test_the_assignment_is_as_announced():
    assignment = homework.assignment("hw1")
    assert {item.question: exercises.question(item.question).points for item in assignment.asked} == POINTS
    assert (assignment.automatic, assignment.people) == (64, 36)
    assert [item.points for item in assignment.written] == [8, 10, 8, 10]
    for item in assignment.asked:
        assert exercises.question(item.question).stub.startswith((f"def {item.binds[0]}(", f"{item.binds[0]} = None"))
    for item in assignment.written:
        levels = [level.points for level in item.rubric]
        assert levels == sorted(levels, reverse=True)
        assert (levels[0], levels[-1]) == (item.points, 0)
        assert len(item.samples) == 3
        assert {points for points, _, _ in item.samples} <= set(levels)
    texts = [assignment.introduction, *(getattr(item, "text", "") for item in assignment.items)]
    assert not [text for text in texts if "$$" in text or "```" in text or "{" in text.split("$")[0]]
