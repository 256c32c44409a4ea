"""The speed comparisons on a GPU: `python -m benchmarks.gpu` writes results/gpu.json. GPT-2 124M, bf16, one CUDA device.

The weights are random and so are the tokens, in lengths like those of TL;DR (prompts of 320 to 512, answers of 20 to 53): the
time of a step does not depend on what they say, and nothing is fetched. Both sides train under bf16 autocast with float32
weights and sample from bf16 weights; peak memory is CUDA's own count. Ratios are printed without bounds. The conditions of
`benchmarks.speed` hold with room for bf16, whose numbers have 8 significant bits: first-step losses within 0.05, held-out
losses within 5 %; a comparison that breaks them is void and no card is written.
Without CUDA the same runs toy-sized on the CPU, writes no card, and nothing is claimed.
"""

import sys
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.speed import COMPARISONS, MODULES, SEEDS, all_seeds, entries
from benchmarks.speed_setup import Setup
from benchmarks.speed_trl import quiet_folder
from benchmarks.trl_parity import VOCABULARY, tokenizer
from rlhw import cards
from rlhw.batches import Batch

EOS, PAD = VOCABULARY.index("<eos>"), VOCABULARY.index("<pad>")
ROOM_FOR_BF16 = {"first_loss": 0.05, "held_out_loss": 0.05}


def random_answers(
    seed: int, count: int, k: int, *, prompts: Sequence[int], answers: Sequence[int], words: Sequence[int]
) -> Batch:
    """Random words in random lengths, out of those given; each answer ends with the end-of-sequence token."""
    rng = np.random.default_rng((seed, count, k))
    long, lengths = rng.choice(prompts, count), rng.choice(answers, (count, k))
    prompt_mask = np.arange(max(prompts)) >= max(prompts) - long[:, None]
    column = np.arange(max(answers))
    tokens = np.where(column == lengths[..., None] - 1, EOS, rng.choice(words, (count, k, len(column))))
    parts = rng.choice(words, prompt_mask.shape), prompt_mask, tokens, column < lengths[..., None]
    return Batch(*(torch.from_numpy(part) for part in parts))


def share_of_even(batch: Batch) -> Tensor:
    """A reward that can be learned: ten times the share of an answer's tokens that are even."""
    even = (batch.responses % 2 == 0) & batch.response_mask
    return 10 * even.sum(-1) / batch.response_mask.sum(-1)


def random_gpt2(**sizes: int) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(**sizes, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=EOS, eos_token_id=EOS)
    return GPT2LMHeadModel(config).eval()


def gpt2_124m() -> Setup:
    words = range(len(VOCABULARY), GPT2Config().vocab_size)
    lengths = {"prompts": range(320, 513, 32), "answers": range(20, 54), "words": words}
    return Setup(
        model=random_gpt2, tokenizer=tokenizer(), answers=partial(random_answers, **lengths), reward=share_of_even,
        sizes={2: 16, 4: 4, 8: 4}, steps=10, held_out=16, sampled=64, rate=1e-5, max_new_tokens=53, device="cuda",
        bf16=True, **ROOM_FOR_BF16,
    )  # fmt: skip


def toy() -> Setup:
    """Two layers of width 32, a few tokens: what remains is the code."""
    sizes = {"vocab_size": len(VOCABULARY), "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2}
    lengths = {"prompts": range(4, 9, 4), "answers": range(3, 8), "words": range(EOS)}
    # Large weights: at the usual ones a random model gives every token the same probability.
    return Setup(
        model=partial(random_gpt2, **sizes, initializer_range=0.2), tokenizer=tokenizer(),
        answers=partial(random_answers, **lengths), reward=share_of_even, sizes={2: 8, 4: 4, 8: 2}, steps=3, held_out=16,
        sampled=48, rate=1e-2, max_new_tokens=8, bf16=True, **ROOM_FOR_BF16,
    )  # fmt: skip


def main() -> int:
    start, there = time.perf_counter(), torch.cuda.is_available()
    setup, seeds = (gpt2_124m(), SEEDS) if there else (toy(), SEEDS[:1])
    if not there:
        print("no GPU: toy sizes, nothing is claimed")
    with quiet_folder() as folder:
        found = {name: all_seeds(one, setup, seeds, folder) for name, one in COMPARISONS.items()}
    void = [name for name, outcomes in found.items() if any(one.faults for one in outcomes)]
    if not there:
        return 0
    if void:
        print(f"VOID: {', '.join(void)}. The sides did not do the same; no card is written.")
        return 1
    metrics = {}
    for name, outcomes in found.items():
        metrics |= entries(name, COMPARISONS[name], outcomes, None)
        for side, peaks in (("ours", [o.our_mb for o in outcomes]), ("theirs", [o.their_mb for o in outcomes])):
            metrics[f"{name}_memory_{side}"] = cards.metric(
                f"{COMPARISONS[name].meaning}: peak of GPU memory, {side}", peaks, unit="MB"
            )
    title = f"Speed on one {torch.cuda.get_device_name()}: GPT-2 124M with random weights, bf16"
    cards.write(
        "gpu", title, metrics, seconds=time.perf_counter() - start, command="python -m benchmarks.gpu",
        modules=[*MODULES, "benchmarks.gpu", "benchmarks.trl_parity"],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
