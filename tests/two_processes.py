"""Three steps of each training loop, in one process or as one of several: `python tests/two_processes.py FILE`.

Under `python -m torch.distributed.run` each process takes its share of the prompts, with DDP around the models and
accelerate's Accelerator as the engine. The first process writes weights and figures. All is in float64.
A second argument changes one thing. `sharded`: torch's `fully_shard` (FSDP) in DDP's place. `uneven`: the first process takes
four of the six prompts, the loops that sample left out. Mutants, where nothing is reduced over the processes: `alone`, and
`uneven-alone`, which averages the means of unequal shares.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

sys.path.insert(0, str(Path(__file__).parent))
from small_models import EOS, gpt2, random_batch, random_wins

from rlhw.behavior_cloning import CloningConfig, train_bc
from rlhw.dpo import DPOConfig, reference_logprobs, train_dpo
from rlhw.grpo import GRPOConfig, train_grpo
from rlhw.logprobs import masked_sum
from rlhw.ppo import AdaptiveKL, PPOConfig, ValueModel, train_ppo
from rlhw.reward_model import RewardConfig, RewardModel, train_reward_model

PROMPTS, K, NEW, STEPS = 6, 3, 5, 3


def reward(batch) -> Tensor:
    """Any function of the answer's tokens will do."""
    return masked_sum((batch.responses * 0.37).sin().double(), batch.response_mask)


class Alone(Accelerator):
    """A mutant: counts and moments are those of one process."""

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        return tensor


class Sharded(Accelerator):
    """The norm of gradients that lie in pieces, as a plain number."""

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor:
        return whole(nn.utils.clip_grad_norm_(parameters, max_norm))


def whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def share(engine: Accelerator, uneven: bool) -> slice:
    """The prompts of this process: as many as any other's, or two thirds and one third."""
    rank, world = engine.process_index, engine.num_processes
    if uneven and world == 2:
        return slice(2 * PROMPTS // 3) if rank == 0 else slice(2 * PROMPTS // 3, PROMPTS)
    return slice(rank * PROMPTS // world, (rank + 1) * PROMPTS // world)


def three_steps(loop: str, engine: Accelerator, wrap: Callable, mine: slice) -> dict[str, Tensor]:
    """Weights and figures of one loop."""

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
    ready = [wrap(model) if engine.num_processes > 1 else model for model in models.values()]
    # After the wrapping: fully_shard puts parameters of its own in the place of a model's.
    optimizer = torch.optim.SGD([p for model in models.values() for p in model.parameters()], lr=0.05)
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
    tensors = {f"{name}.{n}": whole(p.detach()) for name, model in models.items() for n, p in model.named_parameters()}
    tensors |= {f"figures.{name}": torch.tensor([f[name] for f in figures]) for name in figures[0]}
    counts = engine.gather(torch.tensor([float(data(0)[0].response_mask.sum())])).tolist()
    assert len(set(counts)) == engine.num_processes, (
        f"the processes should have different numbers of real tokens; they have {counts}"
    )
    return {f"{loop}/{name}": tensor.clone().contiguous() for name, tensor in tensors.items()}


def main(path: str, mode: str = "") -> None:
    uneven, kinds = mode.startswith("uneven"), {"alone": Alone, "uneven-alone": Alone, "sharded": Sharded}
    engine = kinds.get(mode, Accelerator)(cpu=True)
    wrap = fully_shard if mode == "sharded" else nn.parallel.DistributedDataParallel
    tensors = {}
    for loop in ("bc", "dpo") if uneven else ("bc", "reward", "dpo", "grpo", "ppo"):
        tensors |= three_steps(loop, engine, wrap, share(engine, uneven))
    if engine.is_main_process:
        save_file(tensors, path)
    engine.end_training()


if __name__ == "__main__":
    main(*sys.argv[1:])
