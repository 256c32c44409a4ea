"""Sampling on the GPU: ours plain and captured, beside `generate` with its dynamic and its static cache, and the memory's limit.

Four answers to each prompt of TL;DR's lengths, bf16 weights. The floor of a step is the time in which the card copies weights,
keys and values once: those of each answer's whole text at its mean length, and, as the captured step needs them, each prompt's
once for its four answers.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from benchmarks import speed, speed_setup
from benchmarks.gpu_cost import alone
from benchmarks.speed_setup import SAMPLING_K, Clock, Prompts, Run, Setup
from benchmarks.speed_witnesses import sampled_witnesses
from rlhw import cards
from rlhw.batches import Batch
from rlhw.captured import Captured
from rlhw.language_model import generate
from rlhw.logprobs import response_logprobs
from rlhw.scaling import cache_bytes, decode_floor

BOUNDS = {"dynamic": 8.0, "static": 1.5}
NAMES = {
    "plain": "ours, plain", "captured": "ours, captured", "dynamic": "generate, dynamic cache",
    "static": "generate, static cache, the better of compiled and not",
}  # fmt: skip


def ours(setup: Setup, data: Prompts, model: nn.Module, steps: int) -> Run:
    clock, generator = Clock(setup.device), torch.Generator().manual_seed(data.seed)
    with clock:
        batch, _ = generate(
            model, data.tokens, data.mask, k=SAMPLING_K, max_new_tokens=steps, eos_id=setup.tokenizer.eos_token_id,
            generator=generator,
        )  # fmt: skip
    return Run(int(batch.response_mask.sum()), clock, sampled_witnesses(data.model, batch))


def theirs(setup: Setup, data: Prompts, cache: str, compiled: bool, steps: int) -> Run:
    eos_id, clock = setup.tokenizer.eos_token_id, Clock(setup.device)
    law = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "num_return_sequences": SAMPLING_K}
    torch.manual_seed(data.seed)
    with clock, torch.no_grad():
        tokens = data.model.generate(
            data.tokens, attention_mask=data.mask.long(), **law, cache_implementation=cache, max_new_tokens=steps,
            eos_token_id=eos_id, pad_token_id=setup.tokenizer.pad_token_id, disable_compile=not compiled,
        )  # fmt: skip
    answers = tokens[:, data.tokens.shape[1] :].unflatten(0, (-1, SAMPLING_K))
    ended = (answers == eos_id).long().cumsum(-1)
    batch = Batch(data.tokens, data.mask, answers, (ended - (answers == eos_id).long()) == 0)
    return Run(int(batch.response_mask.sum()), clock, sampled_witnesses(data.model, batch))


def checked(model: nn.Module, setup: Setup) -> dict:
    """Captured against plain on this device, through changes of the weights: how far log-probabilities are, in nats.

    In float64, where rounding cannot make another token likelier: `exact`, of weights that change where they are, then of some
    that move. `rounded`: of float32 weights under bf16 autocast, against the pass that a trainer takes over the same answers.
    Raises AssertionError when a token differs in float64.
    """
    model, found = model.to(setup.device).double(), {"exact": 0.0}
    captured, data = Captured(model, setup.max_new_tokens), setup.answers(1, 8, 1).to(setup.device)
    law = {"k": SAMPLING_K, "max_new_tokens": setup.max_new_tokens, "eos_id": setup.tokenizer.eos_token_id}

    def sample(policy: nn.Module) -> tuple[Batch, torch.Tensor]:
        return generate(policy, data.prompts, data.prompt_mask, **law, generator=torch.Generator().manual_seed(2))

    for change in ("none", "in place", "moved"):
        with torch.no_grad():
            for weight in model.parameters():
                if change == "in place":
                    weight *= 1.02
                elif change == "moved":
                    weight.data = 1.02 * weight.data
        (own, logprobs), (other, other_logprobs) = sample(model), sample(captured)
        assert torch.equal(own.responses, other.responses), f"weights changed: {change}; captured gives other tokens"
        found["exact"] = max(found["exact"], float((logprobs - other_logprobs).abs().max()))
    model.float().forward = torch.autocast(setup.device, torch.bfloat16)(model.forward)
    for _ in range(2):
        batch, recorded = sample(captured)
        with torch.no_grad():
            found["rounded"] = float((recorded - response_logprobs(model, batch)).abs().mean())
            for weight in model.parameters():
                weight *= 1.02
    return found


def prompts(setup: Setup, count: int, seed: int) -> Prompts:
    """Prompts for `count` answers, for a model with bf16 weights."""
    return speed_setup.prompts(replace(setup, sampled=count // SAMPLING_K), seed)


def sampled(count: int, setup: Setup, seeds: range) -> dict:
    """Tokens a second of each side, a list over seeds each, and what the floor is worked out from."""
    data, steps = prompts(setup, count, 0), setup.max_new_tokens
    captured = Captured(data.model, steps)
    sides: dict[str, Callable[[Prompts, int], Run]] = {
        "plain": lambda data, steps: ours(setup, data, data.model, steps),
        "captured": lambda data, steps: ours(setup, data, captured, steps),
        "dynamic": lambda data, steps: theirs(setup, data, "dynamic", False, steps),
        "static_plain": lambda data, steps: theirs(setup, data, "static", False, steps),
        "static_compiled": lambda data, steps: theirs(setup, data, "static", True, steps),
    }
    found: dict = {"faults": [], "left_out": {}, "length": [], "step_plain": [], "step_captured": [], "mb": {}}
    for name in list(sides):
        try:
            sides[name](data, steps)
        except Exception as error:
            if not name.startswith("static"):
                raise
            # What cannot be compiled here is named on the card; the other static setting is there.
            found["left_out"][name] = f"{type(error).__name__}: {error}"[:300]
            del sides[name]
        print(f"{count} sequences: {name} {'is warm' if name in sides else found['left_out'][name]}", flush=True)
    found |= {name: [] for name in sides}
    for seed in seeds:
        fresh = prompts(setup, count, seed)
        # One model: graphs and compiled code hold its weights.
        data = Prompts(data.model, fresh.tokens, fresh.mask, seed)
        runs = {name: alone(run, data, steps) for name, run in sides.items()}
        for name, run in runs.items():
            found[name].append(run.rate)
            found["mb"][name] = max(found["mb"].get(name, 0.0), run.clock.peak_mb)
            found["faults"] += [f"{name}: {fault}" for fault in speed.disagreements(run, runs["plain"], setup)]
        found["length"].append(float(data.mask.sum(1).double().mean()) + runs["plain"].count / count / 2)
        found["prompt"] = float(data.mask.sum(1).double().mean())
        for name in ("plain", "captured"):
            first = sides[name](data, 1).clock.seconds
            found[f"step_{name}"].append((runs[name].clock.seconds - first) / (steps - 1))
        rates = ", ".join(f"{name} {run.rate:.4g}" for name, run in runs.items())
        print(f"{count} sequences, seed {seed}, tokens/s: {rates}", *found["faults"], sep="\n", flush=True)
    torch.compiler.reset()
    weights = sum(parameter.numel() * parameter.element_size() for parameter in data.model.parameters())
    return found | {
        "weights": weights,
        "layers": data.model.config.num_hidden_layers,
        "width": data.model.config.hidden_size,
    }


def check_entries(found: dict) -> dict[str, dict]:
    """A card's entries of the check; a step that reads stale weights is off by more than rounding."""
    limits = {
        "exact": (1e-9, "float64, largest difference from the plain path"),
        "rounded": (0.05, "bf16, mean difference from a trainer's pass"),
    }
    return {
        f"check_{name}": cards.metric(
            f"captured log-probabilities, {what}",
            found[name],
            unit="nats",
            bound=f"<= {limit:g}",
            met=found[name] <= limit,
        )
        for name, (limit, what) in limits.items()
    }


def entries(count: int, found: dict, rate: float) -> dict[str, dict]:
    """A card's entries of one number of sequences."""
    what, made = f"{count} sequences", {}
    sides = {name: found[name] for name in ("plain", "captured", "dynamic")}
    static = [rates for name, rates in found.items() if name.startswith("static")]
    sides["static"] = max(static, key=lambda rates: sorted(rates)[len(rates) // 2])
    for name, bound in BOUNDS.items():
        ratios = [one / other for one, other in zip(sides["captured"], sides[name], strict=True)]
        entry = cards.metric(f"{what}: captured over {NAMES[name]}", ratios, unit="1")
        met = entry["value"] >= bound
        made[f"over_{name}_{count}"] = entry | {"bound": f">= {bound:g}, median of {len(ratios)} seeds", "met": met}
    if found["left_out"]:
        made[f"over_static_{count}"]["note"] = f"left out: {found['left_out']}"
    for name, rates in sides.items():
        made[f"{name}_{count}"] = cards.metric(f"{what}: {NAMES[name]}", rates, unit="tokens/s")
    length, prompt, size = (
        sum(found["length"]) / len(found["length"]),
        found["prompt"],
        (found["layers"], found["width"]),
    )
    each = cache_bytes(*size, tokens=length, sequences=count)
    once = cache_bytes(*size, tokens=prompt, sequences=count // SAMPLING_K)
    once += cache_bytes(*size, tokens=length - prompt, sequences=count)
    for name, read in (("", each), ("_once", once)):
        floor, how = decode_floor(found["weights"], read, rate), "prompts once" if name else "of each answer's text"
        for side in ("plain", "captured"):
            shares = [floor / step for step in found[f"step_{side}"]]
            meaning = f"{what}: {NAMES[side]}, floor (weights, keys and values {how}) over the time of a step"
            made[f"floor{name}_{side}_{count}"] = cards.metric(meaning, shares, unit="1")
    return made
