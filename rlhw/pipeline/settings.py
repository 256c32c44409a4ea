"""The settings of a whole run: one small dataclass a stage, all of them reachable from the command line."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

STAGES = ("clone", "compare", "reward", "ppo", "grpo", "dpo", "report")
SIMULATED = "simulated"


@dataclass(frozen=True)
class Cloning:
    """`steps` batches of `size` prompts; `micro_batch` of them go through the model at once (None: all).

    patience: 0, or one prompt in twenty is held out, the loss on up to 512 of them is measured every `measure_every` steps (in
    tens), and after so many times in a row without a better one training stops; the best weights are kept.
    """

    steps: int = 250
    size: int = 36
    rate: float = 2e-3
    micro_batch: int | None = None
    patience: int = 0
    measure_every: int = 50


@dataclass(frozen=True)
class Clone(Cloning):
    """Behavior cloning of `posts` prompts with `answers` demonstrations each."""

    posts: int = 9000
    answers: int = 4


@dataclass(frozen=True)
class Compare:
    """Comparisons: `answers` of the clone to each of `prompts` prompts, judged pair by pair at this temperature.

    temperature: the annotator's. Comparisons of a file know none: there the reward is in nats of a vote, as with 1.
    """

    prompts: int = 3072
    answers: int = 4
    temperature: float = 0.5


@dataclass(frozen=True)
class Reward:
    """The reward model: `epochs` times through the comparisons, `size` prompts a batch. patience, measure_every: as in cloning."""

    epochs: float = 2.0
    size: int = 32
    rate: float = 1e-3
    micro_batch: int | None = None
    patience: int = 0
    measure_every: int = 50


@dataclass(frozen=True)
class PPO:
    """PPO: `rollouts` of `prompts` prompts with `answers` answers each, gone through `epochs` times.

    minibatch: prompts an optimizer step and process (None: all). critic: its rate over the policy's. shared: the critic sits on
    the policy's own trunk, not on a copy. frozen: the share of the first blocks that stay as they are.
    """

    rollouts: int = 40
    prompts: int = 32
    answers: int = 4
    epochs: int = 2
    minibatch: int | None = None
    rate: float = 1e-3
    critic: float = 3.0
    shared: bool = False
    frozen: float = 0.0


@dataclass(frozen=True)
class GRPO:
    """GRPO: `rollouts` of `prompts` prompts with `answers` answers each, gone through `epochs` times.

    advantages: leave-one-out, or the group's mean and deviation. minibatch: prompts an optimizer step and process (None: all).
    """

    rollouts: int = 40
    prompts: int = 16
    answers: int = 8
    epochs: int = 2
    minibatch: int | None = None
    rate: float = 1e-3
    advantages: Literal["leave-one-out", "group"] = "leave-one-out"


@dataclass(frozen=True)
class DPO:
    """DPO, IPO or KTO: `epochs` times through the comparisons, `size` prompts a batch."""

    epochs: float = 1.0
    size: int = 32
    rate: float = 1e-4
    loss: Literal["dpo", "ipo", "kto"] = "dpo"
    micro_batch: int | None = None


@dataclass(frozen=True)
class Evaluate:
    """Held-out posts and answers to each; for J* `samples` a post, half of the clone and half of GRPO's policy, doubled until J*
    stays or there are `most`. each: so many of the posts are answered and measured after each policy stage too (0: none).
    """

    posts: int = 64
    answers: int = 16
    samples: int = 128
    most: int = 256
    each: int = 0


@dataclass(frozen=True)
class Settings:
    """A run. beta: the price of a nat of KL, in units of the reward. max_new_tokens: an answer is cut there.

    scale: tiny is the small forum, with its teacher, its annotator and its gold reward; full is posts, summaries and comparisons
    of people. model: what is cloned first: "tiny", a folder, or a name of the Hub. data: comparisons, either "simulated" (by the
    annotator of the small forum), a .jsonl file, a Label Studio export (.json) or a data set of the Hub with prompt, chosen and
    rejected. texts: at full scale the posts with summaries, a .jsonl file or a data set of the Hub with prompt and completion.
    context: tokens of a post and its answer together. gold: optimise the gold reward itself instead of the learned one. device:
    cpu or cuda. precision: what models are called in; auto is float32 on the CPU, and on a GPU bf16, or fp16 where it has no bf16.
    """

    scale: Literal["tiny", "full"] = "tiny"
    model: str = "tiny"
    data: str = SIMULATED
    texts: str = ""
    out: Path = Path("runs/tiny")
    device: str = "cpu"
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    seed: int = 0
    beta: float = 0.25
    gold: bool = False
    context: int = 160
    max_new_tokens: int = 44
    clone: Clone = field(default_factory=Clone)
    compare: Compare = field(default_factory=Compare)
    reward: Reward = field(default_factory=Reward)
    ppo: PPO = field(default_factory=PPO)
    grpo: GRPO = field(default_factory=GRPO)
    dpo: DPO = field(default_factory=DPO)
    evaluate: Evaluate = field(default_factory=Evaluate)

    @property
    def temperature(self) -> float:
        """What turns the learned reward into the units of the run, and beta into DPO's own: the annotator's, where it is known."""
        return self.compare.temperature if self.data == SIMULATED else 1.0

    def check(self) -> None:
        """Raise ValueError for what cannot be, and FileNotFoundError for a file that is not there, before anything is done."""
        check_numbers(self)
        for name in ("data", "texts"):
            path = Path(getattr(self, name))
            if path.suffix in (".jsonl", ".json", ".parquet") and not path.is_file():
                raise FileNotFoundError(f"{name}: there is no file {path}.")
        if self.scale == "tiny" and self.texts:
            raise ValueError("texts: the small forum has posts of its own; leave it out, or give --scale full.")
        if self.scale == "full" and (self.gold or self.data == SIMULATED):
            raise ValueError(
                "data and gold: the gold reward and its annotator know the small forum alone (--scale tiny)."
            )
        if self.scale == "full" and not self.texts:
            raise ValueError("texts must name posts with summaries: a .jsonl file or a data set of the Hub.")

    def as_json(self) -> str:
        """All settings but the place of the run, which may be moved."""
        record = dataclasses.asdict(self)
        del record["out"]
        return json.dumps(record, indent=1, sort_keys=True)


# The least that makes sense where that is not 1.
LEAST = {"compare.answers": 2, "grpo.answers": 2, "evaluate.posts": 2, "evaluate.samples": 2, "evaluate.each": 0}


def check_numbers(settings: object, place: str = "") -> None:
    """Raise ValueError naming the first number of a dataclass that cannot be: counts are 1 or more, the rest above 0 and finite."""
    for field_ in dataclasses.fields(settings):
        name, value = place + field_.name, getattr(settings, field_.name)
        if dataclasses.is_dataclass(value):
            check_numbers(value, f"{name}.")
        elif field_.name == "seed":
            if not 0 <= value < 2**32:
                raise ValueError(f"seed must be from 0 to 2**32 - 1; got {value}.")
        elif field_.name == "patience":
            if value < 0:
                raise ValueError(f"{name} must be 0 or more; got {value}.")
        elif field_.name == "frozen":
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1; got {value}.")
        elif isinstance(value, float) and not 0 < value < float("inf"):
            raise ValueError(f"{name} must be above 0 and finite; got {value}.")
        elif isinstance(value, int) and not isinstance(value, bool) and value < (least := LEAST.get(name, 1)):
            raise ValueError(f"{name} must be {least} or more; got {value}.")


# GPT-2 on TL;DR, on one GPU of 16 GB or more: by the estimate of `memory` no stage takes more than 13 GB. Larger GPUs take larger
# micro-batches. Nobody has measured a run of it yet: see the card `gpu` for what has been.
FULL = Settings(
    scale="full", model="gpt2", data="trl-lib/tldr-preference", texts="trl-lib/tldr", out=Path("runs/full"), device="cuda",
    beta=0.05, context=600, max_new_tokens=64,
    clone=Clone(posts=96000, answers=1, steps=3000, size=32, rate=5e-5, micro_batch=16, patience=3, measure_every=100),
    reward=Reward(epochs=1.0, size=32, rate=2e-5, micro_batch=16, patience=3, measure_every=100),
    ppo=PPO(rollouts=400, prompts=24, answers=4, minibatch=8, rate=3e-6),
    grpo=GRPO(rollouts=300, prompts=16, answers=8, minibatch=4, rate=3e-6),
    dpo=DPO(size=32, rate=2e-6, micro_batch=8),
    evaluate=Evaluate(posts=128, answers=8, each=32),
)  # fmt: skip
