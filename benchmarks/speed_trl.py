"""TRL's and Hugging Face's side of the speed comparisons, each at its best setting.

DPO: reference log-probabilities precomputed, under the clock; padding to the longest of the batch. All: tokens ready before the
clock starts, no logging, no checkpoints, no progress bars, no reports, no gradient checkpointing, no dropout, AdamW in one fused
kernel, gradients clipped to norm 1 as ours are. `padding_free` needs Flash Attention and a GPU; in 1.16 DPO falls back
from it. Metrics that a trainer works out at each step whether or not it logs them are part of its step, as ours are of ours.
"""

import copy
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PrinterCallback, Trainer

from benchmarks.speed_setup import (
    BETA,
    CLIP,
    ROLLOUT_K,
    SAMPLING_K,
    Clock,
    Prompts,
    Rollouts,
    Run,
    Setup,
    Votes,
)
from benchmarks.speed_witnesses import (
    dpo_loss_of,
    reward_loss_of,
    sampled_witnesses,
    surrogate_of,
    trained_witnesses,
)
from benchmarks.trl_parity import secluded
from rlhw.batches import Batch
from rlhw.grpo import rloo_advantages
from rlhw.reward_model import RewardModel
from rlhw.rollouts import Rollout

# TRL 1.16 asks transformers by a name that is on its way out.
NOT_OURS = ".*is_gradient_checkpointing. is deprecated"


@contextmanager
def quiet_folder() -> Iterator[Path]:
    """A temporary folder for what the trainers write; no network, no progress bars, and not the warnings that TRL causes."""
    with secluded() as folder, mock.patch.dict(os.environ, TQDM_DISABLE="1"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", NOT_OURS, FutureWarning)
        yield folder


def dpo(setup: Setup, data: Votes, folder: Path) -> Run:
    """The clock runs while the trainer is made, for the reference's log-probabilities only, and while it trains."""
    from trl import DPOConfig, DPOTrainer

    rows, clock = pairs(*data.train), Clock(setup.device)
    settings = DPOConfig(**_settings(setup, data, rows, folder), beta=BETA, precompute_ref_log_probs=True)
    precompute = DPOTrainer._precompute_ref_logps

    def timed(*arguments: object) -> object:
        with clock:
            return precompute(*arguments)

    # Its `_prepare_dataset` would tokenise texts: the rows hold tokens.
    ready = {"_prepare_dataset": lambda self, dataset, *_: dataset, "_precompute_ref_logps": timed}
    models = copy.deepcopy(data.start), copy.deepcopy(data.reference)
    with mock.patch.multiple(DPOTrainer, **ready):
        trainer = DPOTrainer(*models, settings, train_dataset=_dataset(rows), processing_class=setup.tokenizer)
    first = _train(trainer, clock)
    return Run(len(rows), clock, trained_witnesses(first, dpo_loss_of, data, trainer.model))


def reward(setup: Setup, data: Votes, folder: Path) -> Run:
    from trl import RewardConfig, RewardTrainer

    rows, clock = pairs(*data.train), Clock(setup.device)
    settings = RewardConfig(**_settings(setup, data, rows, folder))
    whole = [{name: row["prompt_ids"] + row[name] for name in ("chosen_ids", "rejected_ids")} for row in rows]
    trainer = RewardTrainer(
        classifier(data.start), settings, train_dataset=_dataset(whole), processing_class=setup.tokenizer
    )
    first = _train(trainer, clock)
    return Run(len(rows), clock, trained_witnesses(first, reward_loss_of, data, trainer.model))


def grpo_update(setup: Setup, data: Rollouts, folder: Path) -> Run:
    """GRPOTrainer.train as it is, β = 0; in place of generating and scoring it is handed the ready rollouts.

    Its loss dr_grpo divides the sum over tokens by a constant, `max_completion_length`: with 1 it is ours. It gives the model no
    position ids, with which left padding would move GPT-2's positions: so the prompts of a rollout have one length.
    """
    from trl import GRPOConfig, GRPOTrainer

    answers, clock = data.train[0].scores.numel(), Clock(setup.device)
    loss = {"loss_type": "dr_grpo", "max_completion_length": 1, "epsilon": CLIP, "beta": 0.0}
    settings = GRPOConfig(**_common(setup, folder, answers), **loss, num_generations=ROLLOUT_K)
    trainer = GRPOTrainer(
        copy.deepcopy(data.start), lambda **_: [], settings, processing_class=setup.tokenizer,
        train_dataset=_dataset([{"prompt": ""}] * (setup.steps * answers // ROLLOUT_K)),
    )  # fmt: skip
    handed = iter([_flat(rollout) for rollout in data.train])
    trainer._generate_and_score_completions = lambda _: next(handed)
    first = _train(trainer, clock)
    return Run(setup.steps * answers, clock, trained_witnesses(first, surrogate_of, data, trainer.model))


def sampling(setup: Setup, data: Prompts, folder: Path) -> Run:
    """With each of its caches, the dynamic and the static one; the faster run counts."""
    return max((_sampled(setup, data, cache) for cache in ("dynamic", "static")), key=lambda run: run.rate)


def _sampled(setup: Setup, data: Prompts, cache: str) -> Run:
    eos_id, clock = setup.tokenizer.eos_token_id, Clock(setup.device)
    law = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "num_return_sequences": SAMPLING_K}
    torch.manual_seed(data.seed)
    with clock, torch.no_grad():
        tokens = data.model.generate(
            data.tokens, attention_mask=data.mask.long(), **law, cache_implementation=cache,
            max_new_tokens=setup.max_new_tokens, eos_token_id=eos_id, pad_token_id=setup.tokenizer.pad_token_id,
        )  # fmt: skip
    answers = tokens[:, data.tokens.shape[1] :].unflatten(0, (-1, SAMPLING_K))
    ended = (answers == eos_id).long().cumsum(-1)
    batch = Batch(data.tokens, data.mask, answers, (ended - (answers == eos_id).long()) == 0)
    return Run(int(batch.response_mask.sum()), clock, sampled_witnesses(data.model, batch))


def pairs(batch: Batch, wins: Tensor) -> list[dict[str, list[int]]]:
    """One row of tokens a vote, prompt by prompt: K answers with all their comparisons are K (K - 1)/2 rows."""
    prompts = [row[real].tolist() for row, real in zip(batch.prompts, batch.prompt_mask, strict=True)]
    answers = [
        [row[real].tolist() for row, real in zip(rows, masks, strict=True)]
        for rows, masks in zip(batch.responses, batch.response_mask, strict=True)
    ]
    return [
        {"prompt_ids": prompts[b], "chosen_ids": answers[b][i], "rejected_ids": answers[b][j]}
        for b, i, j in wins.nonzero().tolist()
    ]


def classifier(model: RewardModel) -> nn.Module:
    """A copy of the reward model as the sequence classifier that TRL trains."""
    model = copy.deepcopy(model)
    model.trunk.config.num_labels = 1
    with torch.device("meta"):
        found = AutoModelForSequenceClassification.from_config(model.trunk.config)
    setattr(found, found.base_model_prefix, model.trunk)
    found.score = model.score
    return found


def _flat(rollout: Rollout) -> dict[str, Tensor]:
    """A rollout as GRPOTrainer keeps it: a row an answer, its prompt beside it."""
    batch, k = rollout.batch, rollout.scores.shape[1]
    first = int((~batch.prompt_mask.any(0)).sum())
    length = int(batch.response_mask.sum(-1).max())
    answers = {"completion_ids": batch.responses, "completion_mask": batch.response_mask.long()}
    answers |= {"old_per_token_logps": rollout.logprobs}
    rows = {name: value.flatten(0, 1)[:, :length] for name, value in answers.items()}
    prompts = {"prompt_ids": batch.prompts, "prompt_mask": batch.prompt_mask.long()}
    rows |= {name: value[:, first:].repeat_interleave(k, 0) for name, value in prompts.items()}
    return rows | {
        "advantages": rloo_advantages(rollout.scores).flatten(), "num_items_in_batch": batch.response_mask.sum(),
    }  # fmt: skip


def _settings(setup: Setup, data: Votes, rows: list, folder: Path) -> dict:
    return _common(setup, folder, len(rows) // setup.steps) | {"max_length": None}


def _common(setup: Setup, folder: Path, size: int) -> dict:
    same = {"learning_rate": setup.rate, "weight_decay": 0.0, "lr_scheduler_type": "constant", "max_grad_norm": 1.0}
    best = {
        "bf16": setup.bf16,
        "activation_checkpointing": False,
        "optim": "adamw_torch_fused",
        "disable_dropout": True,
    }
    silent = {"report_to": "none", "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True}
    lean = {"logging_nan_inf_filter": False, "dataloader_pin_memory": setup.device == "cuda"}
    order = {"max_steps": setup.steps, "per_device_train_batch_size": size, "train_sampling_strategy": "sequential"}
    return {"output_dir": str(folder), "use_cpu": setup.device == "cpu"} | same | best | silent | lean | order


def _dataset(rows: list[dict]) -> object:
    from datasets import Dataset

    return Dataset.from_list(rows)


def _train(trainer: Trainer, clock: Clock) -> float:
    """Train under the clock, and return the loss of the first step; it is read where the trainer hands it on."""
    trainer.remove_callback(PrinterCallback)
    step: Callable = trainer.training_step
    losses = []

    def kept(*arguments: object, **named: object) -> Tensor:
        losses.append(step(*arguments, **named))
        return losses[-1]

    trainer.training_step = kept
    with clock:
        trainer.train()
    return float(losses[0])
