"""`rlhw train bc|reward|ppo|dpo|grpo`: one training with a model and data of one's own, also under `accelerate launch`."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from torch import Tensor, nn

from rlhw.batches import Batch, collate, collate_prompts
from rlhw.language_model import load
from rlhw.pipeline import jobs, memory
from rlhw.pipeline.command import bar
from rlhw.pipeline.data import check_context, fitting, read_comparisons, votes
from rlhw.pipeline.folder import Job, finished, open_run, silent, write_whole
from rlhw.pipeline.forum import Forum
from rlhw.pipeline.host import Host, host, is_main
from rlhw.pipeline.settings import DPO, GRPO, PPO, Clone, Cloning, Compare, Reward, Settings, check_numbers
from rlhw.pipeline.texts import read_texts
from rlhw.reward_model import RewardModel

FORUM, GOLD = "forum", "gold"


@dataclass(frozen=True, kw_only=True)
class Training:
    """model: "tiny", a folder, or a name of the Hub. out: the folder of this training, where checkpoints and the model go.

    context: tokens of a prompt and its answer together. resume: go on from the newest checkpoint in --out.
    """

    model: str
    data: str
    out: Path
    context: int = 160
    device: str = "cpu"
    precision: Literal["auto", "float32", "bf16", "fp16"] = "auto"
    seed: int = 0
    resume: bool = False

    def as_json(self) -> str:
        """All settings but the place, which may be moved."""
        record = dataclasses.asdict(self)
        del record["out"], record["resume"]
        return json.dumps(record, indent=1, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class TrainBC(Cloning, Training):
    """Behavior cloning. data: "forum" (the teacher of the small forum), a .jsonl file or a data set of the Hub with prompt and
    completion.
    """


@dataclass(frozen=True, kw_only=True)
class TrainReward(Reward, Training):
    """A reward model on the trunk of a language model. data: comparisons: a .jsonl file, a Label Studio export (.json), or a data
    set of the Hub with prompt, chosen and rejected.
    """


@dataclass(frozen=True, kw_only=True)
class TrainDPO(DPO, Training):
    """DPO, IPO or KTO; the model is its own reference. data: comparisons, as for the reward model. beta: the price of a nat of
    KL over the annotator's temperature.
    """

    beta: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Online(Training):
    """reward: the folder of a reward model, or "gold" (small forum only). beta: the price of a nat of KL in units of the reward."""

    reward: str
    beta: float = 0.1
    max_new_tokens: int = 44


@dataclass(frozen=True, kw_only=True)
class TrainPPO(PPO, Online):
    """PPO; the model is its own reference. data: "forum", a .jsonl file or a data set of the Hub with prompt."""


@dataclass(frozen=True, kw_only=True)
class TrainGRPO(GRPO, Online):
    """GRPO; the model is its own reference. data: "forum", a .jsonl file or a data set of the Hub with prompt."""


STAGE_OF = {"bc": "clone", "reward": "reward", "ppo": "ppo", "dpo": "dpo", "grpo": "grpo"}
# What takes less memory; a micro-batch changes nothing else.
SMALLER = {verb: "--micro-batch" for verb in ("bc", "reward", "dpo")}
SMALLER |= {
    "ppo": "--minibatch, --prompts or --answers, or set --shared",
    "grpo": "--minibatch, --prompts or --answers",
}
AGAIN = (
    "its checkpoints are kept, and the same words with --resume go on from there; a micro-batch may be another one then"
)
VERBS = {"bc": TrainBC, "reward": TrainReward, "ppo": TrainPPO, "dpo": TrainDPO, "grpo": TrainGRPO}


def main(arguments: Sequence[str]) -> int:
    """Train what the first argument says, and print where the model is."""
    verb, *rest = arguments or [""]
    if verb in ("-h", "--help"):
        print(help_text())
        return 0
    if verb not in VERBS:
        raise ValueError(f"train: give one of {', '.join(VERBS)}, then its settings (--help lists both); got {verb!r}.")
    settings = tyro.cli(VERBS[verb], args=rest, prog=f"rlhw train {verb}")
    check_numbers(settings)
    memory.check(run_like(verb, settings), print if is_main() else str, {STAGE_OF[verb]: SMALLER[verb]})
    here = host(settings.device, settings.precision)
    folder = open_run(settings.out, settings.as_json(), settings.resume, here)
    if finished(folder) is None:
        if here.main and here.accelerator is not None:
            print(here.words)
        job = Job(folder, here, settings.seed, bar(verb) if here.main else silent)
        with memory.enough(f"train {verb}", SMALLER[verb], AGAIN):
            done = run(verb, settings, job)
        if here.main:
            if done.get("skipped"):
                print(f"{done['skipped']} steps were not taken, because a gradient was too large for fp16.")
            write_whole(folder / "done.json", json.dumps(done))
    if here.main:
        print(f"model: {folder / 'model'}")
    return 0


def help_text() -> str:
    """The verbs, each with the first sentence that its settings say of it."""
    said = {verb: kind.__doc__.partition(". ")[0].rstrip(".") for verb, kind in VERBS.items()}
    lines = ["usage: rlhw train VERB [OPTIONS]", "", *(f"  {verb:8}{sentence}" for verb, sentence in said.items()), ""]
    return "\n".join([*lines, "rlhw train VERB --help lists the settings of one."])


def run_like(verb: str, settings: Training) -> Settings:
    """The run that has this training as a stage, for the estimate of its memory."""
    kind = {"bc": Clone, "reward": Reward, "ppo": PPO, "dpo": DPO, "grpo": GRPO}[verb]
    given = {one.name: getattr(settings, one.name) for one in dataclasses.fields(kind) if hasattr(settings, one.name)}
    if verb == "bc" and settings.data != FORUM:
        given["answers"] = 1
    return Settings(
        model=settings.model, device=settings.device, context=settings.context, compare=Compare(answers=2),
        max_new_tokens=getattr(settings, "max_new_tokens", Settings.max_new_tokens), **{STAGE_OF[verb]: kind(**given)},
    )  # fmt: skip


def run(verb: str, settings: Training, job: Job) -> dict:
    """The job of this verb, with its data read."""
    model, tokenizer = load(settings.model)
    check_context(model, settings.context)
    if verb == "bc":
        return jobs.bc(job, model, tokenizer, _demonstrations(settings, tokenizer), settings)
    if verb in ("reward", "dpo"):
        compared = _votes(settings, tokenizer, print if job.host.main else str)
        if verb == "reward":
            return jobs.reward(job, model.base_model, tokenizer, compared, settings)
        return jobs.dpo(job, model, tokenizer, compared, settings, beta=settings.beta)
    train = jobs.ppo if verb == "ppo" else jobs.grpo
    return train(
        job, model, tokenizer, _prompts(settings, tokenizer), _reward(settings, model, tokenizer, job.host), settings,
        beta=settings.beta, max_new_tokens=settings.max_new_tokens,
    )  # fmt: skip


def _demonstrations(settings: TrainBC, tokenizer: Callable) -> Batch:
    if settings.data == FORUM:
        rng = np.random.default_rng(settings.seed)
        return Forum(tokenizer, settings.context).demonstrations(Clone.posts, Clone.answers, "train", rng)
    return collate(read_texts(settings.data), tokenizer, settings.context)


def _votes(settings: TrainReward | TrainDPO, tokenizer: Callable, say: Callable[[str], None]) -> tuple[Batch, Tensor]:
    comparisons, words = read_comparisons(settings.data)
    kept, left_out = fitting(comparisons, tokenizer, settings.context)
    say(f"data: {words}; {left_out}.")
    return votes(kept, tokenizer, settings.context)


def _prompts(settings: TrainPPO | TrainGRPO, tokenizer: Callable) -> tuple[Tensor, Tensor]:
    if settings.data == FORUM:
        rng, count = (np.random.default_rng(settings.seed), settings.rollouts * settings.prompts)
        texts = Forum(tokenizer, settings.context).prompts(count, "train", rng)
    else:
        texts = [record["prompt"] for record in read_texts(settings.data, answered=False)]
    return collate_prompts(texts, tokenizer, settings.context - settings.max_new_tokens)


def _reward(settings: Online, policy: nn.Module, tokenizer: Callable, here: Host) -> Callable[[Batch], Tensor]:
    if settings.reward == GOLD:
        if settings.data != FORUM:
            raise ValueError(
                f"reward: gold knows the small forum alone; give --data {FORUM}, or the folder of a reward model."
            )
        return Forum(tokenizer, settings.context).gold()
    model = RewardModel.from_pretrained(settings.reward)
    if (size := model.trunk.config.vocab_size) != policy.config.vocab_size:
        # Token numbers of one vocabulary mean nothing in another, and would be scored all the same.
        raise ValueError(
            f"reward: its model has a vocabulary of {size} and the policy one of {policy.config.vocab_size}; train it on the "
            "policy's own trunk."
        )
    return here.wrap(model, learns=False)
