"""The same experiment twice, in our lines and in TRL's: DPO on the same pairs, GRPO on the same prompts. Chapter 10 prints them.

Each function trains the model it is given and returns the loss of each step. The settings say the same thing in both languages
wherever both can say it; chapter 10's table says where they cannot.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from rlhw.batches import collate, collate_prompts
from rlhw.dpo import DPOConfig, reference_logprobs, train_dpo
from rlhw.grpo import GRPOConfig, train_grpo
from rlhw.ppo import FixedKL
from rlhw.rollouts import text_reward

Pairs, Score = list[dict[str, str]], Callable[[str, str], float]


def dpo_ours(model: nn.Module, reference: nn.Module, tokenizer: Callable, pairs: Pairs, steps: int) -> list[float]:
    # prompt, chosen, rejected: two answers a prompt, and the first has all votes.
    batch = collate(pairs, tokenizer, max_length=160)
    wins = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).expand(len(pairs), 2, 2)
    data = [(batch, wins, reference_logprobs(reference, [batch]))] * steps
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0)
    trained = train_dpo(model, data, optimizer, DPOConfig(beta=0.5))
    return [figures["loss"] for figures in trained]


def dpo_trl(
    model: nn.Module, reference: nn.Module, tokenizer: Callable, pairs: Pairs, steps: int, folder: Path
) -> list[float]:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    settings = DPOConfig(
        beta=0.5,
        loss_type=["sigmoid"],
        max_length=160,
        per_device_train_batch_size=len(pairs),
        num_train_epochs=steps,
        **alike(folder),
    )
    data = {"train_dataset": Dataset.from_list(pairs), "processing_class": tokenizer}
    trainer = DPOTrainer(model, reference, settings, **data)
    trainer.train()
    return losses(trainer)


def grpo_ours(
    model: nn.Module, reference: nn.Module, tokenizer: Callable, prompts: Sequence[str], score: Score, steps: int
) -> list[float]:
    config = GRPOConfig(
        k=8,
        max_new_tokens=24,
        eos_id=tokenizer.eos_token_id,
        epochs=2,
        clip=0.2,
    )
    data = [collate_prompts(prompts, tokenizer, max_length=136)] * steps
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0)
    reward = text_reward(score, tokenizer)
    online = {"generator": torch.Generator().manual_seed(0), "kl": FixedKL(0.1)}
    trained = train_grpo(model, reference, reward, data, optimizer, config, **online)
    return [figures["policy_loss"] for figures in trained]


def grpo_trl(
    model: nn.Module, tokenizer: Callable, prompts: Sequence[str], score: Score, steps: int, folder: Path
) -> list[float]:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    def reward(prompts: list[str], completions: list[str], **_: object) -> list[float]:
        return [score(*both) for both in zip(prompts, completions, strict=True)]

    settings = GRPOConfig(
        num_generations=8,
        max_completion_length=24,
        num_iterations=2,
        epsilon=0.2,
        beta=0.1,
        scale_rewards="none",
        loss_type="dr_grpo",
        per_device_train_batch_size=8 * len(prompts),
        max_steps=2 * steps,
        **alike(folder),
    )
    rows = Dataset.from_list([{"prompt": prompt} for prompt in prompts])
    data = {"train_dataset": rows, "processing_class": tokenizer}
    trainer = GRPOTrainer(model, reward, settings, **data)
    trainer.train()
    return losses(trainer)


def alike(folder: Path) -> dict[str, object]:
    """The optimizer's settings as ours, on the CPU in float32; each step is logged, nothing is reported or saved."""
    return {
        "learning_rate": 1e-4, "lr_scheduler_type": "constant", "weight_decay": 0.0, "max_grad_norm": 1.0, "use_cpu": True,
        "bf16": False, "activation_checkpointing": False, "output_dir": str(folder), "logging_steps": 1, "report_to": "none",
        "save_strategy": "no", "disable_tqdm": True,
    }  # fmt: skip


def losses(trainer: object) -> list[float]:
    """The loss of each step, as the trainer logged it."""
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
