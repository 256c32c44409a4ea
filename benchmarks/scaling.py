"""Several processes, precision and pieces on the CPU: `python -m benchmarks.scaling` writes results/scaling.json.

Two gloo processes (`torch.distributed.run`, one thread each) take three steps of each training in float64, with DDP and with
FSDP (`fully_shard`), equal and unequal shares; they are held against one process. The engine that reduces nothing is the control.
What each process holds is counted in tensors. Then, in this process: one step in pieces; log-probabilities and ratios of a policy
with itself under bfloat16; gradients that float16 makes zero; weights that a step does not move. About two minutes.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmarks import scaling_bytes
from benchmarks.tiny_runs import demonstrations
from rlhw import cards
from rlhw.batches import Batch
from rlhw.behavior_cloning import CloningConfig, bc_loss, train_bc
from rlhw.language_model import generate, load
from rlhw.logprobs import masked_sum, response_logprobs
from rlhw.scaling import state_bytes

SCRIPT = Path(__file__).resolve().parents[1] / "tests" / "two_processes.py"
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
LOOPS = {"bc": "cloning", "reward": "reward model", "dpo": "DPO", "grpo": "GRPO", "ppo": "PPO"}
SEEDS, BOUND, CLIP = range(5), 1e-6, 0.2
# Factors of the loss: one that fits this gradient, and the one that torch's scaler begins with.
SCALE, FIRST_SCALE = 2.0**10, 2.0**16
MODULES = [
    "benchmarks.scaling", "benchmarks.scaling_bytes", "tests.two_processes", "tests.small_models", "rlhw.scaling",
    "rlhw.behavior_cloning", "rlhw.reward_model", "rlhw.dpo", "rlhw.grpo", "rlhw.ppo", "rlhw.logprobs", "rlhw.language_model",
]  # fmt: skip


def started(*arguments: str) -> None:
    """A Python process to its end."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")


def apart(one: dict[str, Tensor], other: dict[str, Tensor], loop: str) -> float:
    """The greatest difference of a weight."""
    names = [name for name in one if name.startswith(f"{loop}/") and "/figures." not in name]
    return max(float((one[name] - other[name]).abs().max()) for name in names)


def processes(folder: Path) -> dict[str, dict]:
    """Two processes against one, and the controls."""
    started(str(SCRIPT), str(folder / "one"))
    for mode in ("ddp", "sharded", "uneven", "alone", "uneven-alone"):
        started(*LAUNCH, str(SCRIPT), str(folder / mode), mode)
    one, *rest = (load_file(folder / name) for name in ("one", "ddp", "sharded", "uneven", "alone", "uneven-alone"))
    ddp, sharded, uneven, alone, uneven_alone = rest
    metrics = {}
    for loop, name in LOOPS.items():
        for way, words, found in (("ddp", "DDP", ddp), ("fsdp", "FSDP", sharded)):
            metrics[f"{way}_{loop}"] = at_most(
                f"{name}: weights after 3 steps, two processes ({words}) against one", apart(one, found, loop)
            )
    for loop in ("bc", "dpo"):
        metrics[f"uneven_{loop}"] = at_most(
            f"{LOOPS[loop]}: 4 and 2 prompts a process against one", apart(one, uneven, loop)
        )
        metrics[f"control_{loop}"] = more_than(
            f"{LOOPS[loop]}: 4 and 2 prompts, means averaged", apart(one, uneven_alone, loop)
        )
    metrics["control_ppo"] = more_than("PPO: equal shares, nothing reduced", apart(one, alone, "ppo"))
    return metrics


def at_most(meaning: str, value: float) -> dict:
    return cards.metric(f"{meaning}, greatest difference", value, known=0.0, bound=f"< {BOUND:g}", met=value < BOUND)


def more_than(meaning: str, value: float) -> dict:
    """A control: what is wrong on purpose has to show."""
    bound = 1e-4
    return cards.metric(f"control, {meaning}: greatest difference", value, bound=f"> {bound:g}", met=value > bound)


def memory(folder: Path) -> dict[str, dict]:
    """Bytes a process, counted, beside the formula."""
    started(*LAUNCH, "-m", "benchmarks.scaling", "--bytes", str(folder / "bytes.json"))
    counted = json.loads((folder / "bytes.json").read_text(encoding="utf8"))
    parameters = sum(p.numel() for p in load("tiny")[0].parameters())
    metrics = {}
    for method, parts in counted.items():
        known = state_bytes(parameters, 2, method)
        metrics[f"bytes_{method}"] = cards.metric(
            f"weights, gradients and moments of the tiny model on one of two processes, {method}: counted",
            float(sum(parts)), unit="bytes", known=known, bound="within 1 % of the formula", met=abs(sum(parts) / known - 1) < 0.01,
        )  # fmt: skip
    return metrics


def step_in_pieces(model: nn.Module, batch: Batch) -> float:
    """The greatest difference of a weight after one step: all prompts at once, against pieces of 1 and of 5."""
    ends = []
    for size in (None, 1, 5):
        copied = copy.deepcopy(model).double()
        optimizer = torch.optim.SGD(copied.parameters(), lr=0.1)
        list(train_bc(copied, [batch], optimizer, CloningConfig(micro_batch=size)))
        ends.append(torch.cat([p.detach().flatten() for p in copied.parameters()]))
    return max(float((ends[0] - end).abs().max()) for end in ends[1:])


def half(model: nn.Module, batch: Batch) -> dict[str, float]:
    """A policy with itself: its own answers, log-probabilities in float32 and under bfloat16 autocast, or kept in bfloat16."""
    mask = batch.response_mask
    with torch.no_grad():
        exact = response_logprobs(model, batch)
        with torch.autocast("cpu", torch.bfloat16):
            cast = response_logprobs(model, batch).float()
    kept = masked_sum(exact, mask).bfloat16().float()
    tokens, answers = ((cast - exact)[mask]), masked_sum(cast - exact, mask)
    return {
        "autocast_error": float(tokens.square().mean().sqrt()),
        "autocast_ratio": float((tokens.exp() - 1).abs().max()),
        "autocast_clipped": float(((tokens.exp() - 1).abs() > CLIP).float().mean()),
        "autocast_answer": float((answers.exp() - 1).abs().mean()),
        "kept_answer": float(((kept - masked_sum(exact, mask)).exp() - 1).abs().max()),
    }


def vanished(model: nn.Module, batch: Batch) -> dict[str, float]:
    """The share of a cloning gradient's numbers that float16 makes zero or infinite, as they are and multiplied."""
    model.zero_grad()
    bc_loss(response_logprobs(model, batch), batch.response_mask).mean().backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    gradient = gradient[gradient != 0]
    scaled = (SCALE * gradient).half()
    return {
        "vanished": float((gradient.half() == 0).float().mean()),
        "vanished_scaled": float((scaled == 0).float().mean()),
        "overflowed_scaled": float(scaled.isinf().float().mean()),
        "overflowed_first": float((FIRST_SCALE * gradient).half().isinf().float().mean()),
    }


def unmoved(model: nn.Module, batch: Batch) -> dict[str, float]:
    """The share of weights with a gradient that a step of Adam at 1e-5 leaves as they are, in bfloat16 and in float32."""
    shares = {}
    for name, dtype in (("unmoved_bfloat16", torch.bfloat16), ("unmoved_float32", torch.float32)):
        copied = copy.deepcopy(model).to(dtype)
        before = [p.detach().clone() for p in copied.parameters()]
        optimizer = torch.optim.Adam(copied.parameters(), lr=1e-5)
        bc_loss(response_logprobs(copied, batch).float(), batch.response_mask).mean().backward()
        optimizer.step()
        pairs = list(zip(before, copied.parameters(), strict=True))
        still = sum(int(((old == new) & (new.grad != 0)).sum()) for old, new in pairs)
        shares[name] = still / sum(int((new.grad != 0).sum()) for _, new in pairs)
    return shares


def one_seed(seed: int) -> dict[str, float]:
    model, tokenizer = load("tiny")
    taught = demonstrations(12, 4, "train", seed, tokenizer).batch
    own, _ = generate(
        model, taught.prompts, taught.prompt_mask, k=8, max_new_tokens=30, eos_id=tokenizer.eos_token_id,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    found = (
        {"pieces": step_in_pieces(model, taught)} | half(model, own) | vanished(model, taught) | unmoved(model, taught)
    )
    print(f"seed {seed}  " + "  ".join(f"{name} {value:.3g}" for name, value in found.items()), flush=True)
    return found


MEANINGS = {
    "pieces": ("cloning, one step: pieces of 1 and of 5 prompts against 12 at once, greatest difference of a weight", "1"),
    "autocast_error": ("log-probability of a token under bfloat16 autocast against float32, root of the mean square", "nats"),
    "autocast_ratio": ("ratio of a policy with itself, bfloat16 autocast over float32: the token furthest from 1", "1"),
    "autocast_clipped": ("tokens whose ratio with themselves is outside 1 ± 0.2, bfloat16 autocast over float32", "1"),
    "autocast_answer": ("ratio of a whole answer with itself, bfloat16 autocast over float32: mean distance from 1", "1"),
    "kept_answer": ("ratio of an answer with itself, its log-probability kept in bfloat16: the answer furthest from 1", "1"),
    "vanished": ("numbers of a cloning gradient that float16 makes 0", "1"),
    "vanished_scaled": ("the same, the loss multiplied by 2^10", "1"),
    "overflowed_scaled": ("numbers of it that are then infinite", "1"),
    "overflowed_first": ("numbers of it that are infinite with 2^16", "1"),
    "unmoved_bfloat16": ("weights in bfloat16 with a gradient that a step of Adam at 1e-5 does not move", "1"),
    "unmoved_float32": ("the same in float32", "1"),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--bytes", type=Path, help="as one of several processes: count what it holds, and write this file"
    )
    counted = parser.parse_args().bytes
    torch.set_num_threads(1)
    if counted:
        scaling_bytes.count(counted)
        return 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        metrics = processes(Path(place)) | memory(Path(place))
    runs = [one_seed(seed) for seed in SEEDS]
    for name, (meaning, unit) in MEANINGS.items():
        values = [run[name] for run in runs]
        metrics[name] = cards.metric(meaning, values, unit=unit)
        if name == "pieces":
            metrics[name] |= {"bound": f"< {BOUND:g}, every seed", "met": bool(np.max(values) < BOUND)}
    cards.write(
        "scaling", "Two processes against one, and numbers of 16 bits, on the CPU", metrics,
        seconds=time.perf_counter() - start, command="python -m benchmarks.scaling", modules=MODULES,
    )  # fmt: skip
    return 0 if cards.report("scaling") else 1


if __name__ == "__main__":
    sys.exit(main())
