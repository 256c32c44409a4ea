"""What a report measures on sampled answers: the figures of `rollouts.measure`, however the answers are cut into pieces."""

import numpy as np
import pytest
import torch
from small_models import EOS, random_batch
from small_rollouts import small_gpt2
from tiny_models import tokenizer

from rlhw.logprobs import masked_sum
from rlhw.pipeline import sampled
from rlhw.pipeline.attained import best_of_n
from rlhw.pipeline.sampled import sample
from rlhw.rollouts import collect, measure

POSTS, K, NEW, BETA = 7, 3, 5, 0.3


def judge(batch) -> torch.Tensor:
    """Any function of the tokens will do."""
    return masked_sum((batch.responses * 0.37).sin(), batch.response_mask)


def learned(batch) -> torch.Tensor:
    return masked_sum((batch.responses * 0.71).cos(), batch.response_mask)


def models() -> tuple:
    return small_gpt2(1), small_gpt2(2)


def posts() -> tuple[torch.Tensor, torch.Tensor]:
    whole = random_batch(POSTS, 1, seed=3)
    return whole.prompts, whole.prompt_mask


def sampled_now(seed: int = 0, at_once: int = 512) -> sampled.Sampled:
    return sample(
        *models(), judge, learned, *posts(), tokenizer(), k=K, max_new_tokens=NEW, generator=torch.Generator().manual_seed(seed),
        at_once=at_once,
    )  # fmt: skip


def test_the_figures_are_those_of_the_same_rollout():
    rollout = collect(
        *models(), judge, *posts(), k=K, max_new_tokens=NEW, eos_id=EOS, generator=torch.Generator().manual_seed(0)
    )
    wanted, found = measure(rollout, BETA), sampled_now().figures(BETA)
    for name in ("reward", "kl", "objective", "standard_error", "length"):
        assert found[name] == pytest.approx(wanted[name], abs=1e-6)
    assert found["learned"] == pytest.approx(float(learned(rollout.batch).mean()), abs=1e-6)
    other = sampled_now(seed=1).figures(BETA)
    assert all(abs(found[name] - other[name]) > 1e-3 for name in found), "the control: other answers, other figures"


def test_the_objective_is_the_reward_less_beta_times_the_kl():
    found = sampled_now()
    wanted = [np.mean([found.judged[b, k] - BETA * found.log_ratios[b, k] for k in range(K)]) for b in range(POSTS)]
    np.testing.assert_allclose(found.objectives(BETA), wanted, atol=1e-12)
    figures = found.figures(BETA)
    assert figures["objective"] == pytest.approx(figures["reward"] - BETA * figures["kl"], abs=1e-9)


def test_pieces_do_not_matter():
    """Two posts at a time, then one: the same answers, and what is measured on them to 1e-5 (float32)."""
    whole = sampled_now()
    for size in (2 * K, 1):
        found = sampled_now(at_once=size)
        assert found.texts == whole.texts
        for name in ("judged", "learned", "log_ratios", "lengths"):
            np.testing.assert_allclose(getattr(found, name), getattr(whole, name), atol=1e-5)


def test_pieces_that_begin_with_the_same_numbers_are_found(monkeypatch):
    """A mutant: each piece has the numbers of the first one."""
    whole = sampled_now()

    def again(*given, generator, **what):
        return collect(*given, generator=generator.manual_seed(0), **what)

    monkeypatch.setattr(sampled, "collect", again)
    found = sampled_now(at_once=2 * K)
    assert found.texts[:2] == whole.texts[:2]
    assert found.texts != whole.texts


def test_best_of_n_is_chosen_by_the_reward_that_is_optimised():
    found = sampled_now()
    for gold, chosen_by in ((True, found.judged), (False, found.learned)):
        kl, rewards = best_of_n(chosen_by, found.judged, 2)
        figures, objectives = found.best_of(2, gold, BETA)
        assert figures["reward"] == pytest.approx(rewards.mean(), abs=1e-12)
        assert figures["objective"] == pytest.approx(rewards.mean() - BETA * kl, abs=1e-12)
        np.testing.assert_allclose(objectives, rewards - BETA * kl, atol=1e-12)
        assert figures["standard_error"] == pytest.approx(rewards.std(ddof=1) / np.sqrt(POSTS), abs=1e-12)
    assert found.best_of(2, True, BETA)[0]["reward"] > found.best_of(2, False, BETA)[0]["reward"]
