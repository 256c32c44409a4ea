"""One decoding step at fixed addresses: what a CUDA graph can hold, with each prompt's keys and values read once.

`captured` makes a policy of it that `generate` and the trainers take. On the CPU the same step runs without a graph.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call
from transformers import Cache, DynamicCache, PretrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

ATTENTION = "rlhw_captured"
# What an attention may be asked to do besides, and ours does not.
UNKNOWN = ("position_bias", "s_aux", "sliding_window", "softcap")


def attend(
    query: Float[Tensor, "N H 1 D"],
    prompts: tuple[Float[Tensor, "B G P D"], Float[Tensor, "B G P E"]],
    answers: tuple[Float[Tensor, "N G R D"], Float[Tensor, "N G R E"]],
    prompt_bias: Float[Tensor, "B 1 1 P"],
    answer_bias: Float[Tensor, " R"],
    scaling: float,
) -> Float[Tensor, "N 1 H E"]:
    """softmax(s q [K_prompt; K_answer]ᵀ + bias) [V_prompt; V_answer] for the next token of N = B k answers.

    A prompt's k answers, and the H/G heads that share keys, ask it together: its keys and values are read once for all of
    them, and never repeated. Scores are those of the type that comes in, the softmax is taken in float32 or above.
    """
    b, g, p, _ = prompts[0].shape
    k, m = len(query) // b, query.shape[1] // g

    def together(rows: Tensor) -> Tensor:
        """(B k, G, m, X) to (B, G, k m, X)."""
        return rows.unflatten(0, (b, k)).transpose(1, 2).flatten(2, 3)

    def apart(rows: Tensor) -> Tensor:
        return rows.unflatten(2, (k, m)).transpose(1, 2).flatten(0, 1)

    query = (query * scaling).reshape(len(query), g, m, -1)
    to_prompt = apart(together(query) @ prompts[0].mT + prompt_bias)
    scores = torch.cat([to_prompt, query @ answers[0].mT + answer_bias], -1)
    weights = torch.softmax(scores, -1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(answers[1].dtype)
    read = apart(together(weights[..., :p]) @ prompts[1]) + weights[..., p:] @ answers[1]
    return read.flatten(1, 2)[:, None]


class Prefix:
    """The cache that a prompt's pass hands back: a prompt's keys and values stay one row, however many answers follow.

    `rows` says which of the B k answers the caller still asks for; the others are computed on, unread. dtype: what keys and
    values are kept in; under autocast 16 bits, which the model's own attention would cast them to.
    """

    def __init__(self, cache: DynamicCache, mask: Int[Tensor, "B P"], dtype: torch.dtype) -> None:
        self.cache, self.mask, self.dtype, self.k = cache, mask, dtype, 1
        self.rows = torch.arange(len(mask), device=mask.device)
        self.step: Step | None = None
        self.turn: object = None

    def get_seq_length(self) -> int:
        return self.mask.shape[1]

    def batch_repeat_interleave(self, repeats: int) -> None:
        self.k, self.rows = repeats, torch.arange(len(self.mask) * repeats, device=self.mask.device)

    def batch_select_indices(self, indices: Int[Tensor, " N"]) -> None:
        self.rows = self.rows[indices]

    def plain(self) -> DynamicCache:
        """The model's own cache, repeated as asked: for a call of several tokens. RuntimeError once decoding has begun."""
        if self.cache is None:
            raise RuntimeError(
                "decoding has begun, one token at a time; several at once would need a prompt's pass anew."
            )
        self.cache.batch_repeat_interleave(self.k)
        return self.cache


class Columns(Cache):
    """Keys and values at fixed addresses, layer by layer: of each prompt, and of each answer in as many columns as it may have."""

    def __init__(self, prefix: Prefix, width: int, longest: int, column: Int[Tensor, "1"]) -> None:
        super().__init__(layers=[])
        self.width, self.column = width, column
        both = [(layer.keys, layer.values) for layer in prefix.cache.layers]

        def buffers(repeats: int, columns: int) -> list[tuple[Tensor, ...]]:
            return [
                tuple(x.new_zeros(len(x) * repeats, x.shape[1], columns, x.shape[3], dtype=prefix.dtype) for x in pair)
                for pair in both
            ]

        self.prompts, self.answers = buffers(1, width), buffers(prefix.k, longest)

    def fill(self, cache: DynamicCache) -> None:
        """Take over a prompt's pass, whose own tensors are let go layer by layer; nothing of an earlier rollout is left."""
        for layer, prompts, answers in zip(cache.layers, self.prompts, self.answers, strict=True):
            for own, found in zip(prompts, (layer.keys, layer.values), strict=True):
                own.zero_()[:, :, : found.shape[2]] = found
            for own in answers:
                own.zero_()
            layer.keys = layer.values = None

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        pairs = zip(self.answers[layer_idx], (key_states, value_states), strict=True)
        return tuple(own.index_copy_(2, self.column, new.to(own.dtype)) for own, new in pairs)

    def get_seq_length(self, layer_idx: int = 0) -> Tensor:
        return self.column[0] + self.width


class Step:
    """One decoding step for k answers to each prompt of a `Prefix`, with all that it reads and writes at fixed addresses."""

    def __init__(self, model: nn.Module, halves: dict[str, Tensor], prefix: Prefix, width: int, longest: int) -> None:
        first = prefix.cache.layers[0].keys
        count, device = len(first) * prefix.k, first.device
        self.model, self.halves, self.least = model, halves, torch.finfo(prefix.dtype).min
        self.half = prefix.dtype.itemsize == 2
        self.tokens, self.positions = torch.zeros(2, count, 1, dtype=torch.int64, device=device)
        self.column = torch.zeros(1, dtype=torch.int64, device=device)
        self.prompt_bias = first.new_zeros(len(first), 1, 1, width, dtype=prefix.dtype)
        self.answer_bias = first.new_zeros(longest, dtype=prefix.dtype)
        self.cache = Columns(prefix, width, longest, self.column)
        self.read: set[int] = set()
        self.turn: object = None
        self.run = self._captured() if device.type == "cuda" else self._eager
        self.run()
        if len(self.read) != len(self.cache.answers):
            raise ValueError(refusal(model, "its attention cannot be exchanged"))

    def begin(self, prefix: Prefix) -> None:
        """Take the prompts in; what another rollout had here is gone."""
        self.turn = prefix.turn = object()
        for name, half in self.halves.items():
            half.copy_(self.model.get_parameter(name))
        self.cache.fill(prefix.cache)
        seen = prefix.mask.bool()[:, None, None]
        self.prompt_bias.fill_(self.least)[..., : prefix.mask.shape[1]].masked_fill_(seen, 0.0)
        prefix.cache = None

    def logits(self, rows: Tensor, tokens: Tensor, positions: Tensor, column: int) -> Float[Tensor, "N V"]:
        """A copy, for these rows: the next replay writes over the original."""
        self.tokens.index_copy_(0, rows, tokens)
        self.positions.index_copy_(0, rows, positions)
        self.column.fill_(column)
        self.run()
        return self.out.index_select(0, rows)

    def _eager(self) -> None:
        self.out = self._compute()

    def _compute(self) -> Float[Tensor, "N V"]:
        # All answers have reached the same column: what one of them sees of its own, all see.
        hidden = torch.arange(len(self.answer_bias), device=self.column.device) > self.column
        self.answer_bias.zero_().masked_fill_(hidden, self.least)
        inputs = {"input_ids": self.tokens, "position_ids": self.positions, "past_key_values": self.cache}
        # A mask of four axes is passed on as it is; the model would make its own from any other.
        inputs |= {"attention_mask": self.answer_bias[None, None, None], "use_cache": True, "logits_to_keep": 1}
        with _attention_of(self.model.config, self._attend):
            # Tied weights apart: a tied head is cast, the embedding is not.
            return functional_call(self.model, self.halves, kwargs=inputs, tie_weights=False).logits[:, -1]

    def _attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None = None,
        **options: object,
    ) -> tuple[Tensor, None]:  # fmt: skip
        layers = [number for number, (keys, _) in enumerate(self.cache.answers) if keys is key]
        unknown = [name for name in UNKNOWN if options.get(name) is not None]
        if not layers or unknown:
            raise ValueError(refusal(self.model, f"its attention does more than ours ({unknown or 'to the keys'})"))
        self.read.update(layers)
        scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        parts = self.cache.prompts[layers[0]], self.cache.answers[layers[0]], self.prompt_bias, self.answer_bias
        return attend(query.to(key.dtype), *parts, scaling), None

    def _captured(self) -> Callable[[], None]:
        """The step as a graph. The first runs, which choose kernels and allocate, must not be in it, nor on its stream."""
        with torch.cuda.device(self.column.device):
            side, here, graph = torch.cuda.Stream(), torch.cuda.current_stream(), torch.cuda.CUDAGraph()
            side.wait_stream(here)
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._compute()
            here.wait_stream(side)
            try:
                # What autocast has kept was cast before the graph, and what it would keep of the graph's has not run yet.
                torch.clear_autocast_cache()
                # The outer block: a capture that fails leaves its own stream in place.
                with torch.cuda.stream(here), torch.cuda.graph(graph, capture_error_mode="thread_local"):
                    self.out = self._compute()
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise ValueError(refusal(self.model, f"CUDA cannot capture its step ({error})")) from error
            finally:
                torch.clear_autocast_cache()
        return graph.replay


def refusal(model: nn.Module, reason: str) -> str:
    return f"model: {type(model).__name__} cannot be captured: {reason}; sample from the model itself."


@contextmanager
def _attention_of(config: PretrainedConfig, attention: Callable) -> Iterator[None]:
    """The model's attention exchanged for another one, inside the block."""
    own = config._attn_implementation
    ALL_ATTENTION_FUNCTIONS[ATTENTION], config._attn_implementation = attention, ATTENTION
    try:
        yield
    finally:
        config._attn_implementation = own
        del ALL_ATTENTION_FUNCTIONS[ATTENTION]
