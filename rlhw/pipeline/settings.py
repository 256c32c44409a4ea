"""The settings of a whole run: one small dataclass a stage, all of them reachable from the command line."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

STAGES = ("clone", "compare", "reward", "ppo", "grpo", "dpo", "report")


@dataclass(frozen=True)
class Clone:
    """Behavior cloning: `posts` prompts with `answers` demonstrations each, `steps` batches of `size` prompts."""

    posts: int = 10800
    answers: int = 4
    steps: int = 300
    size: int = 36
    rate: float = 2e-3


@dataclass(frozen=True)
class Compare:
    """Comparisons: `answers` of the clone to each of `prompts` prompts, judged pair by pair at this temperature."""

    prompts: int = 4608
    answers: int = 4
    temperature: float = 0.5


@dataclass(frozen=True)
class Reward:
    """The reward model: `epochs` times through the comparisons, `size` prompts a batch."""

    epochs: float = 2.0
    size: int = 32
    rate: float = 1e-3


@dataclass(frozen=True)
class PPO:
    """PPO: `rollouts` of `prompts` prompts with `answers` answers each; the critic learns at `critic` times the rate."""

    rollouts: int = 40
    prompts: int = 32
    answers: int = 4
    epochs: int = 2
    rate: float = 1e-3
    critic: float = 3.0


@dataclass(frozen=True)
class GRPO:
    """GRPO with leave-one-out advantages: `rollouts` of `prompts` prompts with `answers` answers each."""

    rollouts: int = 40
    prompts: int = 16
    answers: int = 8
    epochs: int = 2
    rate: float = 1e-3


@dataclass(frozen=True)
class DPO:
    """DPO: `epochs` times through the comparisons, `size` prompts a batch. Its own beta is the run's over the temperature."""

    epochs: float = 1.0
    size: int = 32
    rate: float = 1e-4


@dataclass(frozen=True)
class Evaluate:
    """Held-out posts and answers to each; for J* at first `samples` a post, half of the clone and half of GRPO's policy."""

    posts: int = 128
    answers: int = 8
    samples: int = 128


@dataclass(frozen=True)
class Settings:
    """A run on the small forum. beta: the price of a nat of KL, in units of the reward. max_new_tokens: an answer is cut there.

    model: what is cloned first, "tiny" or a folder whose tokenizer knows the words of the forum. gold: optimise the gold reward
    itself instead of the learned one.
    """

    model: str = "tiny"
    out: Path = Path("runs/tiny")
    seed: int = 0
    beta: float = 0.25
    gold: bool = False
    max_new_tokens: int = 44
    clone: Clone = field(default_factory=Clone)
    compare: Compare = field(default_factory=Compare)
    reward: Reward = field(default_factory=Reward)
    ppo: PPO = field(default_factory=PPO)
    grpo: GRPO = field(default_factory=GRPO)
    dpo: DPO = field(default_factory=DPO)
    evaluate: Evaluate = field(default_factory=Evaluate)

    def check(self) -> None:
        """Raise ValueError for a beta or a seed that cannot be; the stages refuse what is wrong in theirs."""
        if not 0 < self.beta < float("inf"):
            raise ValueError(f"beta must be above 0 and finite; got {self.beta}.")
        if self.seed < 0:
            raise ValueError(f"seed must be 0 or more; got {self.seed}.")

    def as_json(self) -> str:
        """All settings but the place of the run, which may be moved."""
        record = dataclasses.asdict(self)
        del record["out"]
        return json.dumps(record, indent=1, sort_keys=True)
