"""Batches: B prompts with K answers each, their masks, and the order in which a data set is gone through.

Masks are made from lengths when a batch is made, and nothing looks for a padding token afterwards: GPT-2 has none, and
where padding is the end-of-sequence token a comparison would also hide the real one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

# The fields that hold the answers of a record; with two, the better answer comes first.
ANSWERS = (("completion",), ("chosen", "rejected"), ("answers",))


@dataclass(frozen=True, eq=False)
class Batch:
    """Prompts, left-padded, and K answers to each, right-padded; True in a mask marks a token, False padding.

    `response_mask` marks the actions: the answer's tokens, the final end-of-sequence token included. What stands under
    False in the tokens is never read. Raises ValueError when shapes do not fit, a prompt mask is not a run of True that
    ends at the right (at least one token), or an answer mask is not a run of True from the left; TypeError for masks
    that are not boolean or tokens that are not int64.
    """

    prompts: Int[Tensor, "B P"]
    prompt_mask: Bool[Tensor, "B P"]
    responses: Int[Tensor, "B K R"]
    response_mask: Bool[Tensor, "B K R"]

    def __post_init__(self) -> None:
        _check_prompts(self.prompts, self.prompt_mask)
        _check_tokens("responses", self.responses, "response_mask", self.response_mask, "B K R")
        if len(self.responses) != len(self.prompts):
            raise ValueError(f"responses answer {len(self.responses)} prompts, but there are {len(self.prompts)}.")
        if (self.response_mask[..., 1:] & ~self.response_mask[..., :-1]).any():
            raise ValueError("response_mask must be a run of True from the left; pad answers on the right.")

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device."""
        return Batch(*(part.to(device) for part in self._parts()))

    def rows(self, index: Tensor | slice | Sequence[int]) -> "Batch":
        """The batch of some of the prompts, with all their answers: `batch.rows(slice(0, 8))`, `batch.rows([3, 1])`."""
        return Batch(*(part[index] for part in self._parts()))

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.prompts, self.prompt_mask, self.responses, self.response_mask


def collate_prompts(texts: Sequence[str], tokenizer: Callable, max_length: int) -> tuple[Tensor, Tensor]:
    """Prompts to be answered: (tokens "B P", mask "B P"), left-padded.

    max_length counts the tokens of one prompt; leave room for the answer. Raises ValueError when there are no texts or
    one is empty or longer.
    """
    if len(texts) == 0:
        raise ValueError("texts are empty; give at least one prompt.")
    prompts = [_prompt_tokens(text, tokenizer, f"texts[{number}]") for number, text in enumerate(texts)]
    for number, tokens in enumerate(prompts):
        if len(tokens) > max_length:
            raise ValueError(f"texts[{number}] has {len(tokens)} tokens, more than max_length={max_length}.")
    return _padded(prompts, _eos_id(tokenizer), left=True)


def collate(records: Iterable[dict], tokenizer: Callable, max_length: int) -> Batch:
    """A batch of records in TRL's plain-text formats, each answer with the end-of-sequence token appended.

    A record holds `prompt` and one of `completion` (K = 1) | `chosen` and `rejected` (K = 2, chosen first) | `answers`
    (a list, equally many in each record). Prompt and answer are tokenised apart: the prompt with the special tokens that
    its tokenizer puts in front, the answer with none. max_length counts prompt, answer and end-of-sequence token.
    Raises ValueError naming the record when a field is missing, unknown or not text, numbers of answers differ, a prompt
    is empty, an answer holds the end-of-sequence token already, or both are too long: nothing is cut off.
    """
    prompts, answers, eos_id = [], [], _eos_id(tokenizer)
    for number, record in enumerate(records):
        place = f"records[{number}]"
        prompt = _prompt_tokens(record.get("prompt", ""), tokenizer, f"{place}['prompt']")
        texts = _answer_texts(record, place)
        if answers and len(texts) != len(answers[0]):
            raise ValueError(f"{place} has {len(texts)} answers and records[0] has {len(answers[0])}; make K equal.")
        tokens = [[*tokenizer(text, add_special_tokens=False)["input_ids"], eos_id] for text in texts]
        if any(eos_id in answer[:-1] for answer in tokens):
            raise ValueError(f"{place} has the end-of-sequence token in an answer; it is appended here: leave it out.")
        longest = len(prompt) + max(map(len, tokens))
        if longest > max_length:
            raise ValueError(f"{place} has {longest} tokens, end of sequence included, more than {max_length=}.")
        prompts.append(prompt)
        answers.append(tokens)
    if not prompts:
        raise ValueError("records are empty; give at least one.")
    responses, response_mask = _padded([tokens for group in answers for tokens in group], eos_id, left=False)
    shape = len(prompts), len(answers[0]), -1
    return Batch(*_padded(prompts, eos_id, left=True), responses.view(shape), response_mask.view(shape))


def prompt_texts(batch: Batch, tokenizer: Callable) -> list[str]:
    """The prompts as text, without special tokens."""
    return _texts(batch.prompts, batch.prompt_mask, tokenizer)


def answer_texts(batch: Batch, tokenizer: Callable) -> list[list[str]]:
    """The answers as text, without special tokens: K of them for each of the B prompts."""
    pairs = zip(batch.responses, batch.response_mask, strict=True)
    return [_texts(tokens, mask, tokenizer) for tokens, mask in pairs]


def shuffled(data: Batch | Tensor | tuple, size: int, seed: int, start: int = 0) -> Iterator:
    """An endless stream of batches of `size` prompts: step s is a pure function of (data, size, seed, s).

    Each epoch is a permutation drawn from (seed, epoch); what is left over at its end, less than one batch, is dropped.
    `start=n` gives the batches n, n + 1, … of the uninterrupted stream, so that a run can be resumed. `data` is a Batch,
    a Tensor, or a tuple of them that stay together row by row: `(batch, wins)` gives pairs. Raises ValueError when size
    is not in 1 … number of rows, the parts of a tuple differ in length, or start or seed is negative.
    """
    lengths = [len(part.prompts if isinstance(part, Batch) else part) for part in _as_tuple(data)]
    if len(set(lengths)) != 1:
        raise ValueError(f"data must have parts of one length; theirs are {lengths}.")
    if not 1 <= size <= lengths[0]:
        raise ValueError(f"size must be from 1 to the {lengths[0]} rows of the data; got {size}.")
    if start < 0 or seed < 0:
        raise ValueError(f"start and seed must be 0 or more; got start={start}, seed={seed}.")
    return _stream(data, lengths[0], size, seed, start)


def _stream(data: Batch | Tensor | tuple, count: int, size: int, seed: int, start: int) -> Iterator:
    steps = count // size
    epoch, step = divmod(start, steps)
    while True:
        order = torch.from_numpy(np.random.default_rng((seed, epoch)).permutation(count))
        for first in range(step * size, steps * size, size):
            index = order[first : first + size]
            parts = tuple(part.rows(index) if isinstance(part, Batch) else part[index] for part in _as_tuple(data))
            yield parts if isinstance(data, tuple) else parts[0]
        epoch, step = epoch + 1, 0


@runtime_checkable
class Engine(Protocol):
    """What a training loop asks of its surroundings; accelerate's `Accelerator` fits as it is."""

    def backward(self, loss: Tensor) -> None: ...
    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor: ...
    def reduce(self, tensor: Tensor, reduction: str) -> Tensor: ...


class Plain:
    """One process and plain torch: backward and clipping as torch has them, a sum or mean over ranks is the thing itself."""

    def backward(self, loss: Tensor) -> None:
        loss.backward()

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor:
        return torch.nn.utils.clip_grad_norm_(parameters, max_norm)

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        return tensor


PLAIN = Plain()


def _check_tokens(name: str, tokens: Tensor, mask_name: str, mask: Tensor, axes: str) -> None:
    if tokens.dtype != torch.int64 or mask.dtype != torch.bool:
        raise TypeError(f"{name} must be int64 and {mask_name} bool; got {tokens.dtype} and {mask.dtype}.")
    if tokens.dim() != len(axes.split()) or tokens.shape != mask.shape or 0 in tokens.shape:
        shapes = f"{tuple(tokens.shape)} and {tuple(mask.shape)}"
        raise ValueError(f"{name} and {mask_name} must both have shape ({axes}), no axis empty; got {shapes}.")


def _check_prompts(prompts: Tensor, mask: Tensor) -> None:
    _check_tokens("prompts", prompts, "prompt_mask", mask, "B P")
    if not mask[:, -1].all() or (mask[:, :-1] & ~mask[:, 1:]).any():
        raise ValueError(
            "prompt_mask must be a run of True that ends at the right, one token or more; pad on the left."
        )


def _as_tuple(data: Batch | Tensor | tuple) -> tuple:
    return data if isinstance(data, tuple) else (data,)


def _eos_id(tokenizer: Callable) -> int:
    if tokenizer.eos_token_id is None:
        raise ValueError("tokenizer has no end-of-sequence token; set tokenizer.eos_token.")
    return tokenizer.eos_token_id


def _prompt_tokens(text: object, tokenizer: Callable, place: str) -> list[int]:
    tokens = tokenizer(text)["input_ids"] if isinstance(text, str) and text else []
    if not tokens:
        raise ValueError(f"{place} must be a text of at least one token; got {text!r}.")
    return tokens


def _answer_texts(record: dict, place: str) -> list[str]:
    fields = tuple(name for name in record if name != "prompt")
    for names in ANSWERS:
        if set(fields) == set(names):
            texts = record["answers"] if names == ("answers",) else [record[name] for name in names]
            if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
                raise ValueError(f"{place} must hold its answers as text, a list of texts in 'answers'.")
            return texts
    wanted = "'completion', or 'chosen' and 'rejected', or 'answers'"
    raise ValueError(f"{place} must hold 'prompt' and one of {wanted}, nothing else; it has {sorted(record)}.")


def _texts(tokens: Tensor, mask: Tensor, tokenizer: Callable) -> list[str]:
    rows = [row[real].tolist() for row, real in zip(tokens, mask, strict=True)]
    return tokenizer.batch_decode(rows, skip_special_tokens=True)


def _padded(rows: list[list[int]], fill: int, *, left: bool) -> tuple[Tensor, Tensor]:
    """Rows of tokens side by side, and their mask from the lengths. `fill` is arbitrary: it is never read."""
    lengths = torch.tensor([len(row) for row in rows])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    mask = mask.flip(1) if left else mask
    tokens = torch.full(mask.shape, fill)
    tokens[mask] = torch.tensor([token for row in rows for token in row])
    return tokens, mask
