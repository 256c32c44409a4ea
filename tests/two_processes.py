"""Three steps of each training loop, in one process or as one of several: `python tests/two_processes.py FILE`.

Under `python -m torch.distributed.run` each process takes its share of the prompts, with DDP around the models and
accelerate's Accelerator as the engine. The first process writes weights and figures. All is in float64.
With `alone` as a second argument nothing is reduced over the processes: a mutant.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from small_models import EOS, gpt2, random_batch, random_wins

from rlhw.behavior_cloning import CloningConfig, train_bc
from rlhw.dpo import DPOConfig, reference_logprobs, train_dpo
from rlhw.grpo import GRPOConfig, train_grpo
from rlhw.logprobs import masked_sum
from rlhw.ppo import AdaptiveKL, PPOConfig, ValueModel, train_ppo
from rlhw.reward_model import RewardConfig, RewardModel, train_reward_model

PROMPTS, K, NEW, STEPS = 6, 3, 5, 3


def reward(batch) -> torch.Tensor:
    """Any function of the answer's tokens will do."""
    return masked_sum((batch.responses * 0.37).sin().double(), batch.response_mask)


class Alone(Accelerator):
    """A mutant: counts and moments are those of one process."""

    def reduce(self, tensor: torch.Tensor, reduction: str) -> torch.Tensor:
        return tensor


def three_steps(loop: str, engine: Accelerator) -> dict[str, torch.Tensor]:
    """Weights and figures of one loop."""
    rank, world = engine.process_index, engine.num_processes
    mine = slice(rank * PROMPTS // world, (rank + 1) * PROMPTS // world)

    def wrapped(model: nn.Module) -> nn.Module:
        return nn.parallel.DistributedDataParallel(model) if world > 1 else model

    def data(step: int) -> tuple:
        return random_batch(PROMPTS, K, seed=step).rows(mine), random_wins(PROMPTS, K, seed=step)[mine]

    generator = torch.Generator()

    def prompts() -> Iterator[tuple]:
        """Each process skips the numbers of those before it, so that the answers are those of one process."""
        for step in range(STEPS):
            whole = random_batch(PROMPTS, 1, seed=step)
            generator.manual_seed(step)
            torch.rand(mine.start * K, NEW, generator=generator, dtype=torch.float64)
            yield whole.prompts[mine], whole.prompt_mask[mine]

    policy, reference = gpt2(seed=1).double(), gpt2(seed=2).double()
    models, config = {"policy": policy}, {"max_new_tokens": NEW, "eos_id": EOS, "k": K, "epochs": 2}
    if loop == "reward":
        models = {"policy": RewardModel(policy.transformer)}
    if loop == "ppo":
        models["value"] = ValueModel(gpt2(seed=3).double().transformer)
    optimizer = torch.optim.SGD([p for model in models.values() for p in model.parameters()], lr=0.05)
    ready = [wrapped(model) for model in models.values()]
    online = {"generator": generator, "kl": AdaptiveKL(0.1, target=0.5, horizon=50.0), "engine": engine}
    steps = {
        "bc": lambda: train_bc(*ready, (data(s)[0] for s in range(STEPS)), optimizer, CloningConfig(), engine=engine),
        "reward": lambda: train_reward_model(
            *ready, (data(s) for s in range(STEPS)), optimizer, RewardConfig(micro_batch=2), engine=engine
        ),
        "dpo": lambda: train_dpo(
            *ready, ((*data(s), reference_logprobs(reference, [data(s)[0]])) for s in range(STEPS)), optimizer,
            DPOConfig(beta=0.5), engine=engine,
        ),
        "grpo": lambda: train_grpo(*ready, reference, reward, prompts(), optimizer, GRPOConfig(**config), **online),
        "ppo": lambda: train_ppo(*ready, reference, reward, prompts(), optimizer, PPOConfig(**config), **online),
    }  # fmt: skip
    figures = list(steps[loop]())
    tensors = {f"{name}.{n}": p.detach() for name, model in models.items() for n, p in model.named_parameters()}
    tensors |= {f"figures.{name}": torch.tensor([f[name] for f in figures]) for name in figures[0]}
    counts = engine.gather(torch.tensor([float(data(0)[0].response_mask.sum())])).tolist()
    assert len(set(counts)) == world, f"the processes should have different numbers of real tokens; they have {counts}"
    return {f"{loop}/{name}": tensor.clone().contiguous() for name, tensor in tensors.items()}


def main(path: str, mutant: str = "") -> None:
    engine = (Alone if mutant == "alone" else Accelerator)(cpu=True)
    tensors = {}
    for loop in ("bc", "reward", "dpo", "grpo", "ppo"):
        tensors |= three_steps(loop, engine)
    if engine.is_main_process:
        save_file(tensors, path)
    engine.end_training()


if __name__ == "__main__":
    main(*sys.argv[1:])
