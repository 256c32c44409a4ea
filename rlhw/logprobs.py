"""What a language model says about the answers of a batch: states, token log-probabilities, masked sums, KL estimators.

The prompt is run once: its keys and values are cached, the cache is repeated K times, and the answers follow. State t is
what the model knows after t answer tokens, t = 0 … R. The policy and the value of token t + 1 are read before it, from
`states[:, :, :-1]`; a reward is read after the token, from `states[:, :, 1:]`. No other index is shifted in this library.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rlhw.batches import PLAIN, Batch, Engine


def response_states(trunk: nn.Module, batch: Batch) -> Float[Tensor, "B K T D"]:
    """Last hidden states of a trunk (a Hugging Face base model: no head), T = R + 1 for each answer.

    State 0 stands at the prompt's last token, state t at the answer's t-th. What stands under the masks, and how much of
    it there is, changes nothing; states at masked tokens mean nothing.
    """

    def call(columns: int, **inputs) -> tuple[Tensor, object]:
        out = trunk(**inputs)
        return out.last_hidden_state[:, -columns:], out.past_key_values

    return _prompt_once(call, batch)


def response_logits(model: nn.Module, batch: Batch) -> Float[Tensor, "B K T V"]:
    """Logits of a causal language model in the same T = R + 1 states; its head is applied to no other position."""

    def call(columns: int, **inputs) -> tuple[Tensor, object]:
        out = model(**inputs, logits_to_keep=columns)
        return out.logits, out.past_key_values

    return _prompt_once(call, batch)


def token_logprobs(logits: Float[Tensor, "*N V"], tokens: Int[Tensor, "*N"]) -> Float[Tensor, "*N"]:
    """log p(token) = z_token - log Σ_v exp(z_v), in nats; 16-bit logits are raised to float32 first.

    >>> token_logprobs(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    tensor([-0.6931, -0.6931])
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return torch.log_softmax(logits, -1, dtype=dtype).gather(-1, tokens[..., None])[..., 0]


def response_logprobs(model: nn.Module, batch: Batch) -> Float[Tensor, "B K R"]:
    """log π(y_t | x, y_<t) of every answer token under a causal language model; 0, with gradient 0, under the mask."""
    logits = response_logits(model, batch)[:, :, :-1]
    tokens = batch.responses.masked_fill(~batch.response_mask, 0)
    return torch.where(batch.response_mask, token_logprobs(logits, tokens), 0.0)


def sequence_logprobs(model: nn.Module, batch: Batch) -> Float[Tensor, "B K"]:
    """log π(y | x) = Σ_t log π(y_t | x, y_<t): a sum over the answer's tokens, not their mean."""
    return masked_sum(response_logprobs(model, batch), batch.response_mask)


def masked_sum(values: Float[Tensor, "*B T"], mask: Bool[Tensor, "*B T"]) -> Float[Tensor, "*B"]:
    """Σ_t of the values where the mask is True, 0 for a row without any; what stands elsewhere, NaN too, has no part.

    >>> masked_sum(torch.tensor([1.0, 2.0, float("nan")]), torch.tensor([True, True, False]))
    tensor(3.)
    """
    # A choice, not a product: 0 · NaN is NaN, in the sum and in its gradient.
    return torch.where(mask, values, 0.0).sum(-1)


def masked_mean(values: Float[Tensor, "*B T"], mask: Bool[Tensor, "*B T"]) -> Float[Tensor, "*B"]:
    """Mean over t of the values where the mask is True. Raises ValueError when a row has none.

    >>> masked_mean(torch.tensor([1.0, 2.0, float("nan")]), torch.tensor([True, True, False]))
    tensor(1.5000)
    """
    counts = mask.sum(-1)
    if (counts == 0).any():
        raise ValueError("mask must have at least one True in every row; a mean over nothing has no value.")
    return masked_sum(values, mask) / counts


def whiten(
    values: Float[Tensor, "*B T"], mask: Bool[Tensor, "*B T"], *, engine: Engine = PLAIN
) -> Float[Tensor, "*B T"]:
    """(v - m) / sqrt(s² + 1e-8) where the mask is True, 0 elsewhere; m and s² are taken over all True entries together.

    s² is the mean squared deviation from m. Under several ranks both go over all of them, by `engine.reduce`.
    Raises ValueError when there is no True entry at all.
    """
    count = engine.reduce(mask.sum(), "sum")
    if count == 0:
        raise ValueError("mask must have at least one True; there is nothing to whiten.")
    mean = engine.reduce(torch.where(mask, values, 0.0).sum(), "sum") / count
    deviations = torch.where(mask, values - mean, 0.0)
    variance = engine.reduce(deviations.square().sum(), "sum") / count
    return deviations * torch.rsqrt(variance + 1e-8)


def kl_estimate(
    logprobs: Float[Tensor, "*N"], ref_logprobs: Float[Tensor, "*N"], kind: str = "k1"
) -> Float[Tensor, "*N"]:
    """Estimates of KL(p‖q) from samples of p: `logprobs` = log p and `ref_logprobs` = log q of what p sampled.

    k1 = log(p/q); k2 = ½ log(p/q)²; k3 = q/p - 1 - log(q/p). The means of k1 and k3 over p are the KL, that of k2 is not;
    k2 and k3 are never negative. With p and q of tokens the sum over an answer estimates, prefix by prefix, the KL of
    the answers. Raises ValueError for another kind. Source: Schulman (2020), Approximating KL divergence.

    >>> kl_estimate(torch.tensor([0.5]).log(), torch.tensor([0.25]).log(), kind="k3")
    tensor([0.1931])
    """
    log_ratio = logprobs - ref_logprobs
    if kind == "k1":
        return log_ratio
    if kind == "k2":
        return log_ratio.square() / 2
    if kind == "k3":
        return torch.expm1(-log_ratio) + log_ratio
    raise ValueError(f"kind must be 'k1', 'k2' or 'k3'; got {kind!r}.")


def _prompt_once(call: Callable, batch: Batch) -> Tensor:
    """(B, K, R + 1, …): `call(columns, **inputs)` reads the last columns; prompts first, then all answers on their cache."""
    width = batch.responses.shape[2]
    states = _tight_prompt_once(call, _tight(batch))
    # What is cut off is put back as zeros, so that every tensor of the batch keeps its shape.
    return nn.functional.pad(states, (0, 0, 0, width + 1 - states.shape[2]))


def _tight(batch: Batch) -> Batch:
    """Without the columns that are padding in all rows: after a shuffle there are many, and a model would run on them."""
    first, length = int((~batch.prompt_mask.any(0)).sum()), max(1, int(batch.response_mask.sum(-1).max()))
    prompts, responses = (batch.prompts, batch.prompt_mask), (batch.responses, batch.response_mask)
    return Batch(*(part[:, first:] for part in prompts), *(part[..., :length] for part in responses))


def _tight_prompt_once(call: Callable, batch: Batch) -> Tensor:
    b, k, r = batch.responses.shape
    p = batch.prompts.shape[1]
    # Under the mask anything may stand, even what is no token: 0 always is one.
    prompts = batch.prompts.masked_fill(~batch.prompt_mask, 0)
    answers = batch.responses.masked_fill(~batch.response_mask, 0).flatten(0, 1)
    tokens = torch.cat([prompts.repeat_interleave(k, 0), answers], 1)
    mask = torch.cat([batch.prompt_mask.repeat_interleave(k, 0), batch.response_mask.flatten(0, 1)], 1).long()
    positions = positions_of(mask)
    cache = None
    if k > 1:
        inputs = {"attention_mask": mask[::k, :p], "position_ids": positions[::k, :p]}
        first, cache = call(1, input_ids=prompts, **inputs, use_cache=True)
    if cache is None or cache.get_seq_length() == 0:
        # One answer shares its prompt with no other, and gradient checkpointing hands no cache back: all in one row.
        states, _ = call(r + 1, input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=False)
        return states.unflatten(0, (b, k))
    cache.batch_repeat_interleave(k)
    inputs = {"attention_mask": mask, "position_ids": positions[:, p:], "past_key_values": cache}
    rest, _ = call(r, input_ids=answers, **inputs, use_cache=True)
    # State 0 comes from the prompt's own pass: fully_shard goes wrong where no output of a pass is used.
    return torch.cat([first.repeat_interleave(k, 0), rest], 1).unflatten(0, (b, k))


def positions_of(mask: Int[Tensor, "B T"]) -> Int[Tensor, "B T"]:
    """Positions of the real tokens: 0 at the first one of each row, whatever the padding before it."""
    return (mask.cumsum(-1) - 1).clamp(min=0)
