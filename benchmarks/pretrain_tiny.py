"""How the tiny GPT-2 in rlhw/tiny was made: `python -m benchmarks.pretrain_tiny` (about seven minutes on two cores).

It reads posts of the small forum and learns to continue them with their writers' edits; no summary is among the data. The
folder is replaced in one stroke when all is done, and results/tiny.json says how well the model looks facts up.
"""

import argparse
import math
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch.optim.lr_scheduler import LambdaLR
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from rlhw import cards
from rlhw.batches import Batch, collate
from rlhw.behavior_cloning import CloningConfig, evaluate_bc, train_bc
from rlhw.checkpoint import seed_everything
from rlhw.logprobs import response_logits
from rlhw.saving import quiet, whole_folder
from rlhw.tiny_tldr import VALUES, sample_post
from rlhw.tiny_tldr.threads import sample_edits, vocabulary
from rlhw.training import warmup_decay

FOLDER = Path(__file__).resolve().parents[1] / "rlhw" / "tiny"
CONTEXT = 160
PROMPTS, ANSWERS = 24, 3


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A word a token. `TL;DR:` is one too; padding and end of sequence are two different tokens."""
    words = ["<pad>", "<eos>", "<unk>", "TL;DR:", *vocabulary()]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<pad>", "<eos>", "<unk>"])
    tokenizer.add_tokens([AddedToken("TL;DR:", normalized=False)])
    # Words are joined by spaces; then no space stands before a punctuation mark.
    tokenizer.decoder = decoders.Sequence([decoders.WordPiece(prefix="##", cleanup=True), decoders.Replace(" :", ":")])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", model_max_length=CONTEXT
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    """GPT-2 with three blocks of width 128. Positions start as sines and cosines, words at standard deviation 0.05.

    The first two heads of each block start with keys equal to queries, so each word looks for its own repetitions: from an
    ordinary start comparing a value with the post was not learned in the same time. After Trockman & Kolter (2023), "Mimetic
    initialization of self-attention layers".
    """
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=CONTEXT, n_embd=128, n_layer=3, n_head=4, n_inner=256,
        activation_function="gelu_pytorch_tanh", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1,
        eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    rates = torch.exp(-math.log(1000.0) * torch.arange(64) / 64)
    angles = torch.arange(CONTEXT)[:, None] * rates
    with torch.no_grad():
        model.transformer.wpe.weight.copy_(0.05 * torch.cat([angles.sin(), angles.cos()], 1))
        model.transformer.wte.weight.normal_(std=0.05)
        for block in model.transformer.h:
            # Columns: 128 of queries, of keys, of values; a head has 32.
            queries, keys, _ = block.attn.c_attn.weight.split(128, dim=1)
            keys[:, :64] = queries[:, :64].normal_(std=0.08)
    return model


def threads(tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator, split: str) -> Iterator[Batch]:
    """Posts of like length, to each three threads of edits."""
    while True:
        posts = sorted((sample_post(rng, split) for _ in range(16 * PROMPTS)), key=lambda post: len(post.text))
        for i in rng.permutation(16) * PROMPTS:
            yield collate(
                [
                    {
                        "prompt": post.text.removesuffix(" TL;DR:"),
                        "answers": [sample_edits(post, rng) for _ in range(ANSWERS)],
                    }
                    for post in posts[i : i + PROMPTS]
                ],
                tokenizer,
                CONTEXT,
            )


@torch.no_grad()
def looked_up(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, batches: list[Batch]) -> dict[str, float]:
    """The share of the facts said again that the model puts first, by kind. What a reader asks about is none."""
    right, there = Counter(), Counter()
    mark = tokenizer.convert_tokens_to_ids("?")
    for batch in batches:
        found = response_logits(model, batch)[:, :, :-1].argmax(-1) == batch.responses
        for kind, values in VALUES.items():
            if kind != "ask":  # questions of several words
                ids = torch.tensor(tokenizer.convert_tokens_to_ids(list(values)))
                place = torch.isin(batch.responses, ids) & (batch.responses.roll(-1, dims=-1) != mark)
                right[kind] += int(found[place].sum())
                there[kind] += int(place.sum())
    return {kind: right[kind] / there[kind] for kind in there}


@torch.no_grad()
def answered(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, batches: list[Batch]) -> float:
    """The share of readers' questions that the model answers rightly."""
    mark = tokenizer.convert_tokens_to_ids("?")
    words = torch.tensor(tokenizer.convert_tokens_to_ids(["yes", "no"]))
    right = []
    for batch in batches:
        place = torch.isin(batch.responses, words) & (batch.responses.roll(1, dims=-1) == mark)
        right.append((response_logits(model, batch)[:, :, :-1].argmax(-1) == batch.responses)[place])
    return float(torch.cat(right).float().mean())


def pretrain(seed: int, steps: int) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerFast, dict[str, dict]]:
    """Model, tokenizer, and what is to be said of them on the card."""
    seed_everything(seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    held_out = list(islice(threads(tokenizer, np.random.default_rng(10**6), "evaluation"), 16))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = LambdaLR(optimizer, warmup_decay(min(100, steps), steps + 1))
    batches = islice(threads(tokenizer, np.random.default_rng(seed), "train"), steps)
    tokens = 0.0
    for step, figures in enumerate(train_bc(model, batches, optimizer, CloningConfig()), 1):
        schedule.step()
        tokens += figures["tokens"]
        if step % 100 == 0:
            shares = looked_up(model, tokenizer, held_out[:4])
            shares |= {"answers": answered(model, tokenizer, held_out[:4])}
            print(f"{step} of {steps}:", *(f"{name} {share:.2f}" for name, share in shares.items()), flush=True)
    shares = looked_up(model, tokenizer, held_out)
    metrics = {
        "parameters": cards.metric("parameters", float(sum(p.numel() for p in model.parameters()))),
        "posts": cards.metric("posts read", float(steps * PROMPTS)),
        "tokens": cards.metric("tokens of edits learned from", tokens),
        "loss": cards.metric(
            "held out: negative log-likelihood of a thread's edits", evaluate_bc(model, held_out), unit="nats"
        ),
        **{
            f"found_{k}": cards.metric(f"held out: '{k}' said again rightly", 100 * v, unit="%")
            for k, v in shares.items()
        },
        "answers": cards.metric(
            "held out: questions answered rightly", 100 * answered(model, tokenizer, held_out), unit="%"
        ),
    }
    return model, tokenizer, metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=FOLDER, help="another folder for a trial: then no card is written")
    options = parser.parse_args()
    start = time.perf_counter()
    model, tokenizer, metrics = pretrain(options.seed, options.steps)
    model_card = FOLDER / "README.md"
    with whole_folder(options.out) as draft, quiet():
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        if model_card.exists():
            shutil.copy(model_card, draft)
    if options.out == FOLDER:
        cards.write(
            "tiny", "The tiny GPT-2 that is shipped", metrics, seconds=time.perf_counter() - start,
            command="python -m benchmarks.pretrain_tiny", modules=["rlhw.tiny_tldr.posts", "rlhw.tiny_tldr.threads"],
        )  # fmt: skip


if __name__ == "__main__":
    main()
