"""Training on the GPU beside TRL: what `benchmarks.speed` compares, and cloning; PPO's update of ours alone.

TRL 1.16 keeps PPO among its experiments, in a loop that samples and scores inside its step: there is no update to set beside ours.
Each side runs once a seed, after a short run of both that is not counted.
"""

import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks import speed, speed_ours, speed_setup, speed_trl
from benchmarks.gpu_cost import alone, forward_operations, useful_tokens
from benchmarks.speed import Comparison
from benchmarks.speed_setup import CLIP, LATER, ROLLOUT_K, Clock, Rollouts, Run, Setup
from benchmarks.speed_witnesses import trained_witnesses
from benchmarks.tiny_runs import parts
from rlhw import cards, ppo
from rlhw.batches import Batch
from rlhw.behavior_cloning import CloningConfig, train_bc
from rlhw.logprobs import response_logprobs
from rlhw.ppo import FixedKL, PPOConfig, ValueModel, train_ppo
from rlhw.scaling import utilisation


@dataclass(frozen=True)
class Demonstrations:
    """Answers to be cloned, one a prompt, and others to be judged on."""

    start: nn.Module
    train: Batch
    held_out: Batch
    size: int


def demonstrations(setup: Setup, seed: int) -> Demonstrations:
    size, start = setup.sizes[1], setup.model().to(setup.device)
    train = setup.answers(seed, setup.steps * size, 1).to(setup.device)
    return Demonstrations(start, train, setup.answers(seed + LATER, setup.held_out, 1).to(setup.device), size)


def nats_a_token(model: nn.Module, data: Demonstrations) -> Tensor:
    return -response_logprobs(model, data.held_out).sum() / data.held_out.response_mask.sum()


def our_cloning(
    setup: Setup, data: Demonstrations, order: list[Batch] | None = None, optimizer: torch.optim.Optimizer | None = None
) -> Run:
    """`order`: the batches, where they are not the data's own; `optimizer`: a class with arguments, where it is not the fused."""
    model, clock = speed_ours._fresh(setup, data.start), Clock(setup.device)
    optimizer = optimizer(model.parameters()) if optimizer else speed_ours._optimizer(setup, model)
    with clock:
        steps = list(train_bc(model, order or parts(data.train, data.size), optimizer, CloningConfig()))
    # TRL's loss is a mean over tokens, ours over answers.
    first = steps[0]["loss"] * steps[0]["answers"] / steps[0]["tokens"]
    return Run(len(data.train.prompts), clock, trained_witnesses(first, nats_a_token, data, model))


def trl_cloning(setup: Setup, data: Demonstrations, folder: Path) -> Run:
    """SFTTrainer on rows of tokens whose prompts have no label."""
    from trl import SFTConfig, SFTTrainer

    rows, batch = [], data.train
    for prompt, mask, answer, real in zip(
        batch.prompts, batch.prompt_mask, batch.responses[:, 0], batch.response_mask[:, 0], strict=True
    ):
        tokens, after = prompt[mask].tolist(), answer[real].tolist()
        rows.append({"input_ids": tokens + after, "labels": [-100] * len(tokens) + after})
    common = speed_trl._common(setup, folder, data.size)
    # The models have no dropout, and this trainer no switch for it.
    del common["disable_dropout"]
    clock, settings = Clock(setup.device), SFTConfig(**common, max_length=None)
    with mock.patch.object(SFTTrainer, "_prepare_dataset", lambda self, dataset, *_: dataset):
        trainer = SFTTrainer(
            copy.deepcopy(data.start),
            settings,
            train_dataset=speed_trl._dataset(rows),
            processing_class=setup.tokenizer,
        )
    first = speed_trl._train(trainer, clock)
    return Run(len(rows), clock, trained_witnesses(first, nats_a_token, data, trainer.model))


def ppo_update(setup: Setup, data: Rollouts) -> Run:
    """`train_ppo` as it is, a critic of its own size beside the policy; in place of sampling it is handed the ready rollouts, and
    goes through each once.
    """
    policy, clock = speed_ours._fresh(setup, data.start), Clock(setup.device)
    value = speed_ours._fresh(setup, ValueModel(copy.deepcopy(data.start.base_model)).to(setup.device))
    optimizer = speed_ours._optimizer(setup, nn.ModuleList([policy, value]))
    config = PPOConfig(
        max_new_tokens=setup.max_new_tokens, eos_id=setup.tokenizer.eos_token_id, k=ROLLOUT_K, clip=CLIP, epochs=1
    )
    prompts = [(rollout.batch.prompts, rollout.batch.prompt_mask) for rollout in data.train]
    order, kl = torch.Generator().manual_seed(0), FixedKL(1.0)
    with mock.patch.object(ppo, "collect", side_effect=data.train), clock:
        list(train_ppo(policy, value, policy, setup.reward, prompts, optimizer, config, generator=order, kl=kl))
    return Run(sum(rollout.scores.numel() for rollout in data.train), clock, {})


CLONING = Comparison("cloning, one answer a prompt", "answers/s", demonstrations, our_cloning, trl_cloning)
COMPARISONS = {"cloning": CLONING} | {
    name: speed.COMPARISONS[name] for name in ("reward", "dpo", "grpo", "reward_pairs", "dpo_pairs")
}
BOUNDS = {"dpo": 1.5, "reward": 1.5}
# Forward passes over the useful tokens that a step asks for, a backward pass counted as two. A DPO step: the reference too.
PASSES = {"cloning": 3, "reward": 3, "reward_pairs": 3, "dpo": 4, "dpo_pairs": 4, "grpo": 3}


def _batches(data: object) -> list[Batch]:
    if isinstance(data, Rollouts):
        return [rollout.batch for rollout in data.train]
    return [data.train if isinstance(data, Demonstrations) else data.train[0]]


def work(name: str, model: nn.Module, data: object) -> tuple[int, float]:
    """(useful tokens, operations) of a run; with a critic there are two models, and its values are worked out once before."""
    batches, reward = _batches(data), name.startswith("reward")
    tokens = sum(map(useful_tokens, batches))
    if name == "ppo":
        return tokens, sum(
            3 * forward_operations(model, b) + 4 * forward_operations(model, b, head=False) for b in batches
        )
    return tokens, sum(PASSES[name] * forward_operations(model, batch, head=not reward) for batch in batches)


def compared(name: str, setup: Setup, seeds: range, folder: Path) -> dict:
    """Seconds, memory and faults of both sides, a list over seeds each; for "ppo" of ours alone."""
    comparison = COMPARISONS.get(name)
    data_of = comparison.data if comparison else speed_setup.rollouts
    ours = comparison.ours if comparison else ppo_update
    sides = {"ours": ours} | ({"theirs": partial(comparison.theirs, folder=folder)} if comparison else {})
    short = replace(setup, steps=1)
    for run in sides.values():
        run(short, data_of(short, LATER - 1))
    found = {"tokens": [], "operations": [], "faults": []}
    found |= {f"{what}_{side}": [] for side in sides for what in ("seconds", "mb")}
    model = setup.model()
    for seed in seeds:
        data = data_of(setup, seed)
        runs = {side: alone(run, setup, data) for side, run in sides.items()}
        tokens, operations = work(name, model, data)
        found["tokens"].append(tokens)
        found["operations"].append(operations)
        for side, one in runs.items():
            found[f"seconds_{side}"].append(one.clock.seconds)
            found[f"mb_{side}"].append(one.clock.peak_mb)
        if "theirs" in runs:
            found["faults"] += speed.disagreements(runs["ours"], runs["theirs"], setup)
        rates = ", ".join(f"{side} {tokens / one.clock.seconds:.4g} tokens/s" for side, one in runs.items())
        print(f"{name}, seed {seed}: {rates}", *found["faults"], sep="\n", flush=True)
    return found


def entries(name: str, found: dict, peak: float | None) -> dict[str, dict]:
    """A card's entries of one comparison: the ratio, and of each side tokens a second, share of the peak and peak of memory."""
    meaning = COMPARISONS[name].meaning if name in COMPARISONS else f"PPO's update with a critic, K = {ROLLOUT_K}"
    made = {}
    if "seconds_theirs" in found:
        ratios = [t / o for o, t in zip(found["seconds_ours"], found["seconds_theirs"], strict=True)]
        made[name] = cards.metric(f"{meaning}: ours over TRL's", ratios, unit="1")
        if bound := BOUNDS.get(name):
            made[name] |= {"bound": f">= {bound:g}, median of {len(ratios)} seeds", "met": made[name]["value"] >= bound}
    for side in ("ours", "theirs"):
        seconds = found.get(f"seconds_{side}")
        if not seconds:
            continue
        rates = [tokens / s for tokens, s in zip(found["tokens"], seconds, strict=True)]
        made[f"{name}_{side}"] = cards.metric(f"{meaning}: {side}, useful tokens", rates, unit="tokens/s")
        if peak:
            shares = [utilisation(1.0, s, o, peak) for s, o in zip(seconds, found["operations"], strict=True)]
            made[f"{name}_mfu_{side}"] = cards.metric(f"{meaning}: {side}, share of the card's peak", shares, unit="1")
        made[f"{name}_memory_{side}"] = cards.metric(
            f"{meaning}: {side}, peak of GPU memory", found[f"mb_{side}"], unit="MB"
        )
    return made
