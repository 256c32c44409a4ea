"""Rollouts: what is recorded is what a full pass says, figures are means over samples, minibatches miss no prompt."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from small_models import EOS, VOCABULARY, on_ranks, random_batch
from small_rollouts import EOS as END
from small_rollouts import MASK, PROMPTS, STEPS, all_answers, log_ratio_of, reward, rollout_of, small_gpt2, table
from tiny_models import logprobs_alone, tokenizer

from rlhw.batches import collate
from rlhw.logprobs import sequence_logprobs
from rlhw.rollouts import Rollout, collect, measure, minibatches, text_reward

SETTINGS = {"k": 3, "max_new_tokens": 6, "eos_id": EOS}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def mean_token(batch):
    """A score that depends on every token of an answer, and on its prompt."""
    return (batch.responses * batch.response_mask).sum(-1) * 0.1 - batch.response_mask.sum(-1) + batch.prompts[:, -1:]


def check_collect(collect):
    """Log-probabilities against each text read alone; scores of these answers; nothing to be trained."""
    policy, reference, prompts = small_gpt2(1).double(), small_gpt2(2).double(), random_batch(8, 1, seed=3)
    rollout = collect(
        policy, reference, mean_token, prompts.prompts, prompts.prompt_mask, generator=seeded(), **SETTINGS
    )
    assert rollout.batch.responses.shape[:2] == (8, 3)
    assert len(set(rollout.batch.response_mask.sum(-1).flatten().tolist())) > 2, "answers of different lengths"
    for got, model in ((rollout.logprobs, policy), (rollout.ref_logprobs, reference)):
        torch.testing.assert_close(got, logprobs_alone(model, rollout.batch).detach(), rtol=0, atol=1e-10)
        assert not got.requires_grad
        assert (got[~rollout.batch.response_mask] == 0).all()
    torch.testing.assert_close(rollout.scores, mean_token(rollout.batch).double(), rtol=0, atol=1e-12)
    ratios = sequence_logprobs(policy, rollout.batch) - sequence_logprobs(reference, rollout.batch)
    torch.testing.assert_close(rollout.log_ratios, ratios.detach(), rtol=0, atol=1e-10)
    return rollout


def test_recorded_log_probabilities_are_those_of_a_full_pass():
    first, again = check_collect(collect), check_collect(collect)
    assert torch.equal(first.batch.responses, again.batch.responses), "the same generator gives the same answers"


def changed(change):
    return lambda *arguments, **settings: change(collect(*arguments, **settings))


WRONG_ROLLOUTS = {
    "policy and reference exchanged": changed(lambda r: Rollout(r.batch, r.ref_logprobs, r.logprobs, r.scores)),
    "log-probs of the token before": changed(
        lambda r: Rollout(r.batch, r.logprobs.roll(1, -1), r.ref_logprobs, r.scores)
    ),
    "scores with the KL in them": changed(
        lambda r: Rollout(r.batch, r.logprobs, r.ref_logprobs, r.scores - 0.1 * r.log_ratios)
    ),
    "log-probs of another temperature": lambda policy, *arguments, **settings: changed(
        lambda r: Rollout(r.batch, 0.9 * r.logprobs, r.ref_logprobs, r.scores)
    )(policy, *arguments, **settings),
}


@pytest.mark.parametrize("name", WRONG_ROLLOUTS)
def test_a_wrong_rollout_is_rejected(name):
    with pytest.raises(AssertionError):
        check_collect(WRONG_ROLLOUTS[name])


def test_scores_take_the_type_of_the_log_probabilities():
    prompts = random_batch(2, 1)
    whole_numbers = collect(
        small_gpt2(), small_gpt2(1), lambda batch: batch.response_mask.sum(-1), prompts.prompts, prompts.prompt_mask,
        generator=seeded(), **SETTINGS,
    )  # fmt: skip
    assert whole_numbers.scores.dtype == whole_numbers.logprobs.dtype == torch.float32


SHAPE = r"reward must give one score an answer, \(2, 3\); it gave "
NOT_FINITE = "reward gives scores that are not finite"


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"vocabulary": 13}, ValueError, "reference has a vocabulary of 13 and the policy one of 11"),
        ({"reward": lambda batch: batch.response_mask.float()}, ValueError, SHAPE + r"\(2, 3, "),
        ({"reward": lambda batch: torch.ones(2)}, ValueError, SHAPE + r"\(2,\)"),
        ({"reward": lambda batch: mean_token(batch) * math.nan}, FloatingPointError, NOT_FINITE),
        ({"reward": lambda batch: torch.full((2, 3), -math.inf)}, FloatingPointError, NOT_FINITE),
        ({"k": 0}, ValueError, "k and max_new_tokens must be 1 or more"),
        ({"eos_id": VOCABULARY}, ValueError, "eos_id must be None or a token"),
    ],
)
def test_bad_input_gets_one_sentence(changes, error, sentence):
    prompts, reference = random_batch(2, 1), small_gpt2(vocab_size=changes.get("vocabulary", VOCABULARY))
    settings = SETTINGS | {name: changes[name] for name in ("k", "eos_id") if name in changes}
    given = changes.get("reward", mean_token), prompts.prompts, prompts.prompt_mask
    with pytest.raises(error, match=sentence) as caught:
        collect(small_gpt2(), reference, *given, generator=seeded(), **settings)
    assert str(caught.value).endswith(".")


def random_rollout(prompts=7, answers=3, seed=0):
    batch, rng = random_batch(prompts, answers, seed), seeded(seed + 50)
    drawn = [torch.randn(batch.responses.shape, generator=rng, dtype=torch.float64) for _ in range(2)]
    logprobs = [-torch.where(batch.response_mask, x.abs(), 0.0) for x in drawn]
    return Rollout(batch, *logprobs, torch.randn(prompts, answers, generator=rng, dtype=torch.float64) + 1.0)


def check_measure(measure):
    """Each figure by numpy and scipy; the prompts are the independent draws."""
    for rollout, beta in ((random_rollout(), 0.3), (random_rollout(2, 5, seed=1), 1.4)):
        mask = rollout.batch.response_mask.numpy()
        ratios = ((rollout.logprobs - rollout.ref_logprobs).numpy() * mask).sum(-1)
        objectives = rollout.scores.numpy() - beta * ratios
        expected = {
            "reward": rollout.scores.numpy().mean(), "kl": ratios.mean(), "objective": objectives.mean(),
            "standard_error": scipy.stats.sem(objectives.mean(1)), "length": mask.sum() / ratios.size,
            "answers": ratios.size,
        }  # fmt: skip
        assert measure(rollout, beta) == pytest.approx(expected, abs=1e-12)


def test_measure():
    check_measure(measure)
    assert math.isnan(measure(random_rollout(1), 0.3)["standard_error"]), "one prompt says nothing of the others"


WRONG_FIGURES = {
    "answers taken as independent": lambda r, beta: {
        "standard_error": scipy.stats.sem((r.scores - beta * r.log_ratios).numpy(), axis=None)
    },
    "count instead of count - 1": lambda r, beta: {
        "standard_error": scipy.stats.sem((r.scores - beta * r.log_ratios).numpy().mean(1), ddof=0)
    },
    "kl a token": lambda r, beta: {"kl": float(r.log_ratios.sum() / r.batch.response_mask.sum())},
    "kl added": lambda r, beta: {"objective": float((r.scores + beta * r.log_ratios).mean())},
    "width for the length": lambda r, beta: {"length": float(r.batch.responses.shape[-1])},
    "prompts for answers": lambda r, beta: {"answers": float(len(r.scores))},
}


@pytest.mark.parametrize("name", WRONG_FIGURES)
def test_a_wrong_figure_is_rejected(name):
    with pytest.raises(AssertionError):
        check_measure(lambda rollout, beta: measure(rollout, beta) | WRONG_FIGURES[name](rollout, beta))


def test_two_ranks_measure_what_one_process_does():
    whole = random_rollout(8)

    def part(rows):
        tensors = whole.logprobs[rows], whole.ref_logprobs[rows], whole.scores[rows]
        return Rollout(whole.batch.rows(rows), *tensors)

    jobs = [lambda engine, rows=rows: measure(part(rows), 0.3, engine=engine) for rows in (slice(0, 4), slice(4, 8))]
    for figures in on_ranks(jobs):
        assert figures == pytest.approx(measure(whole, 0.3), abs=1e-12)
    assert measure(part(slice(0, 4)), 0.3)["objective"] != pytest.approx(measure(whole, 0.3)["objective"], abs=1e-3)


def test_figures_come_to_the_sums_over_all_answers():
    """3 x 4000 answers, five standard errors: chance says no once in 1.7 million for each of the two."""
    policy, reference, batch = table(1), table(2), all_answers()
    probabilities = sequence_logprobs(policy, batch).exp().detach()
    exact = {"reward": (probabilities * reward(batch)).sum(1).mean()}
    exact["kl"] = (probabilities * log_ratio_of(policy, reference, batch)).sum(1).mean()
    rollout = collect(
        policy, reference, reward, PROMPTS, MASK, k=4000, max_new_tokens=STEPS, eos_id=END, generator=seeded(3)
    )
    figures = measure(rollout, 0.5)
    for name, values in (("reward", rollout.scores), ("kl", rollout.log_ratios)):
        error = float(values.std(1).square().mean().div(values.numel()).sqrt())
        assert abs(figures[name] - float(exact[name])) < 5 * error
        assert error < 0.02
    other = rollout_of(rollout.batch, table(3), reference)
    assert abs(measure(other, 0.5)["kl"] - float(exact["kl"])) > 0.1, "log-probs of another policy are seen"


def test_minibatches_go_through_all_prompts_in_each_epoch():
    parts = list(minibatches(7, 3, 2, seeded()))
    assert [len(part) for part in parts] == [2, 2, 2, 1] * 3
    epochs = [torch.cat(parts[4 * n : 4 * n + 4]).tolist() for n in range(3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3, "an order drawn anew each time"
    whole = list(minibatches(7, 2, None, seeded()))
    assert [sorted(part.tolist()) for part in whole] == [list(range(7))] * 2
    assert [len(part) for part in minibatches(3, 1, 5, seeded())] == [3]
    again = list(minibatches(7, 3, 2, seeded()))
    assert all(torch.equal(a, b) for a, b in zip(parts, again, strict=True)), "all randomness is the generator's"


def test_a_reward_of_texts_sees_prompt_and_answer_without_special_tokens():
    words = tokenizer(pad="<pad>")
    records = [
        {"prompt": "my cat sold a boat tldr", "answers": ["cat", "cat sold boat"]},
        {"prompt": "a cat tldr", "answers": ["yes", ""]},
    ]
    batch, seen = collate(records, words, 20), []

    def score(prompt, answer):
        seen.append((prompt, answer))
        return len(prompt.split()) + 0.5 * len(answer.split())

    scores = text_reward(score, words)(batch)
    assert seen == [(record["prompt"], answer) for record in records for answer in record["answers"]]
    np.testing.assert_array_equal(scores.numpy(), [[6.5, 7.5], [3.5, 3.0]])
