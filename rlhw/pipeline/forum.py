"""The small forum as a run sees it: demonstrations, prompts, votes, the gold reward, and what can be attained."""

import functools
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import logsumexp, softmax
from torch import Tensor, nn

from rlhw.batches import Batch, collate, collate_prompts
from rlhw.evaluation import attainable, effective_samples
from rlhw.logprobs import masked_sum, sequence_logprobs
from rlhw.preferences import Comparison
from rlhw.rollouts import collect, text_reward
from rlhw.tiny_tldr import Post, SimulatedAnnotator, Teacher, gold_reward, read_post, sample_post

# The positions of the tiny GPT-2: the longest post and summary of the forum fit.
CONTEXT = 160
# J* is believed when doubling the samples moves it by less than this share of what there is to gain.
SETTLED, LEAST_EFFECTIVE = 0.01, 100

_read = functools.lru_cache(maxsize=None)(read_post)


def posts(count: int, split: str, rng: np.random.Generator) -> list[Post]:
    """So many new posts of one side of the split."""
    return [sample_post(rng, split) for _ in range(count)]


def demonstrations(
    told: list[Post], answers: int, rng: np.random.Generator, tokenizer: Callable
) -> tuple[Batch, list[list[str]]]:
    """The teacher's summaries of these posts, as a batch and as texts."""
    teacher = Teacher()
    texts = [[teacher.sample(post, rng) for _ in range(answers)] for post in told]
    records = [{"prompt": post.text, "answers": found} for post, found in zip(told, texts, strict=True)]
    return collate(records, tokenizer, CONTEXT), texts


def prompts(told: list[Post], tokenizer: Callable) -> tuple[Int[Tensor, "B P"], Bool[Tensor, "B P"]]:
    """Posts to be summarised."""
    return collate_prompts([post.text for post in told], tokenizer, CONTEXT)


def gold(tokenizer: Callable) -> Callable[[Batch], Tensor]:
    """The gold reward of a batch: `Batch -> "B K"`."""
    return text_reward(lambda prompt, answer: gold_reward(_read(prompt), answer), tokenizer)


def compare(
    told: list[Post], answers: list[list[str]], temperature: float, rng: np.random.Generator
) -> list[Comparison]:
    """One comparison of each pair of answers to each post, by a simulated annotator; pairs of equal answers are left out."""
    annotator, found = SimulatedAnnotator(temperature), []
    for post, texts in zip(told, answers, strict=True):
        different = list(dict.fromkeys(texts))
        for i, first in enumerate(different):
            for second in different[i + 1 :]:
                choice = "first" if annotator.prefers_first(post, first, second, rng) else "second"
                found.append(Comparison(post.text, first, second, choice, annotator="simulated"))
    return found


@torch.no_grad()
def best_objective(
    policy: nn.Module,
    reference: nn.Module,
    reward: Callable[[Batch], Tensor],
    tokens: Int[Tensor, "B P"],
    mask: Bool[Tensor, "B P"],
    *,
    beta: float,
    objective: float,
    samples: int,
    most: int,
    max_new_tokens: int,
    eos_id: int,
    generator: torch.Generator,
) -> dict:
    """J*, from equally many answers of the policy and of the reference to each prompt, with their exact weights.

    `samples` a prompt at first, doubled until J* moves by less than 1 % of J* - `objective` (the reference's own) and the
    median effective number of samples is 100 or more, or `most` are reached. Gives `jstar`, `jstar_se`, `effective`,
    `samples`, and `frontier`: (KL, reward) of the best policies at other β, where the samples still say something.
    """
    rewards, log_weights, before = [], [], None
    while True:
        # As many again as there are, or the first ones.
        have = 2 * sum(part.shape[1] for part in rewards[::2])
        for sampler in (policy, reference):
            rollout = collect(
                sampler, reference, reward, tokens, mask, k=max(have, samples) // 2, max_new_tokens=max_new_tokens,
                eos_id=eos_id, generator=generator,
            )  # fmt: skip
            ref = masked_sum(rollout.ref_logprobs, rollout.batch.response_mask).double()
            own = sequence_logprobs(policy, rollout.batch).double()
            mixture = torch.logaddexp(ref, own) - np.log(2)
            rewards.append(rollout.scores.double().cpu())
            log_weights.append((ref - mixture).cpu())
        found, weights = torch.cat(rewards, 1).numpy(), torch.cat(log_weights, 1).numpy()
        jstar, error = attainable(found, beta, weights)
        effective = float(np.median(effective_samples(found, beta, weights)))
        settled = before is not None and abs(jstar - before) < SETTLED * (jstar - objective)
        if (settled and effective >= LEAST_EFFECTIVE) or found.shape[1] >= most:
            return {
                "jstar": jstar, "jstar_se": error, "effective": effective, "samples": found.shape[1],
                "frontier": frontier(found, weights, beta),
            }  # fmt: skip
        before = jstar


def frontier(rewards: np.ndarray, log_weights: np.ndarray, beta: float) -> list[tuple[float, float]]:
    """(KL, reward) of π* at β' from 20 β to β/4, means over prompts; without those that 30 samples or fewer would decide.

    KL(π*‖π_ref) = E[r]/β' - log Z, with the expectation under π*.
    """
    points = []
    for other in np.geomspace(20 * beta, beta / 4, 24):
        if np.median(effective_samples(rewards, other, log_weights)) > 30:
            exponents = rewards / other + log_weights
            log_z = logsumexp(exponents, axis=1) - np.log(rewards.shape[1])
            earned = (softmax(exponents, axis=1) * rewards).sum(1)
            points.append((float((earned / other - log_z).mean()), float(earned.mean())))
    return points


def facts_right_and_invented(told: list[Post], answers: list[list[str]]) -> Float[np.ndarray, "2"]:
    """(facts of the post that an answer names, values that it names and the post does not tell), means over answers."""
    from rlhw.tiny_tldr.summaries import PATTERNS

    right = invented = count = 0
    for post, texts in zip(told, answers, strict=True):
        for text in texts:
            said = {
                (kind, value)
                for sentence in text.replace("?", "?\n").replace(".", ".\n").split("\n")
                for pattern in PATTERNS.values()
                if (match := pattern.fullmatch(sentence.strip()))
                for kind, value in match.groupdict().items()
                if value is not None and kind in post.facts.keys() | {"day", "cost", "feeling"}
            }
            right += sum(post.facts.get(kind) == value for kind, value in said)
            invented += sum(post.facts.get(kind) != value for kind, value in said)
            count += 1
    return np.array([right, invented]) / count
