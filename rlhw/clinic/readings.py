"""What is read from a patient's curves: each ward has its instruments, and a few numbers taken from them.

A reading is compared with the healthy run's of the same seed: higher, lower or the same, within a tolerance that seeds do not
exceed. These few words are what a diagnosis rests on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rlhw.clinic import wards, world

Curves = dict[str, np.ndarray]
LAST = 8


@dataclass(frozen=True)
class Reading:
    """One number of a run: the first entry of a curve, or the mean of its last eight; less: a curve that is subtracted.

    words: as it is spoken of.
    """

    curve: str
    words: str
    tolerance: float
    first: bool = False
    less: str = ""

    def of(self, curves: Curves) -> float:
        """The number itself."""
        values = curves[self.curve] - (curves[self.less] if self.less else 0.0)
        return float(values[0] if self.first else values[-LAST:].mean())

    def compare(self, healthy: Curves, sick: Curves) -> str:
        """How the sick run's number stands to the healthy one's: "higher", "lower" or "the same"."""
        gap = self.of(sick) - self.of(healthy)
        return "the same" if abs(gap) <= self.tolerance else ("higher" if gap > 0 else "lower")


@dataclass(frozen=True)
class Ward:
    """A kind of run: what it trains, how, the panels it shows (curve -> title with unit), its readings and known values."""

    name: str
    run: Callable[[int], Iterator[wards.Row]]
    steps: str
    panels: dict[str, str]
    readings: dict[str, Reading]
    known: Callable[[], dict[str, tuple[float, str]]]

    def curves(self, seed: int) -> Curves:
        """Every instrument's curve over one run."""
        rows = list(self.run(seed))
        return {key: np.array([row[key] for row in rows]) for key in self.panels}


def _known_cloning() -> dict[str, tuple[float, str]]:
    batch, p = wards.teacher_law()
    entropy = -(p * p.clamp(min=1e-300).log()).sum(1).mean()
    length = (p * batch.response_mask.sum(-1)).sum(1).mean()
    return {"loss": (float(entropy), "teacher's entropy"), "length": (float(length), "teacher's"), "kl": (0.0, "")}


def _known_votes() -> dict[str, tuple[float, str]]:
    return {"loss": (float(np.log(2)), "ln 2"), "accuracy": (0.5, "a coin"), "ordered": (0.5, "a coin")}


def _known_dpo() -> dict[str, tuple[float, str]]:
    start = world.table(wards.START)
    logprobs, best = world.best(start)
    answers = world.all_answers()
    entropy = -(logprobs.exp() * logprobs).sum(1).mean()
    length = (logprobs.exp() * answers.response_mask.sum(-1)).sum(1).mean()
    return {"loss": (float(np.log(2)), "ln 2"), "objective": (best, "J*"), "distance": (0.0, ""),
            "entropy": (float(entropy), "π*"), "length": (float(length), "π*")}  # fmt: skip


def _known_policy() -> dict[str, tuple[float, str]]:
    return {"objective": (world.best(world.table(wards.START))[1], "J*"), "clipped": (0.0, "")}


def _known_groups() -> dict[str, tuple[float, str]]:
    most = wards.group_score(world.all_answers()).amax(1).mean()
    return {"reward": (float(most), "the most there is"), "clipped": (0.0, "")}


POLICY_PANELS = {
    "reward": "reward", "kl": "KL from the start (nats)", "reported_kl": "reported KL (nats)",
    "length": "length (tokens)", "entropy": "entropy (nats)", "clipped": "share clipped",
}  # fmt: skip
POLICY_READINGS = {
    "kl": Reading("kl", "the KL from the start, at the end", 0.15),
    "gap": Reading("reported_kl", "the reported KL less the one from all answers, at the end", 0.1, less="kl"),
    "length": Reading("length", "the length at the end", 0.25),
    "entropy": Reading("entropy", "the entropy at the end", 0.25),
    "clipped_first": Reading("clipped", "the share of clipped tokens of the first rollout", 0.02, first=True),
}
CLONING = Ward(
    "behavior cloning", wards.cloning, "steps",
    {"loss": "loss (nats an answer)", "kl": "KL(teacher‖student) (nats)", "length": "student's length (tokens)",
     "grad_norm": "gradient's norm"},
    {"loss_first": Reading("loss", "the loss at the first step", 0.5, first=True),
     "loss": Reading("loss", "the loss at the end", 0.35),
     "kl": Reading("kl", "the KL from the teacher to the student, at the end", 0.1),
     "length": Reading("length", "the student's length at the end", 0.25)},
    _known_cloning,
)  # fmt: skip
REWARD = Ward(
    "a reward model", wards.rewarding, "steps",
    {"loss": "loss (nats a vote)", "accuracy": "accuracy on the votes", "ordered": "pairs ordered as gold",
     "spread": "spread of the scores"},
    {"loss": Reading("loss", "the loss at the end", 0.08),
     "accuracy": Reading("accuracy", "the accuracy at the end", 0.08),
     "ordered": Reading("ordered", "the share of pairs ordered as gold orders them, at the end", 0.08)},
    _known_votes,
)  # fmt: skip
DPO = Ward(
    "DPO", wards.direct, "steps",
    {"loss": "loss (nats a vote)", "accuracy": "accuracy on the votes", "distance": "KL(policy‖π*) (nats)",
     "chosen": "chosen, change (nats)", "length": "length (tokens)", "entropy": "entropy (nats)"},
    {"loss_first": Reading("loss", "the loss at the first step", 0.01, first=True),
     "accuracy": Reading("accuracy", "the accuracy at the end", 0.03),
     "distance": Reading("distance", "the KL from π* at the end", 0.008),
     "entropy": Reading("entropy", "the entropy at the end", 0.06)},
    _known_dpo,
)  # fmt: skip
PPO = Ward(
    "PPO", wards.proximal, "rollouts", {"objective": "objective J"} | POLICY_PANELS | {"value_loss": "value loss"},
    {"objective": Reading("objective", "the objective J at the end", 0.06)} | POLICY_READINGS
    | {"value_loss": Reading("value_loss", "the value loss at the end", 0.5)},
    _known_policy,
)  # fmt: skip
GRPO = Ward(
    "GRPO", wards.grouped, "rollouts", POLICY_PANELS | {"grad_norm": "gradient's norm"},
    {"reward": Reading("reward", "the reward at the end", 0.08)}
    | {key: POLICY_READINGS[key] for key in ("gap", "clipped_first")}
    | {"entropy": Reading("entropy", "the entropy at the end", 0.4)}, _known_groups,
)  # fmt: skip
