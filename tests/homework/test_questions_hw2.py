"""Homework 2's questions: no chapter's solution answers one, each mistake gets its own hint in each part, nothing odd is right."""

import inspect
import json
from copy import deepcopy
from functools import cache
from textwrap import dedent

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from rlhw import dpo, exercises, ppo, reward_model
from rlhw.exercises.question import _same, draw_part, judge, outputs_of
from rlhw.homework import assignment

NAMES = [name for name in exercises.names() if name.startswith("hw2-")]
FUNCTIONS = [name for name in NAMES if callable(next(iter(exercises.question(name).right.values())))]
POINTS = {
    "hw2-comparisons": 6, "hw2-bt-loss": 8, "hw2-kwise": 6, "hw2-answer-logprob": 6, "hw2-shaped-rewards": 4, "hw2-gae": 8,
    "hw2-clipped-loss": 8, "hw2-dpo-loss": 8, "hw2-pi-star": 6, "hw2-own-labels": 6, "hw2-run-card": 6,
}  # fmt: skip
DEEP = []
for _ in range(300):
    DEEP = [DEEP]
ODD = {
    "none": None, "true": True, "nan": float("nan"), "infinite": float("inf"), "huge number": 2**63 - 1, "text": "0.5",
    "two letters": "ab", "much text": "{" * 1_000_000, "empty": [], "pair of nothing": (None, None), "ragged": [[1], [2, 3]],
    "deep": DEEP, "dictionary": {"a": 1, "b": {}}, "pair of dictionaries": ({}, {}), "three": (1.0, [], {}),
    "nans": (np.full(3, np.nan), np.full(3, np.nan)), "empty array": np.zeros((0, 4)), "bools": np.ones((3, 4), dtype=bool),
    "letters": ["a", "b", "c"], "braces": ("{", "{"), "brackets": ("[" * 90_000, "[" * 90_000), "lone surrogate": "\ud800",
    "rows of nothing": ([None, 3], {"skipped": None}), "whole number too large": [10**400, -(10**400)],
}  # fmt: skip


def cases_of(name, part, seed=0):
    return draw_part(exercises.question(name), part, seed)


def test_points_and_order():
    hw2 = assignment("hw2")
    assert {item.question: exercises.question(item.question).points for item in hw2.asked} == POINTS
    assert (hw2.automatic, hw2.people) == (72, 28)
    assert all(item.rubric[0].points == item.points and item.rubric[-1].points == 0 for item in hw2.written)
    assert all(0 <= points <= item.points for item in hw2.written for points, _, _ in item.samples)
    texts = " ".join([hw2.introduction, *(item.text for item in hw2.written)])
    assert "$$" not in texts + " ".join(exercises.question(name).text for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_mistake_gets_its_own_hint_in_each_part(name):
    """At home and in the grader a part is judged alone. Where two mistakes give the same there, either hint may come."""
    asked, caught = exercises.question(name), set()
    for part in asked.parts:
        few = {part.name: cases_of(name, part.name)[part.name][:2]}
        with np.errstate(all="ignore"):
            given = {key: outputs_of(wrong.answer, few) for key, wrong in asked.wrong.items()}
        for key, wrong in asked.wrong.items():
            result = judge(asked, few, given[key])
            caught |= set() if result.passed else {key}
            if not result.passed and not result.message.endswith(wrong.hint):
                (other,) = [one for one in asked.wrong if result.message.endswith(asked.wrong[one].hint)]
                pairs = zip(given[key][part.name], given[other][part.name], strict=True)
                assert all(_same(asked, *pair) for pair in pairs), (part.name, key)
    assert caught == set(asked.wrong)
    assert len({wrong.hint for wrong in asked.wrong.values()}) == len(asked.wrong) >= 8
    assert len(asked.right) >= 10


@pytest.mark.parametrize("name", FUNCTIONS)
def test_three_right_answers_stand_alone(name):
    """The grader's self-test sends their source into a process that knows numpy and nothing of rlhw."""
    alone = 0
    for dressed in exercises.question(name).right.values():
        answer = inspect.unwrap(dressed)  # the tests check the types of what they import
        if not inspect.isfunction(answer) or answer.__closure__ or not inspect.getsource(answer).startswith("def "):
            continue
        space = {"np": np}
        exec(dedent(inspect.getsource(answer)), space)
        assert exercises.verdict(name, space[answer.__name__], 5).passed, answer.__name__
        alone += 1
    assert alone >= 3


@cache
def answers_of_chapters():
    """(name, key, answer) of every right answer to an exercise of the book: what a student finds folded there."""
    names = [name for name in exercises.names() if not name.startswith("hw")]
    return [(name, key, answer) for name in names for key, answer in exercises.question(name).right.items()]


def passed(name, answer):
    """The parts that an answer passes, on a case each. Whatever stops it: then it is no answer to that part."""
    found = set()
    for part, cases in known_cases(name).items():
        try:
            with np.errstate(all="ignore"):
                (outputs,) = outputs_of(answer, {part: [case for case, _ in cases]}).values()
        except Exception:
            continue
        agree = exercises.question(name).agrees
        if all(agree(got, want) for got, (_, want) in zip(outputs, cases, strict=True)):
            found.add(part)
    return found


@cache
def known_cases(name):
    """A case of each part with what is expected."""
    asked = exercises.question(name)
    return {
        part.name: [(case, asked.expected(*deepcopy(case))) for case in cases_of(name, part.name)[part.name][:1]]
        for part in asked.parts
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_solution_of_a_chapter_passes_a_part(name):
    for chapter, key, answer in answers_of_chapters():
        assert not passed(name, answer), (chapter, key)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_solution_of_a_chapter_is_enough_with_its_arguments_put_right(name):
    """Pasted under a new signature, each argument by its name: some part fails, so the step further has to be taken."""
    asked = exercises.question(name)
    wanted = list(inspect.signature(next(iter(asked.right.values()))).parameters)
    for chapter, key, answer in answers_of_chapters():
        taken = list(inspect.signature(answer).parameters) if callable(answer) else []
        if taken and set(taken) <= set(wanted):
            places = [wanted.index(argument) for argument in taken]
            adapted = lambda *case, answer=answer, places=places: answer(*(case[place] for place in places))  # noqa: E731
            assert len(passed(name, adapted)) < len(asked.parts), (chapter, key)


def test_a_pasted_solution_would_be_found():
    """Positive control: the solution of chapter 6 passes the chapter's question, and no part here with its arguments put right."""
    (solution,) = [answer for name, key, answer in answers_of_chapters() if (name, key) == ("ch6-gae", "model")]
    assert len(passed("ch6-gae", solution)) == 3
    adapted = lambda rewards, values, final_values, ended, mask, gamma, lam: solution(rewards, values, mask, gamma, lam)  # noqa: E731
    assert passed("hw2-gae", adapted) == set()


@pytest.mark.parametrize("odd", ODD)
def test_nothing_odd_is_right_or_stops_the_judge(odd):
    for name in NAMES:
        asked = exercises.question(name)
        for cases in known_cases(name).values():
            assert [asked.agrees(ODD[odd], want) for _, want in cases] == [False] * len(cases), name
        # No reply of the sandbox holds a number of more than 64 bits.
        if odd != "whole number too large":
            part = asked.parts[-1].name
            cases = {part: cases_of(name, part)[part][:1]}
            sentence = judge(asked, cases, {part: [ODD[odd]]}).message.removeprefix("not yet. ")
            assert sentence in [asked.law, *(wrong.hint for wrong in asked.wrong.values())]


def tensors(*arrays):
    return [torch.from_numpy(np.asarray(array)) for array in arrays]


def leaf(array):
    return torch.from_numpy(array.copy()).requires_grad_()


def every_case(name):
    for part in exercises.question(name).parts:
        yield from cases_of(name, part.name, 11)[part.name]


def near(got, expected):
    np.testing.assert_allclose(np.asarray(got, dtype=float), expected, rtol=1e-6, atol=1e-7)


def test_oracle_of_gae():
    """The library's GAE knows ended answers only: of a cut one the final value, discounted, is a last reward."""
    for rewards, values, final_values, ended, mask, gamma, lam in every_case("hw2-gae"):
        beyond = np.where(ended, 0.0, final_values)
        last = mask & ~np.pad(mask[:, 1:], ((0, 0), (0, 1)))
        moved = np.where(mask, rewards, 0.0) + last * gamma * beyond[:, None]
        for got, want in zip(
            ppo.gae(*tensors(moved, values, mask), gamma, lam),
            exercises.question("hw2-gae").expected(rewards, values, final_values, ended, mask, gamma, lam),
            strict=True,
        ):
            near(got, want)


def test_oracle_of_clipped_loss():
    for logprobs, old, advantages, mask, clip in every_case("hw2-clipped-loss"):
        new = leaf(np.where(mask, logprobs, 0.0))
        rest = tensors(np.where(mask, old, 0.0), np.where(mask, advantages, 0.0))
        loss = ppo.clipped_policy_loss(new, *rest, clip).sum() / mask.sum()
        loss.backward()
        want = exercises.question("hw2-clipped-loss").expected(logprobs, old, advantages, mask, clip)
        near(loss.item(), want[0])
        near(new.grad, want[1])


def test_oracle_of_dpo_loss():
    for chosen, rejected, ref_chosen, ref_rejected, beta, smoothing in every_case("hw2-dpo-loss"):
        a, b = leaf(chosen), leaf(rejected)
        loss = dpo.dpo_loss(a, b, *tensors(ref_chosen, ref_rejected), beta, smoothing).mean()
        loss.backward()
        want = exercises.question("hw2-dpo-loss").expected(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing)
        near(loss.item(), want[0])
        near(a.grad, want[1])
        near(b.grad, want[2])


def test_oracle_of_bt_loss():
    for scores, first, second, share in every_case("hw2-bt-loss"):
        moved, (s,) = leaf(scores), tensors(share)
        difference = moved[first] - moved[second]
        loss = -(s * logsigmoid(difference) + (1 - s) * logsigmoid(-difference)).mean()
        loss.backward()
        want = exercises.question("hw2-bt-loss").expected(scores, first, second, share)
        near(loss.item(), want[0])
        near(moved.grad, want[1])


def test_oracle_of_kwise():
    for scores, places, mask in every_case("hw2-kwise"):
        both = mask[:, :, None] & mask[:, None, :] & ~np.eye(mask.shape[1], dtype=bool)
        wins = (1 + np.sign(places[:, None, :] - places[:, :, None])) / 2 * both
        want = exercises.question("hw2-kwise").expected(scores, places, mask)
        near(reward_model.pairwise_loss(*tensors(scores, wins)), want)


def test_oracle_of_answer_logprob():
    for prompt_logits, logits, tokens, mask in every_case("hw2-answer-logprob"):
        everything = np.concatenate(
            [np.broadcast_to(prompt_logits[:, None, None], logits[:, :, :1].shape), logits], axis=2
        )
        log_p = torch.log_softmax(torch.from_numpy(everything), -1)[:, :, :-1]
        chosen = log_p.gather(-1, torch.from_numpy(tokens)[..., None])[..., 0]
        want = exercises.question("hw2-answer-logprob").expected(prompt_logits, logits, tokens, mask)
        near(torch.where(torch.from_numpy(mask), chosen, 0.0).sum(-1), want)


def test_oracle_of_shaped_rewards():
    for scores, human, ended, logprobs, ref_logprobs, mask, beta, cut in every_case("hw2-shaped-rewards"):
        paid = np.where(ended, scores - human[:, None], cut)
        got = ppo.shaped_rewards(*tensors(paid, logprobs, ref_logprobs, mask), beta)
        want = exercises.question("hw2-shaped-rewards").expected(
            scores, human, ended, logprobs, ref_logprobs, mask, beta, cut
        )
        near(got, want)


def test_oracle_of_pi_star():
    """No policy of many that keep to the rules does better, and near the best one J falls off as the square."""
    rng = np.random.default_rng(0)
    for ref_probs, rewards, allowed, beta in every_case("hw2-pi-star"):
        policy, implicit, best = exercises.question("hw2-pi-star").expected(ref_probs, rewards, allowed, beta)
        near(policy.sum(axis=1), 1.0)

        def objective(law, ref_probs=ref_probs, rewards=rewards, beta=beta):
            nats = np.where(law > 0, law * np.log(np.where(law > 0, law, 1.0) / ref_probs), 0.0).sum(axis=1)
            return (law * rewards).sum(axis=1) - beta * nats

        near(objective(policy), best)
        near((policy * (rewards - implicit)).sum(axis=1), best)
        for size in (0.01, 0.3):
            moved = policy * np.exp(size * rng.standard_normal(policy.shape))
            found = objective(moved / moved.sum(axis=1, keepdims=True))
            assert np.all(found <= best + 1e-9)
            # Where one answer takes all, no other policy of this kind is near enough to tell.
            assert np.all((found < best)[policy.max(axis=1) < 0.999])
        assert np.all(policy[~allowed] == 0.0)


def test_oracle_of_comparisons_counts_every_annotation():
    for (export,) in every_case("hw2-comparisons"):
        rows, left_out = exercises.question("hw2-comparisons").expected(export)
        annotations = sum(len(item.get("annotations", [item])) for item in export)
        assert sum(row[3] + row[4] for row in rows) + sum(left_out.values()) == annotations
        assert json.loads(json.dumps(export)) == export
