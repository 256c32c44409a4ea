"""The whole pipeline at full scale on made-up text of TL;DR's form, stage by stage: seconds and peak of GPU memory of each.

Nothing can be learned from random words, and a step takes as long as with real ones. The loops are shortened by a stated factor;
what a stage does once (loading, evaluation, the report) is not. GPT-2 124M has random weights, its tokenizer one token a word.
"""

import gc
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate.state import AcceleratorState
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from rlhw.pipeline import run
from rlhw.pipeline.settings import FULL, STAGES, Settings
from rlhw.saving import quiet

# Steps of cloning and rollouts of a full run over those made here; posts, and as many comparisons, that are made up.
SHORTER, POSTS = 50, 2500


def made_up(folder: Path, config: GPT2Config, posts: int, *, prompts: range, answers: range) -> None:
    """A model with random weights, texts.jsonl and data.jsonl of random words, unless they are there."""
    if (folder / "data.jsonl").is_file():
        return
    words = [*(f"w{number}" for number in range(config.vocab_size - 2)), "<unk>", "<eos>"]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    torch.manual_seed(0)
    with quiet():
        PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<eos>").save_pretrained(
            folder / "model"
        )
        GPT2LMHeadModel(config).save_pretrained(folder / "model")
    rng = np.random.default_rng(0)

    def text(lengths: range) -> str:
        return " ".join(f"w{number}" for number in rng.integers(config.vocab_size - 2, size=rng.choice(lengths)))

    texts = [{"prompt": text(prompts), "completion": text(answers)} for _ in range(posts)]
    pairs = [
        {
            "prompt": text(prompts),
            "first": text(answers),
            "second": text(answers),
            "choice": rng.choice(["first", "second"]).item(),
            "annotator": "a",
        }
        for _ in range(posts)
    ]
    for name, records in (("texts", texts), ("data", pairs)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf8")


def full(folder: Path) -> Settings:
    """`--scale full` as it is, but shorter, on made-up files."""
    config = GPT2Config(bos_token_id=50256, eos_token_id=50256, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    made_up(folder, config, POSTS, prompts=range(320, 513), answers=range(20, 54))
    return replace(
        FULL, model=str(folder / "model"), texts=str(folder / "texts.jsonl"), data=str(folder / "data.jsonl"), out=folder / "run",
        clone=replace(FULL.clone, posts=POSTS, steps=FULL.clone.steps // SHORTER),
        ppo=replace(FULL.ppo, rollouts=FULL.ppo.rollouts // SHORTER),
        grpo=replace(FULL.grpo, rollouts=FULL.grpo.rollouts // SHORTER),
        evaluate=replace(FULL.evaluate, posts=32, samples=32, most=32),
    )  # fmt: skip


def toy(folder: Path) -> Settings:
    """The same in seconds on the CPU."""
    config = GPT2Config(
        vocab_size=50, n_positions=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=49, eos_token_id=49, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0,
    )  # fmt: skip
    made_up(folder, config, 250, prompts=range(8, 20), answers=range(3, 8))
    few = {"rollouts": 1, "prompts": 4, "answers": 2, "minibatch": 2}
    return replace(
        FULL, model=str(folder / "model"), texts=str(folder / "texts.jsonl"), data=str(folder / "data.jsonl"), out=folder / "run",
        device="cpu", context=40, max_new_tokens=8, clone=replace(FULL.clone, posts=32, steps=2, size=8),
        reward=replace(FULL.reward, size=64), dpo=replace(FULL.dpo, size=64), ppo=replace(FULL.ppo, **few),
        grpo=replace(FULL.grpo, **few), evaluate=replace(FULL.evaluate, posts=4, answers=2, samples=8, most=8),
    )  # fmt: skip


def stage(settings: Settings, name: str) -> dict:
    """Seconds of one stage, with all that it does once, and its peak of GPU memory in MB; those before it are done first, where
    they are not.
    """
    there, before = torch.cuda.is_available(), STAGES[: STAGES.index(name)]
    # TRL's trainers, earlier in this process, have told accelerate other things.
    AcceleratorState._reset_state(reset_partial_state=True)
    if before:
        run(settings, resume=(settings.out / "settings.json").is_file(), until=before[-1])
    gc.collect()
    if there:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    # What an earlier try began would not be in the seconds of this one.
    shutil.rmtree(settings.out / name, ignore_errors=True)
    start = time.perf_counter()
    run(settings, resume=(settings.out / "settings.json").is_file(), until=name)
    # What a stage leaves behind tells the seconds of its training alone.
    found = {"seconds": time.perf_counter() - start, "mb": torch.cuda.max_memory_allocated() / 2**20 if there else 0.0}
    print(f"stage {name}: {found['seconds']:.1f} s, {found['mb']:.0f} MB", flush=True)
    return found


def entries(found: dict[str, dict]) -> dict[str, dict]:
    """A card's entries: one measurement of each stage, of a run that was made once."""
    made = {}
    for name in STAGES:
        made[f"{name}_seconds"] = {"meaning": f"stage {name}", "value": found[name]["seconds"], "unit": "s"}
        made[f"{name}_memory"] = {
            "meaning": f"stage {name}, peak of GPU memory",
            "value": found[name]["mb"],
            "unit": "MB",
        }
    made["minutes"] = {
        "meaning": "all stages",
        "value": sum(one["seconds"] for one in found.values()) / 60,
        "unit": "min",
    }
    made["shorter"] = {
        "meaning": "steps of cloning and rollouts of a full run over those here",
        "value": float(SHORTER),
    }
    made["comparisons"] = {
        "meaning": "comparisons made up; of nine prompts in ten they are gone through once by reward and DPO",
        "value": float(POSTS),
    }
    return made
