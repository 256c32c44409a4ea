"""Where a run's posts and comparisons come from, and what the trainers take of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rlhw.batches import Batch, collate
from rlhw.pipeline.forum import Forum
from rlhw.pipeline.settings import Settings
from rlhw.pipeline.texts import Texts, fetched, read_texts
from rlhw.preferences import (
    Comparison,
    from_hub,
    from_label_studio,
    last_labels,
    pair_wins,
    prompt_wins,
    read_export,
    read_jsonl,
    require_two_sided,
)


def world(settings: Settings, tokenizer: Callable) -> Forum | Texts:
    """The posts of a run: the small forum's, or those of people."""
    if settings.scale == "tiny":
        return Forum(tokenizer, settings.context)
    return Texts(read_texts(settings.texts), tokenizer, settings.context, settings.max_new_tokens)


def read_comparisons(source: str) -> tuple[list[Comparison], str]:
    """The comparisons of a .jsonl file, a Label Studio export (.json) or a data set of the Hub, and what was read, in words.

    Of two labels of one annotator for a pair the last counts. Raises ValueError when there are none, when all labels of a file say
    the same, and what the readers raise.
    """
    path = Path(source)
    if path.suffix == ".jsonl":
        found = read_jsonl(path)
        words = f"{len(found)} comparisons"
    elif path.suffix == ".json":
        imported = from_label_studio(read_export(path))
        found, words = imported.comparisons, str(imported).removesuffix(".")
    else:
        with fetched("data"):
            imported = from_hub(source, prompt="prompt", chosen="chosen", rejected="rejected")
        # There the chosen answer always comes first.
        return imported.comparisons, str(imported).removesuffix(".")
    require_two_sided(found)
    kept, replaced = last_labels(found)
    return kept, f"{words}; {replaced} replaced by a later label of the same annotator"


def fitting(comparisons: list[Comparison], tokenizer: Callable, context: int) -> tuple[list[Comparison], str]:
    """Those that a model with this tokenizer can read, and what was left out, in words.

    Prompt and longer answer must fit into the context with the end of sequence, and a tokenizer with a closed vocabulary must
    know all words. Raises ValueError when nothing is left.
    """
    unknown = None if tokenizer.unk_token_id == tokenizer.eos_token_id else tokenizer.unk_token_id
    kept, too_long, foreign, odd = [], 0, 0, 0
    for one in comparisons:
        # As `collate` takes them: a prompt with the tokens that its tokenizer puts in front, an answer without.
        answers = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (one.first, one.second)]
        tokens = [tokenizer(one.prompt)["input_ids"], *answers]
        if unknown is not None and any(unknown in part for part in tokens):
            foreign += 1
        elif not tokens[0] or any(tokenizer.eos_token_id in answer for answer in answers):
            odd += 1
        elif len(tokens[0]) + max(len(tokens[1]), len(tokens[2])) >= context:
            too_long += 1
        else:
            kept.append(one)
    words = (
        f"{too_long} too long for context={context}, {foreign} with words that the model does not know, {odd} with an empty prompt "
        "or the end of sequence in an answer"
    )
    if not kept:
        raise ValueError(f"data: no comparison is left: {words}; give others, or another model.")
    return kept, words


def check_context(model: nn.Module, context: int) -> None:
    """Raise ValueError where the model has no places for so many tokens."""
    places = getattr(model.config, "max_position_embeddings", None)
    if places is not None and context > places:
        raise ValueError(f"context={context} is more than the {places} tokens that this model reads; make it smaller.")


def votes(comparisons: list[Comparison], tokenizer: Callable, context: int) -> tuple[Batch, Tensor]:
    """Comparisons as the trainers take them, a row a prompt: (batch, wins "B K K").

    Where a prompt has fewer answers than another its first one is repeated, without votes; where that would be a third of
    all or more, each pair has a row of its own.
    """
    by_prompt: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        by_prompt.setdefault(comparison.prompt, []).append(comparison)
    rows = [prompt_wins(group) for group in by_prompt.values()]
    k, answers = max(wins.shape[1] for _, wins in rows), sum(wins.shape[1] for _, wins in rows)
    if 3 * answers <= 2 * k * len(rows):
        records, wins = pair_wins(comparisons)
        return collate(records, tokenizer, context), torch.from_numpy(wins).float()
    records, padded = [], np.zeros((len(rows), k, k), dtype=np.float32)
    for row, ((record,), wins) in enumerate(rows):
        texts = record["answers"]
        records.append({"prompt": record["prompt"], "answers": texts + texts[:1] * (k - len(texts))})
        padded[row, : len(texts), : len(texts)] = wins[0]
    return collate(records, tokenizer, context), torch.from_numpy(padded)
