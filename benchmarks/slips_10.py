"""The slips of chapter 10, measured: `python -m benchmarks.slips_10` writes results/slips_10.json."""

from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from accelerate.commands import launch
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.scheduler import AcceleratedScheduler
from torch.distributed.run import config_from_args, parse_args
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.slips import Slip, write_card
from rlhw.scaling import global_mean, operations_a_token, utilisation
from rlhw.training import warmup_decay

SEED = 10
# Process 0 has one answer, process 1 has three: what each answer's gradient says of one parameter.
SHARES = [np.array([6.0]), np.array([1.0, 2.0, 3.0])]
SAMPLES, PROCESSES = 8, 4


def ranks(mean: Callable) -> float:
    """The gradient of one parameter, from the sums and counts of two processes."""
    return float(
        mean(np.array([[part.sum()] for part in SHARES]), np.array([float(len(part)) for part in SHARES])).item()
    )


def in_pieces(weigh: Callable) -> float:
    """The loss of ten answers in pieces of 4, 4 and 2; the hard ones stand last."""
    losses = np.array([1.0] * 8 + [6.0] * 2)
    pieces = [losses[:4], losses[4:8], losses[8:]]
    return float(sum(weigh(piece, len(pieces), len(losses)) for piece in pieces))


def ratio(keep: Callable) -> float:
    """π/π_old of an answer whose log-probability goes from -30.05 to -30.07."""
    old, new = (keep(torch.tensor(value, dtype=torch.float64)).double() for value in (-30.05, -30.07))
    return float((new - old).exp())


def rate_after_ten(prepared: bool) -> float:
    """The factor of the learning rate after 10 of 40 steps on two processes."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = LambdaLR(optimizer, warmup_decay(2, 40))
    one = mock.Mock(num_processes=2)
    with (
        mock.patch("accelerate.scheduler.AcceleratorState", return_value=one),
        mock.patch("accelerate.scheduler.GradientState"),
    ):
        if prepared:
            with mock.patch("accelerate.optimizer.AcceleratorState"), mock.patch("accelerate.optimizer.GradientState"):
                wrapped = AcceleratedOptimizer(optimizer, device_placement=False)
            wrapped._is_overflow = wrapped._accelerate_step_called = False
            schedule = AcceleratedScheduler(schedule, wrapped)
        for _ in range(10):
            optimizer.step()
            schedule.step()
    return float(optimizer.param_groups[0]["lr"])


def effective(seeds: Callable) -> float:
    """How many independent answers the mean over four processes of eight each is worth: variance of one over variance of it."""
    means = []
    for run in range(1500):
        rewards = [np.random.default_rng((SEED, run, seed)).standard_normal(SAMPLES) for seed in seeds(PROCESSES)]
        means.append(np.mean(rewards))
    return float(1 / np.var(means))


def started(command: Callable) -> float:
    """How many processes a command line starts."""
    return float(command())


def by_accelerate() -> int:
    """What `accelerate launch --cpu --num_processes 2 train.py` comes to: nothing is started here."""
    arguments = launch.launch_command_parser().parse_args(["--cpu", "--num_processes", "2", "train.py"])
    several = ("multi_gpu_launcher", "deepspeed_launcher", "sagemaker_launcher", "tpu_launcher", "tpu_pod_launcher")
    with mock.patch.object(launch, "simple_launcher") as alone, mock.patch.multiple(launch, **dict.fromkeys(several)):
        launch.launch_command(arguments)
    return 1 if alone.called else 2


def by_torch() -> int:
    """What `python -m torch.distributed.run --nproc-per-node 2 train.py` comes to."""
    config, *_ = config_from_args(parse_args(["--nproc-per-node", "2", "train.py"]))
    return config.max_nodes * config.nproc_per_node


def logged(mean: Callable) -> float:
    """The loss in nats a token of the same two answers, the long one easy: one on each of two processes."""
    return float(mean([np.full(40, 1.0), np.full(4, 5.0)]))


def moved(weight: torch.Tensor) -> float:
    """Where a weight of 1 is after a thousand steps of +0.001."""
    for _ in range(1000):
        weight = weight + torch.tensor(0.001, dtype=weight.dtype)
    return float(weight)


def share_of_peak(count: Callable) -> float:
    """MFU of a step of one second on 64 rows padded to 512 tokens, of which half are padding; a peak of 10^14 operations."""
    operations = operations_a_token(124_000_000, layers=12, width=768, context=128)
    return utilisation(count(64 * 512, 64 * 256), 1.0, operations, 1e14)


SLIPS = {
    "rank_means": Slip(
        "gradient from one answer on one process and three on another: mean of the means (right: mean over all answers)",
        ranks, wrong=lambda sums, counts: np.mean(sums / counts[:, None], axis=0), right=global_mean,
    ),
    "piece_means": Slip(
        "loss of ten answers in pieces of 4, 4 and 2: mean of the pieces' means (right: sum over the count of all)",
        in_pieces, wrong=lambda piece, pieces, count: piece.mean() / pieces, right=lambda piece, pieces, count: piece.sum() / count,
        unit="nats",
    ),
    "bfloat16_logprobs": Slip(
        "ratio of an answer whose log-probability goes from -30.05 to -30.07: kept in bfloat16 (right: in float32)",
        ratio, wrong=lambda x: x.bfloat16(), right=lambda x: x.float(),
    ),
    "prepared_scheduler": Slip(
        "factor of the learning rate after 10 of 40 steps on two processes: scheduler prepared by accelerate (right: as it is)",
        rate_after_ten, wrong=True, right=False,
    ),
    "same_seed": Slip(
        "independent answers that 4 processes with 8 each are worth: all with one seed (right: a seed each)",
        effective, wrong=lambda count: [0] * count, right=lambda count: range(count),
    ),
    "one_process_on_the_cpu": Slip(
        "processes that `accelerate launch --cpu --num_processes 2` starts (right: torch.distributed.run --nproc-per-node 2)",
        started, wrong=by_accelerate, right=by_torch,
    ),
    "loss_of_a_split": Slip(
        "logged loss of the same two answers, one a process: mean of the processes' token means (right: over all tokens)",
        logged, wrong=lambda parts: np.mean([part.mean() for part in parts]), right=lambda parts: np.concatenate(parts).mean(),
        unit="nats a token",
    ),
    "weights_in_bfloat16": Slip(
        "a weight of 1 after a thousand steps of +0.001: in bfloat16 (right: in float32)",
        moved, wrong=torch.tensor(1.0, dtype=torch.bfloat16), right=torch.tensor(1.0),
    ),
    "padding_counted": Slip(
        "MFU of a step on rows that are half padding: padded tokens counted (right: useful tokens)",
        share_of_peak, wrong=lambda padded, useful: padded, right=lambda padded, useful: useful,
    ),
}  # fmt: skip

if __name__ == "__main__":
    write_card(
        "10", "The slips of chapter 10, measured", SLIPS, ["rlhw.scaling", "rlhw.training", "benchmarks.slips_10"]
    )
