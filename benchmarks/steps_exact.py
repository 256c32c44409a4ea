"""What can be summed over on the way to PPO: λ of GAE, how far one rollout is followed, and k1, k2, k3 as values and as losses."""

import copy
import math

import torch
from torch import Tensor

from benchmarks.small_problem import ANSWERS, BETA, LENGTH, PROMPTS, SYMBOLS, K, Problem, prompts
from rlhw.grpo import rloo_advantages
from rlhw.logprobs import kl_estimate, masked_sum, response_logits, response_logprobs, sequence_logprobs, token_logprobs
from rlhw.ppo import clipped_policy_loss, gae, shaped_rewards
from rlhw.rollouts import collect
from rlhw.tabular_lm import TabularLM

LAMBDAS = (0.0, 0.5, 0.9, 0.95, 1.0)
# Standard deviation of what the critic is wrong by, in rewards; of a policy's logits from the reference's, near and far.
CRITIC_ERROR, NEAR, FAR = 0.5, 0.2, 1.5
UPDATES, RATE, CLIP = 16, 0.1, 0.2


def moved(problem: Problem, by: float, seed: int) -> TabularLM:
    """A policy whose logits are the reference's and normal noise of this size."""
    policy = copy.deepcopy(problem.reference)
    generator = torch.Generator().manual_seed(1000 + seed)
    with torch.no_grad():
        policy.table += by * torch.randn(policy.table.shape, generator=generator, dtype=policy.table.dtype)
    return policy


def both_logprobs(policy: TabularLM, reference: TabularLM) -> tuple[Tensor, Tensor]:
    """log π and log π_ref of each token of each of the 27 answers, "B K R"."""
    with torch.no_grad():
        ref = response_logprobs(reference, ANSWERS)
    return response_logprobs(policy, ANSWERS), ref


def exact_values(rewards: Tensor, logprobs: Tensor) -> Tensor:
    """V before each token of each answer: the expectation of the rewards to come, "B K R"; answers in alphabetical order."""
    chances, values = logprobs.sum(-1).exp(), []
    to_come = rewards.flip(-1).cumsum(-1).flip(-1)
    for t in range(LENGTH):
        # Answers that share their first t tokens stand together.
        groups = (len(PROMPTS), SYMBOLS**t, -1)
        weights, sums = chances.view(groups), (chances * to_come[..., t]).view(groups)
        mean = sums.sum(-1, keepdim=True) / weights.sum(-1, keepdim=True)
        values.append(mean.expand_as(weights).reshape(chances.shape))
    return torch.stack(values, -1)


def lambdas(seed: int) -> dict[str, float]:
    """Of the gradient from one answer, by enumeration: bias over the gradient's length, and standard deviation over it.

    The scores of an answer's tokens stand on different rows of the table, so that their products are 0.
    """
    problem = Problem(seed)
    policy, mask = moved(problem, 0.5, seed), ANSWERS.response_mask
    with torch.no_grad():
        logits = response_logits(policy, ANSWERS)[:, :, :-1]
        ref = response_logprobs(problem.reference, ANSWERS)
    logprobs = token_logprobs(logits, ANSWERS.responses)
    scores = torch.nn.functional.one_hot(ANSWERS.responses, SYMBOLS) - logits.softmax(-1)
    rewards = shaped_rewards(problem.reward(ANSWERS), logprobs, ref, mask, BETA)
    exact, chances = exact_values(rewards, logprobs), logprobs.sum(-1).exp()
    prefixes = prefix_numbers()
    errors = CRITIC_ERROR * torch.randn(policy.table.shape[0], generator=torch.Generator().manual_seed(seed)).double()
    true = mean_gradient(rewards.sum(-1, keepdim=True) - exact, scores, chances, prefixes)
    found = {}
    for name, values in (("exact", exact), ("wrong", exact + errors[prefixes])):
        for lam in LAMBDAS:
            advantages, _ = gae(rewards, values, mask, 1.0, lam)
            mean = mean_gradient(advantages, scores, chances, prefixes)
            second = float((chances * (advantages.square() * scores.square().sum(-1)).sum(-1)).sum())
            found[f"{name}_{lam:g}_bias"] = float((mean - true).norm() / true.norm())
            found[f"{name}_{lam:g}_noise"] = math.sqrt(
                (second - float(mean.square().sum())) / float(true.square().sum())
            )
    return found


def prefix_numbers() -> Tensor:
    """The row of the table that each token of each answer was drawn from, "B K R"."""
    number, rows = PROMPTS + 1, []
    for t in range(LENGTH):
        rows.append(number.expand(len(PROMPTS), SYMBOLS**LENGTH))
        number = rows[-1] * SYMBOLS + ANSWERS.responses[..., t] + 1
    return torch.stack(rows, -1)


def mean_gradient(advantages: Tensor, scores: Tensor, chances: Tensor, prefixes: Tensor) -> Tensor:
    """E[Σ_t A_t ∇log π(y_t)] on the table's rows, summed over the prompts: "D V"."""
    each = (chances[..., None, None] * advantages[..., None] * scores).flatten(0, 2)
    return torch.zeros(int(prefixes.max()) + 1, SYMBOLS, dtype=each.dtype).index_add_(0, prefixes.flatten(), each)


def one_rollout(seed: int) -> dict[str, list[float]]:
    """Updates from one rollout, with and without the clip: KL(π_old‖π), what the surrogate claims, and what J gains."""
    problem, generator = Problem(seed), torch.Generator().manual_seed(seed)
    old = problem.reference
    rollout = collect(
        old, old, problem.reward, *next(prompts()), k=K, max_new_tokens=LENGTH, eos_id=None, generator=generator
    )
    advantages = rloo_advantages(rollout.scores)[..., None].expand_as(rollout.logprobs)
    start, mask, found = problem.objective(old), rollout.batch.response_mask, {}
    for name, clip in (("clip", CLIP), ("ratio", math.inf)):
        policy = copy.deepcopy(old)
        optimizer = torch.optim.Adam(policy.parameters(), lr=RATE)
        kls, claims, gains = [0.0], [0.0], [0.0]
        for _ in range(UPDATES):
            logprobs = response_logprobs(policy, rollout.batch)
            optimizer.zero_grad()
            masked_sum(clipped_policy_loss(logprobs, rollout.logprobs, advantages, clip), mask).mean().backward()
            optimizer.step()
            with torch.no_grad():
                ratio = (response_logprobs(policy, rollout.batch) - rollout.logprobs).exp()
                claims.append(float(masked_sum((ratio - 1) * advantages, mask).mean()))
                now = sequence_logprobs(policy, ANSWERS)
            kls.append(float((problem.ref_logprobs.exp() * (problem.ref_logprobs - now)).sum(1).mean()))
            gains.append(problem.objective(policy) - start)
        found |= {f"{name}_kl": kls, f"{name}_claim": claims, f"{name}_gain": gains}
    return found


def estimators(seed: int) -> dict[str, float]:
    """KL(π‖π_ref) of answers, and mean and standard deviation of k1, k2, k3 of whole answers, near the reference and far."""
    problem, found = Problem(seed), {}
    for name, by in (("near", NEAR), ("far", FAR)):
        with torch.no_grad():
            p = sequence_logprobs(moved(problem, by, seed), ANSWERS)
        chances, kl = p.exp(), (p.exp() * (p - problem.ref_logprobs)).sum(1)
        found[f"{name}_kl"] = float(kl.mean())
        for kind in ("k1", "k2", "k3"):
            values = kl_estimate(p, problem.ref_logprobs, kind)
            mean = (chances * values).sum(1)
            variance = (chances * (values - mean[:, None]).square()).sum(1)
            found[f"{name}_{kind}_mean"] = float(mean.mean() / kl.mean())
            found[f"{name}_{kind}_sd"] = float(variance.mean().sqrt() / kl.mean())
    return found


def losses(seed: int) -> dict[str, float]:
    """The mean gradients of k1, k2, k3 as losses: their distances from ∇KL(π‖ref) and ∇KL(ref‖π), as shares of these."""
    problem = Problem(seed)
    policy = moved(problem, 1.0, seed)
    p, q = both_logprobs(policy, problem.reference)
    chances, refs = p.detach().sum(-1).exp(), problem.ref_logprobs.exp()
    whole, ref_whole = p.sum(-1), problem.ref_logprobs

    def slope(value: Tensor) -> Tensor:
        return torch.autograd.grad(value, policy.table, retain_graph=True)[0]

    forward = slope((whole.exp() * (whole - ref_whole)).sum(1).mean())
    backward = slope((refs * (ref_whole - whole)).sum(1).mean())
    found = {}
    for kind in ("k1", "k2", "k3"):
        for name, each in (
            ("answer", kl_estimate(whole, ref_whole, kind)),
            ("tokens", kl_estimate(p, q, kind).sum(-1)),
        ):
            got = slope((chances * each).sum(1).mean())
            found[f"{name}_{kind}_forward"] = float((got - forward).norm() / forward.norm())
            found[f"{name}_{kind}_backward"] = float((got - backward).norm() / backward.norm())
    to_go = kl_estimate(p, q, "k1").detach().flip(-1).cumsum(-1).flip(-1)
    got = slope((chances * (p * to_go).sum(-1)).sum(1).mean())
    return found | {"to_go_forward": float((got - forward).norm() / forward.norm())}
