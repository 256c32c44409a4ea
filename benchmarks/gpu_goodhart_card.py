"""The card `gpu_goodhart`: what the curves say, the fits of Gao et al. (2022), and chapter 8's claims as bounds."""

import numpy as np

from benchmarks.base_runs import BETA as PRICE
from benchmarks.goodhart import WAYS, curve_metrics
from benchmarks.goodhart_runs import BETA, GOLD
from rlhw import cards

MODULES = [
    "benchmarks.base_runs", "benchmarks.goodhart", "benchmarks.goodhart_runs", "benchmarks.gpu_clones", "benchmarks.gpu_forum",
    "benchmarks.gpu_goodhart", "benchmarks.gpu_goodhart_card", "benchmarks.pretrain_tiny", "benchmarks.tiny_runs", "rlhw.batches",
    "rlhw.behavior_cloning", "rlhw.captured", "rlhw.decoding_step", "rlhw.evaluation", "rlhw.grpo", "rlhw.language_model",
    "rlhw.logprobs", "rlhw.overoptimisation", "rlhw.pipeline.attained", "rlhw.pipeline.forum", "rlhw.reward_model", "rlhw.rollouts",
    "rlhw.tiny_tldr", "rlhw.training",
]  # fmt: skip


def at_peak(curve: dict, what: str) -> float:
    """KL, gold or learned reward where gold is greatest."""
    return curve[what][int(np.argmax(curve["gold"]))]


def bounded(
    meaning: str, values: list[float], bound: float, *, least: bool, each: bool = False, **more: object
) -> dict:
    """An entry whose median, or each value, must be above a bound (`least`), or at most that."""
    entry = cards.metric(meaning, values, **more)
    worst = (entry["low" if least else "high"]) if each else entry["value"]
    words = f"{'>' if least else '<='} {bound:g}, {'each' if each else 'median'} of {len(values)} seeds"
    return entry | {"bound": words, "met": worst > bound if least else worst <= bound}


def claims(way: str, curves: dict[str, list[dict]], counts: list[str], smallest: str) -> dict[str, dict]:
    """What chapter 8 says of these curves, and Gao et al. (2022), each with its bound."""
    few, many, words = curves[counts[0]], curves[counts[-1]], WAYS[way]

    def apart(more: list[dict], less: list[dict], what: str) -> list[float]:
        return [at_peak(one, what) - at_peak(other, what) for one, other in zip(more, less, strict=True)]

    counted = f"{words}, {counts[-1]} less {counts[0]} comparisons"
    lost = [at_peak(curve, "gold") - curve["gold"][-1] for curve in few]
    promised = [curve["learned"][-1] - at_peak(curve, "learned") for curve in few]
    control = [at_peak(curve, "gold") - curve["gold"][-1] for curve in curves[GOLD]]
    above = {"bound": 0.0, "least": True}
    return {
        f"{way}_higher": bounded(f"gold at its peak: {counted}", apart(many, few, "gold"), **above),
        f"{way}_later": bounded(f"KL where gold peaks: {counted}", apart(many, few, "kl"), **above, unit="nats"),
        f"{way}_turned": bounded(f"gold lost after its peak, {words}, {counts[0]} comparisons", lost, **above, each=True),
        f"{way}_promise": bounded(
            f"learned reward gained after gold's peak, {words}, {counts[0]} comparisons", promised, **above, each=True
        ),
        f"{way}_larger": bounded(
            f"gold at its peak, {words}: the largest less the smallest reward model",
            apart(many, curves[smallest], "gold"), **above,
        ),
        f"{way}_control": bounded(f"gold lost after its peak, {words}, gold itself", control, 0.1, least=False),
    }  # fmt: skip


def share(run: dict) -> float:
    """The share of what can be earned at PRICE above the clone that the best point of any curve earns: 1 is J*."""
    points = [
        gold - PRICE * kl
        for way in WAYS
        for curve in run[way].values()
        for gold, kl in zip(curve["gold"], curve["kl"], strict=True)
    ]
    return max(points) / (run["jstar"]["jstar"] - run["start"])


def entries(found: dict[str, dict]) -> dict[str, dict]:
    """A card's entries, from the clones and all seeds."""
    runs = [one for name, one in found.items() if name.startswith("seed_")]
    clones = {name: one for name, one in found.items() if not name.startswith("seed_")}
    names = list(runs[0]["order"])
    counts = [name for name in names if name.isdigit()]
    sizes = [name for name in names if name not in (*counts, GOLD)]
    made = {
        "beta": cards.metric("price of a nat of KL in GRPO", BETA),
        "price": cards.metric("price of a nat of KL at which J* is taken", PRICE),
    }
    for name, one in clones.items():
        right = 100 * one["answered"]
        made |= {
            f"{name}_parameters": cards.metric(f"parameters of all blocks, {name}", float(one["parameters"])),
            f"{name}_gap": cards.metric(f"KL of teacher from clone over the teacher's entropy, {name}", one["cloning_share"]),
            f"{name}_answered": cards.metric(
                f"held out: readers' questions answered rightly after reading, {name}", right, unit="%",
                bound=">= 95", met=right >= 95,
            ),
        }  # fmt: skip
    for way in WAYS:
        curves = {name: [run[way][name] for run in runs] for name in names}
        for name in names:
            # Written for numbers of comparisons; a size stands for the most of them.
            for key, entry in curve_metrics(way, name, curves[name]).items():
                meaning = entry["meaning"].replace(f"{name} comparisons", f"{name} model, {counts[-1]} comparisons")
                made[key] = entry | ({"meaning": meaning} if name in sizes else {})
        made |= claims(way, curves, counts, sizes[0])
    for name in names:
        made[f"order_{name}"] = cards.metric(
            f"pairs of the clone's held-out answers in gold's order, {name}", [run["order"][name] for run in runs]
        )
    best = [run["jstar"] for run in runs]
    made["jstar"] = cards.metric(
        "J* above the clone's reward", [one["jstar"] - run["start"] for one, run in zip(best, runs, strict=True)]
    )
    made["jstar_effective"] = cards.metric("effective samples a post behind J*", [one["effective"] for one in best])
    made["share"] = bounded(
        "share of J* that the best point of any curve earns",
        [share(run) for run in runs],
        1.02,
        least=False,
        each=True,
        known=1.0,
    )
    made["memory"] = cards.metric("peak of GPU memory of a seed", [run["mb"] for run in runs], unit="MB")
    made["seconds"] = cards.metric("seconds of a seed", [run["seconds"] for run in runs], unit="s")
    return made
