"""Losses and first training steps beside TRL's: `python -m benchmarks.trl_parity` writes results/trl_parity.json.

Both sides start from the same random weights and the same texts. TRL does everything its own way: it adds the end of sequence,
tokenises, masks and pads, and trains with its SFTTrainer and its RewardTrainer. Prints each difference beside its bound, and
ends with exit status 1 when one is SHORT.

TRL's loss in cloning is a mean over tokens; ours is a sum over an answer and then a mean over answers, which is -J_MLE. Ours is
converted before it is compared: nats a token = nats an answer · answers / tokens. The reward losses need no conversion.
"""

import copy
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
import torch
from huggingface_hub import constants
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
)

from rlhw import cards
from rlhw.batches import Batch, collate
from rlhw.behavior_cloning import CloningConfig, bc_loss, train_bc
from rlhw.logprobs import response_logprobs
from rlhw.reward_model import RewardConfig, RewardModel, bradley_terry_loss, last_token, train_reward_model

SEEDS, RECORDS, LONGEST = range(8), 8, 64
VOCABULARY = [*(f"w{number}" for number in range(232)), "<unk>", "<eos>", "<pad>"]
BOUNDS = {"loss": 1e-5, "gradient": 1e-5, "first_step": 1e-4}
MEANINGS = {
    "cloning_loss": "cloning loss, difference from TRL's SFTTrainer.compute_loss, nats a token",
    "cloning_gradient": "gradient of the cloning loss, greatest difference over all weights",
    "cloning_first_step": "loss of the first cloning step, difference from what SFTTrainer.train logs, nats a token",
    "reward_loss": "Bradley-Terry loss, difference from TRL's RewardTrainer.compute_loss, nats a pair",
    "reward_gradient": "gradient of the Bradley-Terry loss, greatest difference over all weights",
    "reward_first_step": "loss of the first reward step, difference from what RewardTrainer.train logs, nats a pair",
}


@dataclass(frozen=True)
class Figures:
    """What one side says of a batch: the loss, its gradient for each parameter, the loss that its training reports at step 1."""

    loss: float
    gradient: tuple[Tensor, ...]
    first_step: float


@dataclass(frozen=True)
class Case:
    """The same texts twice: as a batch for our model, and as the `inputs` that TRL made of them, with TRL's figures."""

    model: nn.Module
    batch: Batch
    inputs: dict[str, Tensor]
    theirs: Figures


@contextmanager
def secluded() -> Iterator[Path]:
    """A temporary folder for what the trainers write; no network, no telemetry, no progress bars. After it all is as before."""
    # TRL takes ten seconds to import, and datasets two: those who only collect the tests should not wait for them.
    import datasets
    from accelerate.state import AcceleratorState

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        # The environment's HF_HUB_OFFLINE=1 would come too late: it is read when huggingface_hub is imported.
        with TemporaryDirectory() as folder, mock.patch.object(constants, "HF_HUB_OFFLINE", True):
            yield Path(folder)
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        if shown:
            datasets.enable_progress_bars()


def records(seed: int, *answers: str) -> list[dict[str, str]]:
    """Random words: prompts of 1 to 12 of them and, in each of the fields `answers`, 1 to 9.

    An answer begins with its space: TRL joins prompt and answer before it tokenises them, we tokenise them apart.
    """
    rng = np.random.default_rng(seed)

    def text(longest: int) -> str:
        return " ".join(f"w{number}" for number in rng.integers(232, size=rng.integers(1, longest + 1)))

    return [{"prompt": text(12)} | {name: f" {text(9)}" for name in answers} for _ in range(RECORDS)]


def tokenizer(pad: str = "<pad>") -> PreTrainedTokenizerFast:
    """One token a word. With `pad="<eos>"` padding looks like the end of sequence, as it does for GPT-2."""
    tokens = {word: number for number, word in enumerate(VOCABULARY)}
    inner = Tokenizer(models.WordLevel(tokens, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<eos>", pad_token=pad)


def small_gpt2(kind: type[PreTrainedModel], seed: int) -> PreTrainedModel:
    """GPT-2 with 2 layers of width 64, no dropout, and weights large enough that every token matters."""
    settings = {"vocab_size": len(VOCABULARY), "n_positions": LONGEST, "n_embd": 64, "n_layer": 2, "n_head": 4}
    settings |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "initializer_range": 0.2, "num_labels": 1}
    eos = VOCABULARY.index("<eos>")
    torch.manual_seed(seed)
    return kind(GPT2Config(**settings, bos_token_id=eos, eos_token_id=eos)).eval()


def trainer_settings(folder: Path) -> dict:
    """One step in float32 on the CPU over all records in their order; no reports, no checkpoints."""
    one_step = {"max_steps": 1, "per_device_train_batch_size": RECORDS, "train_sampling_strategy": "sequential"}
    plain = {"use_cpu": True, "bf16": False, "activation_checkpointing": False, "dataloader_pin_memory": False}
    silent = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True}
    return {"output_dir": str(folder), "logging_steps": 1} | one_step | plain | silent


def trl_figures(trainer: Trainer) -> tuple[dict[str, Tensor], Figures]:
    """The trainer's only batch and what TRL says of it: `compute_loss`, its gradient, and what `train` logs at step 1."""
    trainer.remove_callback(PrinterCallback)
    inputs = dict(next(iter(trainer.get_train_dataloader())))
    # compute_loss writes into what it is given.
    loss = trainer.compute_loss(trainer.model, dict(inputs))
    gradient = torch.autograd.grad(loss, list(trainer.model.parameters()))
    trainer.train()
    logged = {entry["step"]: entry["loss"] for entry in trainer.state.log_history if "loss" in entry}
    return inputs, Figures(loss.item(), gradient, logged[1])


def cloning_case(seed: int, folder: Path, pad: str = "<pad>") -> Case:
    """Prompts with one answer each, and what TRL's SFTTrainer makes of them with the loss on the answers only."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    texts, tokens, model = records(seed, "completion"), tokenizer(pad), small_gpt2(GPT2LMHeadModel, seed)
    settings = SFTConfig(**trainer_settings(folder), completion_only_loss=True)
    data = Dataset.from_list(texts)
    trainer = SFTTrainer(copy.deepcopy(model), settings, train_dataset=data, processing_class=tokens)
    return Case(model, collate(texts, tokens, LONGEST), *trl_figures(trainer))


def reward_case(seed: int, folder: Path, pad: str = "<pad>") -> Case:
    """Prompts with a chosen and a rejected answer, and what TRL's RewardTrainer makes of them."""
    from datasets import Dataset
    from trl import RewardConfig as TrlRewardConfig
    from trl import RewardTrainer

    texts, tokens = records(seed, "chosen", "rejected"), tokenizer(pad)
    classifier = small_gpt2(GPT2ForSequenceClassification, seed)
    settings, data = TrlRewardConfig(**trainer_settings(folder)), Dataset.from_list(texts)
    trainer = RewardTrainer(copy.deepcopy(classifier), settings, train_dataset=data, processing_class=tokens)
    model = RewardModel(classifier.base_model, last_token)
    model.score = classifier.score
    return Case(model, collate(texts, tokens, LONGEST), *trl_figures(trainer))


def cloning_figures(model: nn.Module, batch: Batch) -> Figures:
    """Ours, in TRL's unit: nats a token."""
    model, mask = copy.deepcopy(model), batch.response_mask
    loss = bc_loss(response_logprobs(model, batch), mask).sum() / mask.sum()
    gradient = torch.autograd.grad(loss, list(model.parameters()))
    step = next(train_bc(model, [batch], torch.optim.AdamW(model.parameters()), CloningConfig()))
    return Figures(loss.item(), gradient, step["loss"] * step["answers"] / step["tokens"])


def reward_figures(model: nn.Module, batch: Batch) -> Figures:
    """Ours, in nats a pair: one vote for the first answer of each prompt."""
    model = copy.deepcopy(model)
    loss = bradley_terry_loss(*model(batch).unbind(1)).mean()
    gradient = torch.autograd.grad(loss, list(model.parameters()))
    wins = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).expand(len(batch.prompts), 2, 2)
    step = next(train_reward_model(model, [(batch, wins)], torch.optim.AdamW(model.parameters()), RewardConfig()))
    return Figures(loss.item(), gradient, step["loss"])


def differences(ours: Figures, theirs: Figures) -> dict[str, float]:
    """How far the two sides are apart: in the loss, at most in the gradient of any weight, and in the first step's loss."""
    gradients = zip(ours.gradient, theirs.gradient, strict=True)
    return {
        "loss": abs(ours.loss - theirs.loss),
        "gradient": max(float((our - their).abs().max()) for our, their in gradients),
        "first_step": abs(ours.first_step - theirs.first_step),
    }


def cases(seed: int, folder: Path) -> dict[str, Case]:
    """One case of each kind; the seed is that of the weights, the words and the lengths."""
    return {"cloning": cloning_case(seed, folder), "reward": reward_case(seed, folder)}


def measure(both: dict[str, Case]) -> dict[str, float]:
    """All differences between ours and TRL's in these cases."""
    figures = {"cloning": cloning_figures, "reward": reward_figures}
    found = {}
    for kind, case in both.items():
        apart = differences(figures[kind](case.model, case.batch), case.theirs)
        found |= {f"{kind}_{name}": value for name, value in apart.items()}
    return found


def main() -> int:
    """Measure, write the card, print each difference beside its bound."""
    start = time.perf_counter()
    with secluded() as folder:
        found = [measure(cases(seed, folder)) for seed in SEEDS]
    metrics = {}
    for name, meaning in MEANINGS.items():
        values, bound = [one[name] for one in found], BOUNDS[name.partition("_")[2]]
        met = all(value < bound for value in values)
        print(f"{name}: at most {max(values):.1e} with {len(values)} seeds")
        metrics[name] = cards.metric(meaning, values, bound=f"< {bound:g} with every seed", met=met)
    loops = ["rlhw.batches", "rlhw.behavior_cloning", "rlhw.logprobs", "rlhw.reward_model", "rlhw.training"]
    cards.write(
        "trl_parity",
        f"Losses and first training steps beside those of TRL {metadata.version('trl')}",
        metrics,
        seconds=time.perf_counter() - start,
        command="python -m benchmarks.trl_parity",
        modules=["benchmarks.trl_parity", *loops],
    )
    return 0 if cards.report("trl_parity") else 1


if __name__ == "__main__":
    sys.exit(main())
