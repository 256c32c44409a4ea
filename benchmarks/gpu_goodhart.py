"""Gold against learned reward on the small forum scaled up: chapter 8's curves with 40 times the policy and 8 times the votes.

The policy is a GPT-2 of width 512 with 6 blocks, 19 million parameters in them. Its reward models see 512, 4,096 or 32,768
comparisons; with the most of them there are also reward models of width 256 and of the shipped tiny model's size (3.2 and 0.4
million). Each, and gold itself as a control, is optimised by best of n up to 512, from 1,024 answers to each of 64 held-out posts,
and by GRPO at the price 0.02: 32 rollouts of 512 answers, two updates each. Known beside it: gold itself, log n - (n - 1)/n, and
J* at the price 0.25 (`best_objective`). Five seeds. Float32, matrices in TF32: such models wait for Python, and 16 bits would
gain little.

Expected: an estimate by arithmetic, until it has been measured. Posts have 44 tokens, threads 40, answers 16 in the mean, and the
largest model's blocks 1.9e7 parameters. A step of reading takes 24 posts with three threads, 3.9e3 tokens at six operations a
parameter: 8.9e14 in 2,000 steps. A GRPO run takes 32 rollouts of 64 posts and 512 answers, 3.5e5 tokens at 18 operations (2 to
sample, 2 of the reference, 2 of the reward, 12 in two updates): 1.2e14, and 3.6e15 in 30 runs. Best of n: 5.2e6 tokens of answers
in five seeds, sampled once and scored by three large models: 8e14. With the rest 7e15, and about twice that with padding: under
two minutes at a quarter of what TF32 can do, half of bf16's 989e12. Python takes longer: 14 to 18 ms a step of training on the CPU
that this was written on, and 1 ms a captured token is guessed. So a GRPO run takes 4 s, a seed 45 s (10 of them gold, 50 µs an
answer), the three clones 90 s; all of it about five minutes. Memory: keys and values are 2 · 6 · 512 floats a token, so 13 GB when
4,096 answers of 125 tokens are scored, and 5 GB of answers alone in each of the graphs that are kept: 60 GB at most. Weights,
gradients and moments stay below 2 GB.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import gpu_clones, gpu_forum
from benchmarks.base_runs import BETA as PRICE
from benchmarks.goodhart import WAYS
from benchmarks.goodhart_runs import ANSWERS, BETA, GOLD, in_gold_units, ordered
from benchmarks.gpu_clones import Scale
from benchmarks.gpu_forum import World
from benchmarks.speed_setup import Clock
from rlhw.batches import Batch
from rlhw.pipeline.attained import best_objective
from rlhw.rollouts import collect
from rlhw.training import EarlyStopping


def rewards_of(scale: Scale) -> dict[str, tuple[str, int]]:
    """(model, comparisons) of each reward model: the policy's size with each number, the smaller sizes with the most."""
    most = max(scale.comparisons)
    made = {str(count): (scale.policy, count) for count in scale.comparisons}
    return made | {name: (name, most) for name in scale.models if name != scale.policy}


def cloned(scale: Scale, name: str, folder: Path) -> dict:
    """The clone of one size, and how good it is: what it looks up before any reward is learned from it."""
    clock = Clock(scale.device)
    with clock:
        model = gpu_clones.clone(scale, name, folder)
    found = gpu_clones.forum().cloning(model, 8 * scale.posts, np.random.default_rng(10**6))
    found |= json.loads((folder / name / gpu_clones.FACTS).read_text(encoding="utf8"))
    parameters = sum(p.numel() for p in model.transformer.h.parameters())
    print(f"{name}: {parameters:.3g} parameters in blocks, cloning gap {found['cloning_gap']:.3f} nats", flush=True)
    return found | {"parameters": parameters, "seconds": clock.seconds, "mb": clock.peak_mb}


def best_curve(counts: tuple[int, ...], gold: np.ndarray, learned: np.ndarray) -> dict[str, list[float]]:
    """Best of n by the learned reward, both "B N": KL, and both rewards above the clone's.

    As `attained.best_of_n`, for large n too, whose counts of subsets only Python's own integers hold.
    """
    found: dict[str, list[float]] = {"n": list(counts), "kl": [], "gold": [], "learned": []}
    order, count = learned.argsort(axis=1), learned.shape[1]
    for n in counts:
        # The answer with i others below it is the best of its subset in C(i, n - 1) of C(N, n) cases.
        subsets = math.comb(count, n)
        chances = np.array([math.comb(i, n - 1) / subsets for i in range(count)])
        found["kl"].append(math.log(n) - (n - 1) / n)
        for name, rewards in (("gold", gold), ("learned", learned)):
            best = np.take_along_axis(rewards, order, axis=1) @ chances
            found[name].append(float(best.mean() - rewards.mean()))
    return found


def look(here: World, policy: nn.Module, reward: Callable[[Batch], Tensor]) -> dict[str, float]:
    """KL from the clone, gold and this reward of a policy's answers to the held-out posts; each policy gets the same numbers."""
    rollout = collect(
        policy, here.clone, here.gold(), *here.posts, k=here.scale.per_look, max_new_tokens=here.settings.max_new_tokens,
        eos_id=here.tokenizer.eos_token_id, generator=here.generator(),
    )  # fmt: skip
    with torch.no_grad():
        learned = reward(rollout.batch)
    lengths = rollout.batch.response_mask.sum(-1)
    parts = {"kl": rollout.log_ratios, "gold": rollout.scores, "learned": learned, "length": lengths}
    return {name: float(part.double().mean()) for name, part in parts.items()}


def optimise(
    here: World, reward: Callable[[Batch], Tensor], start: dict[str, float]
) -> tuple[dict[str, list[float]], nn.Module]:
    """GRPO with this reward: KL and both rewards above the clone's (`start`) on held-out posts, along the way.

    And the policy of the look at which gold less PRICE · KL was greatest.
    """
    found: dict[str, list[float]] = {"kl": [0.0], "gold": [0.0], "learned": [0.0], "length": []}
    best, policy = EarlyStopping(len(here.scale.looks)), here.start
    for step, policy in enumerate(here.grpo(reward, BETA), 1):
        if step in here.scale.looks:
            seen = look(here, policy, reward)
            for name, value in seen.items():
                found[name].append(value - start.get(name, 0.0))
            best.over(PRICE * seen["kl"] - seen["gold"], policy)
    best.restore(policy)
    return found, policy


@torch.no_grad()
def pool(here: World, rewards: dict[str, Callable]) -> dict[str, np.ndarray]:
    """Each reward, gold too, "B N" of the clone's answers to the held-out posts."""
    parts = gpu_forum.pieces(gpu_forum.answers(here, *here.posts, here.scale.pool), here.scale.at_once)
    return {
        name: torch.cat([reward(part) for part in parts]).double().cpu().numpy() for name, reward in rewards.items()
    }


def measured(scale: Scale, seed: int, folder: Path) -> dict:
    """All of a seed: the curves of every reward model and of gold, each one's order of pairs, and J*."""
    clock = Clock(scale.device)
    with clock:
        here = gpu_forum.world(scale, seed, gpu_clones.clone(scale, scale.policy, folder))
        with gpu_clones.fast_matrices(scale.device):
            found = _measured(here, folder)
    return found | {"seconds": clock.seconds, "mb": clock.peak_mb}


def _measured(here: World, folder: Path) -> dict:
    scale, rewards = here.scale, {}
    every = gpu_forum.votes(here, max(scale.comparisons))
    for name, (size, count) in rewards_of(scale).items():
        data = gpu_forum.first_votes(every, count)
        trunk, rate = gpu_clones.clone(scale, size, folder), scale.rate("reward", size)
        rewards[name] = in_gold_units(gpu_forum.fitted(here, trunk, data, scale.comparisons[count], rate))
    rewards[GOLD] = here.gold()
    scores, found = pool(here, rewards), {"best": {}, "rl": {}, "order": {}, "votes": int(every[1].sum())}
    for name, reward in rewards.items():
        start = {"gold": float(scores[GOLD].mean()), "learned": float(scores[name].mean())}
        found["order"][name] = ordered(scores[name][:, :ANSWERS], scores[GOLD][:, :ANSWERS])
        found["best"][name] = best_curve(scale.counts, scores[GOLD], scores[name])
        found["rl"][name], policy = optimise(here, reward, start)
        say(here.seed, name, found)
    # Gold came last: its policy is the one that samples what is good.
    jstar = best_objective(
        policy, here.sampler, rewards[GOLD], *here.posts, beta=PRICE, objective=start["gold"], samples=scale.jstar[0],
        most=scale.jstar[1], max_new_tokens=here.settings.max_new_tokens, eos_id=here.tokenizer.eos_token_id,
        generator=here.generator(), at_once=scale.at_once,
    )  # fmt: skip
    return found | {"start": start["gold"], "jstar": jstar}


def say(seed: int, name: str, found: dict) -> None:
    """Gold at its peak and at the end beside the learned reward."""
    for way, words in WAYS.items():
        curve = found[way][name]
        print(
            f"seed {seed}, {words}, {name}: gold {max(curve['gold']):+.2f} at its peak, {curve['gold'][-1]:+.2f} at the end "
            f"(KL {curve['kl'][-1]:.2f}), where the reward says {curve['learned'][-1]:+.2f}",
            flush=True,
        )
