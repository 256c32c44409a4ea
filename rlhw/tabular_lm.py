"""A language model small enough to be known exactly: one row of logits for each prefix, in a table.

It speaks Hugging Face's call, cache included, so sampling and every trainer run on it unchanged; and with 3 symbols and
3 steps there are 27 answers to a prompt, so that a gradient, a KL or an optimal policy is a sum over all of them.
"""

from itertools import product

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from rlhw.batches import Batch


class PrefixCache:
    """What a table must remember of a text: the number of its prefix (B), and how many columns were read."""

    def __init__(self, numbers: Int[Tensor, " B"], columns: int) -> None:
        self.numbers, self.columns = numbers, columns

    def get_seq_length(self) -> int:
        return self.columns

    def batch_repeat_interleave(self, repeats: int) -> None:
        self.numbers = self.numbers.repeat_interleave(repeats)

    def batch_select_indices(self, indices: Tensor) -> None:
        self.numbers = self.numbers[indices]


class TabularTrunk(nn.Module):
    """The base model: its state is the one-hot vector of the prefix, so a linear head on it is a table.

    Prefixes of up to `length` tokens of V symbols, prompt included, are numbered in base V with the digits 1 … V:
    n(∅) = 0, n(prefix + y) = V n(prefix) + y + 1. There are D = 1 + V + … + V^length of them. It has no parameters.
    Raises ValueError unless there are at least 2 symbols and 1 token, and no more than a million prefixes.
    """

    def __init__(self, vocab_size: int, length: int) -> None:
        super().__init__()
        if vocab_size < 2 or length < 1:
            raise ValueError(f"vocab_size must be 2 or more and length 1 or more; got {vocab_size=}, {length=}.")
        prefixes = (vocab_size ** (length + 1) - 1) // (vocab_size - 1)
        if prefixes > 10**6:
            raise ValueError(
                f"vocab_size={vocab_size} and length={length} make {prefixes} prefixes; a million at most."
            )
        self.config = PretrainedConfig(vocab_size=vocab_size, max_position_embeddings=length, hidden_size=prefixes)
        # Follows .double() and .to(device), so that the states have the type that the heads expect.
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Int[Tensor, "B C"] | None = None,
        position_ids: Int[Tensor, "B T"] | None = None,
        past_key_values: PrefixCache | None = None,
        use_cache: bool = False,
    ) -> BaseModelOutputWithPast:
        numbers, cache = self.numbers(input_ids, attention_mask, position_ids, past_key_values)
        states = nn.functional.one_hot(numbers, self.config.hidden_size).to(self.one.dtype)
        return BaseModelOutputWithPast(last_hidden_state=states, past_key_values=cache if use_cache else None)

    def numbers(
        self,
        tokens: Int[Tensor, "B T"],
        mask: Int[Tensor, "B C"] | None,
        positions: Int[Tensor, "B T"] | None,
        cache: PrefixCache | None,
    ) -> tuple[Int[Tensor, "B T"], PrefixCache]:
        """The number of the prefix that ends at each column; a masked column adds nothing to it.

        Raises ValueError when a real token is no symbol or its position is not the count of real tokens before it, the
        mask has not a column for each token read, or a text is too long for the table.
        """
        cache = cache or PrefixCache(tokens.new_zeros(len(tokens)), 0)
        columns = cache.columns + tokens.shape[1]
        mask = tokens.new_ones(len(tokens), columns) if mask is None else mask
        if mask.shape[1] != columns:
            raise ValueError(f"attention_mask must have {columns} columns, the cached ones too; got {mask.shape[1]}.")
        counts, real = mask.cumsum(-1)[:, cache.columns :], mask[:, cache.columns :].bool()
        if counts.max() > self.config.max_position_embeddings:
            raise ValueError(f"input_ids make a text longer than this table's {self.config.max_position_embeddings}.")
        if not ((tokens >= 0) & (tokens < self.config.vocab_size))[real].all():
            raise ValueError(f"input_ids must be symbols from 0 to {self.config.vocab_size - 1}.")
        if positions is not None and not torch.equal(positions[real], counts[real] - 1):
            raise ValueError("position_ids must be the number of real tokens before each one.")
        number, numbers = cache.numbers, []
        for t in range(tokens.shape[1]):
            number = torch.where(real[:, t], number * self.config.vocab_size + tokens[:, t] + 1, number)
            numbers.append(number)
        return torch.stack(numbers, 1), PrefixCache(number, columns)


class TabularLM(nn.Module):
    """A causal language model whose logits after each prefix are a free row of `table` (D, V).

    `length` counts prompt and answer. With a generator the logits are normal with standard deviation `std`; without one
    they are 0 and every answer is equally likely. `trunk` is its base model; `TabularLM(3, 4)` has room for 3 prompts of
    one token, and 3 steps after each.
    """

    def __init__(
        self, vocab_size: int, length: int, *, generator: torch.Generator | None = None, std: float = 1.0
    ) -> None:
        super().__init__()
        self.trunk = TabularTrunk(vocab_size, length)
        self.config = self.trunk.config
        table = torch.zeros(self.config.hidden_size, vocab_size)
        self.table = nn.Parameter(table if generator is None else table.normal_(0, std, generator=generator))

    def forward(
        self,
        input_ids: Int[Tensor, "B T"],
        attention_mask: Int[Tensor, "B C"] | None = None,
        position_ids: Int[Tensor, "B T"] | None = None,
        past_key_values: PrefixCache | None = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
    ) -> CausalLMOutputWithPast:
        numbers, cache = self.trunk.numbers(input_ids, attention_mask, position_ids, past_key_values)
        logits = nn.functional.embedding(numbers[:, -logits_to_keep:], self.table)
        return CausalLMOutputWithPast(logits=logits, past_key_values=cache if use_cache else None)


def enumerate_answers(
    prompts: Int[Tensor, "B P"],
    prompt_mask: Bool[Tensor, "B P"],
    vocab_size: int,
    length: int,
    eos_id: int | None = None,
) -> Batch:
    """Every answer that sampling up to `length` tokens can give, in alphabetical order, to each of the prompts.

    Without eos_id that is V^length answers of full length. With it an answer ends at its first eos_id, or uncut at
    `length` tokens: their probabilities sum to 1 in both cases. Raises ValueError unless there is a symbol, a step, and
    eos_id is a symbol or None.

    >>> batch = enumerate_answers(torch.tensor([[0]]), torch.tensor([[True]]), vocab_size=2, length=2, eos_id=0)
    >>> [answer[mask].tolist() for answer, mask in zip(batch.responses[0], batch.response_mask[0])]
    [[0], [1, 0], [1, 1]]
    """
    if vocab_size < 1 or length < 1:
        raise ValueError(f"vocab_size and length must be 1 or more; got {vocab_size} and {length}.")
    if eos_id is not None and not 0 <= eos_id < vocab_size:
        raise ValueError(f"eos_id must be None or a symbol from 0 to {vocab_size - 1}; got {eos_id}.")
    answers = torch.tensor(list(product(range(vocab_size), repeat=length)), device=prompts.device)
    ends = (answers == eos_id).long() if eos_id is not None else torch.zeros_like(answers)
    mask = ends.cumsum(1) - ends == 0
    # Of the sequences that agree up to their end, the one with zeros behind it stands for all.
    kept = (answers * ~mask == 0).all(1)
    answers, mask = (part[kept].expand(len(prompts), -1, -1) for part in (answers, mask))
    return Batch(prompts, prompt_mask, answers, mask)
