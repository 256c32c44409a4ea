"""Posts with summaries of people: a .jsonl file or a data set of the Hub. Nothing is known exactly of them."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from rlhw.batches import Batch, collate
from rlhw.behavior_cloning import evaluate_bc
from rlhw.pipeline.jobs import parts
from rlhw.preferences.files import BYTE_ORDER_MARK, strict_json
from rlhw.preferences.hub import load_split

# One prompt in so many is held out for evaluation.
HELD_OUT = 20


def read_texts(source: str, answered: bool = True) -> list[dict[str, str]]:
    """Records with `prompt` and, if `answered`, `completion`: of a .jsonl file, or of the split "train" of a data set of the Hub.

    Other fields are left out. Raises FileNotFoundError when there is no such file, ValueError naming the line of one that is
    no JSON or lacks a text, and what `preferences.hub.load_split` raises.
    """
    wanted = ("prompt", "completion") if answered else ("prompt",)
    path = Path(source)
    if path.suffix != ".jsonl":
        with fetched("texts" if answered else "data"):
            data = load_split(source, None, "train")
        if missing := [name for name in wanted if name not in data.column_names]:
            raise ValueError(f"'{source}' has no column '{missing[0]}'; it has {', '.join(data.column_names)}.")
        return [{name: row[name] for name in wanted} for row in data.select_columns(list(wanted))]
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}.")
    records = []
    for number, line in enumerate(path.read_bytes().removeprefix(BYTE_ORDER_MARK).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            record = strict_json(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number} {error}; mend or delete this line.") from None
        if not isinstance(record, dict) or not all(_is_text(record.get(name), name) for name in wanted):
            raise ValueError(
                f"{path}, line {number} must hold {' and '.join(wanted)} as text, the prompt not empty; mend or delete this line."
            )
        records.append({name: record[name] for name in wanted})
    return records


@contextmanager
def fetched(setting: str) -> Iterator[None]:
    """Where a data set is gone, private or out of reach, name the setting and offer a file in its place."""
    try:
        yield
    except (FileNotFoundError, ConnectionError) as error:
        raise type(error)(f"--{setting}: {str(error).rstrip('.')}; or give a .jsonl file of your own.") from None


@dataclass(frozen=True)
class Texts:
    """Records for a model with this tokenizer. `context`: tokens of a post and its answer together; longer ones are left out.

    `answer`: tokens that are kept free for an answer. A prompt is always on one side of the split, decided by its sha256.
    """

    records: list[dict[str, str]]
    tokenizer: Callable
    context: int
    answer: int

    def demonstrations(self, count: int, answers: int, split: str, rng: np.random.Generator) -> Batch:
        """So many posts with the summary that each has (all that there are, when they are fewer), as a batch with K = 1."""
        if answers != 1:
            raise ValueError(f"clone.answers must be 1: these posts have one summary each; got {answers}.")
        chosen = (record for record in self._side(split, rng) if self._fits(record))
        return collate(_first(chosen, count, "texts"), self.tokenizer, self.context)

    def prompts(self, count: int, split: str, rng: np.random.Generator) -> list[str]:
        """So many posts (all that there are, when they are fewer) that leave room for an answer."""
        chosen = (
            record["prompt"]
            for record in self._side(split, rng)
            if self._tokens(record["prompt"]) + self.answer <= self.context
        )
        return _first(chosen, count, "texts")

    def references(self, prompts: list[str]) -> list[dict[str, str] | None]:
        """The record of each post, with its summary; None where the two are longer than the context."""
        found = {record["prompt"]: record for record in self.records}
        return [found[prompt] if self._fits(found[prompt]) else None for prompt in prompts]

    def gold(self) -> Callable[[Batch], Tensor] | None:
        """None: nobody knows it."""

    def cloning(self, model: nn.Module, count: int, rng: np.random.Generator) -> dict[str, float]:
        """Nats a held-out summary."""
        batch = self.demonstrations(count, 1, "evaluation", rng)
        device = next(model.parameters()).device
        return {"held_out_nats": evaluate_bc(model, (part.to(device) for part in parts(batch, 16)))}

    def _side(self, split: str, rng: np.random.Generator) -> list[dict[str, str]]:
        side = [record for record in self.records if _held_out(record["prompt"]) == (split == "evaluation")]
        return [side[i] for i in rng.permutation(len(side))]

    def _fits(self, record: dict[str, str]) -> bool:
        return (
            self._tokens(record["prompt"]) + self._tokens(record["completion"]) < self.context
            and self.tokenizer.eos_token not in record["completion"]
        )

    def _tokens(self, text: str) -> int:
        return len(self.tokenizer(text)["input_ids"])


def _is_text(value: object, name: str) -> bool:
    """Text that a file in UTF-8 can hold; a prompt is not empty."""
    whole = isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return whole and (name != "prompt" or bool(value.strip()))


def _held_out(prompt: str) -> bool:
    return int.from_bytes(hashlib.sha256(prompt.encode("utf8")).digest()[:8], "big") % HELD_OUT == 0


def _first(found: object, count: int, name: str) -> list:
    """At most `count` of an iterable. Raises ValueError when it has none."""
    chosen = [one for one, _ in zip(found, range(count), strict=False)]
    if not chosen:
        raise ValueError(
            f"{name} hold no post on this side of the split that fits into the context; give more, or shorter ones."
        )
    return chosen
