"""Pairs to be labelled, from a language model: two answers of it to each prompt."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import nn

from rlhw.batches import answer_texts, collate_prompts
from rlhw.language_model import generate

SAME = "both answers are the same"


def sample_pairs(
    model: nn.Module,
    tokenizer: Callable,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    batch_size: int = 64,
) -> tuple[list[tuple[str, str, str]], Counter[str]]:
    """(pairs (prompt, answer, answer) in the order of the prompts, what was left out by reason).

    Two answers are sampled to each prompt; where both are the same text there is nothing to compare, and the prompt is left
    out and counted. Which of both comes first is chance, too. The numbers that decide are drawn first, so the pairs are a function
    of model, prompts and generator, whatever `batch_size`, which only bounds the memory.
    Raises ValueError when batch_size is below 1, there are no prompts or one is empty, and what `language_model.generate` raises.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more; got {batch_size}.")
    device = next(model.parameters()).device
    tokens, mask = collate_prompts(prompts, tokenizer, max_length=sys.maxsize)
    pairs, left_out = [], Counter()
    for start in range(0, len(prompts), batch_size):
        rows = slice(start, start + batch_size)
        width = int(mask[rows].sum(1).max())
        batch, _ = generate(
            model, tokens[rows, -width:].to(device), mask[rows, -width:].to(device), k=2, max_new_tokens=max_new_tokens,
            eos_id=tokenizer.eos_token_id, generator=generator, temperature=temperature,
        )  # fmt: skip
        for prompt, (one, other) in zip(prompts[rows], answer_texts(batch, tokenizer), strict=True):
            if one == other:
                left_out[SAME] += 1
            else:
                pairs.append((prompt, one, other))
    return pairs, left_out
