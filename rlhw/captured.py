"""Sampling near a GPU's limit: one decoding step, captured once and replayed, that reads each prompt's keys and values once.

A small model's step is some two hundred kernels of a few microseconds, and Python needs longer to start them than the GPU to run
them. A CUDA graph starts all of them at once. It reads and writes fixed addresses, so keys and values stand in buffers that
have room for the longest answer, and what changes from step to step (tokens, positions, the column) is copied into others.

    generate(Captured(policy, max_new_tokens=64), prompts, mask, k=4, max_new_tokens=64, ...)

Weights may change where they are (an optimizer's step, `load_state_dict`): a graph reads them at each replay. Weights that have
moved (`.to`, a parameter set anew) are noticed by their addresses, and the step is captured again. Under autocast the matrices
are cast to 16 bits once a rollout, not once a step.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.pytorch_utils import Conv1D
from transformers.utils import ModelOutput

from rlhw.decoding_step import Prefix, Step, refusal

# Prompts and answers are given whole multiples of these columns, so that lengths which differ a little share one graph.
PROMPT_COLUMNS, ANSWER_COLUMNS = 64, 16
# Graphs that are kept, each with its keys and values; the one used longest ago goes first.
KEPT = 4


class Captured(nn.Module):
    """A causal language model that `generate` samples from by replaying captured steps; in every other call the model itself.

    model: a Hugging Face model whose layers all see the whole text (GPT-2, Llama, Qwen2, …), also as accelerate prepared it or
    in DistributedDataParallel; its parameters are shared, so trainers take it in the policy's place. max_new_tokens: the
    longest answer. Off the GPU the same step runs without a graph, slower than the model itself. The memory of the steps stays
    taken until this module goes. Two rollouts at the same time are refused (RuntimeError), and so is a model that cannot be
    captured, at its first rollout (ValueError): `sampling` asks first.
    """

    def __init__(self, model: nn.Module, max_new_tokens: int) -> None:
        super().__init__()
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be 1 or more; got {max_new_tokens}.")
        self.model, self.longest = model, _rounded(max_new_tokens, ANSWER_COLUMNS)
        self.config = self.inner.config
        self.steps: dict[tuple, Step] = {}
        self.halves: dict[str, Tensor] = {}
        self.state: tuple = ()

    @property
    def inner(self) -> nn.Module:
        """The model without DistributedDataParallel around it, which has no part where nothing is learned."""
        return self.model.module if isinstance(self.model, nn.parallel.DistributedDataParallel) else self.model

    def forward(self, *tokens: Tensor, **inputs: object) -> ModelOutput:
        prefix = inputs.get("past_key_values")
        if isinstance(prefix, Prefix):
            if inputs["input_ids"].shape[1] == 1 and not torch.is_grad_enabled():
                return self._decoded(prefix, inputs)
            return self.model(*tokens, **inputs | {"past_key_values": prefix.plain()})
        starts = inputs.get("use_cache") and prefix is None and inputs.get("attention_mask") is not None
        if not starts or torch.is_grad_enabled():
            return self.model(*tokens, **inputs)
        with _types_of_results(self.inner) as found:
            out = self.model(*tokens, **inputs)
        if out.past_key_values is not None:
            _check(self.inner, out.past_key_values)
            types = out.past_key_values.layers[0].keys.dtype, *found[:1]
            out.past_key_values = Prefix(
                out.past_key_values, inputs["attention_mask"], min(types, key=lambda dtype: dtype.itemsize)
            )
        return out

    def _decoded(self, prefix: Prefix, inputs: dict) -> CausalLMOutputWithPast:
        column = inputs["attention_mask"].shape[1] - prefix.mask.shape[1] - 1
        if column >= self.longest:
            raise ValueError(f"max_new_tokens: captured for {self.longest} at most; make Captured for longer answers.")
        if prefix.step is None:
            prefix.step = self._step(prefix)
            prefix.step.begin(prefix)
        if prefix.step.turn is not prefix.turn:
            raise RuntimeError("another rollout has begun with this Captured; finish one before the next.")
        logits = prefix.step.logits(prefix.rows, inputs["input_ids"], inputs["position_ids"], column)
        return CausalLMOutputWithPast(logits=logits[:, None], past_key_values=prefix)

    def _step(self, prefix: Prefix) -> Step:
        """The step for this many prompts, answers and columns, captured if it is not there."""
        weights = chain(self.inner.parameters(), self.inner.buffers())
        state = prefix.dtype, *((weight.data_ptr(), weight.dtype) for weight in weights)
        if state != self.state:
            self.steps.clear()
            self.state, self.halves = state, _halves(self.inner, prefix.dtype)
        width = _rounded(prefix.mask.shape[1], PROMPT_COLUMNS)
        shape = len(prefix.mask), prefix.k, width, self.inner.training
        step = self.steps.pop(shape, None)
        if step is None:
            while len(self.steps) >= KEPT:
                del self.steps[next(iter(self.steps))]
            step = Step(self.inner, self.halves, prefix, width, self.longest)
        self.steps[shape] = step
        return step


def sampling(model: nn.Module, max_new_tokens: int, say: Callable[[str], None] = print) -> nn.Module:
    """The model as rollouts should call it: captured on a GPU, itself elsewhere. Where it cannot be captured, `say` is told why."""
    if next(model.parameters()).device.type != "cuda":
        return model
    if reason := why_not(model):
        say(f"Sampling without captured steps: {reason}")
        return model
    return Captured(model, max_new_tokens)


@torch.no_grad()
def why_not(model: nn.Module) -> str:
    """Why a model cannot be captured, found by trying two tokens and holding them against the model's own; "" when it can."""
    if any(hasattr(parameter, "full_tensor") for parameter in model.parameters()):
        return "the model is spread over several processes."
    positions = torch.arange(3, device=next(model.parameters()).device)[None]
    tokens, ones = torch.zeros_like(positions), torch.ones_like(positions)
    captured, cache = Captured(model, 2), None
    own = model(input_ids=tokens, attention_mask=ones, position_ids=positions, use_cache=False).logits[:, -1]
    try:
        for t in range(3):
            inputs = {"input_ids": tokens[:, t : t + 1], "attention_mask": ones[:, : t + 1], "logits_to_keep": 1}
            out = captured(**inputs, position_ids=positions[:, t : t + 1], past_key_values=cache, use_cache=True)
            if not isinstance(cache := out.past_key_values, Prefix):
                return refusal(model, "it hands no cache back")
    except ValueError as error:
        return str(error)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        # Whatever an unknown model does in our step: its own way is there, and a run need not end.
        return refusal(model, f"its step fails ({type(error).__name__}: {error})")
    # 16 bits have two to three digits.
    apart, room = (out.logits[:, -1] - own).abs().max() / own.abs().max(), 0.05 if cache.step.half else 1e-3
    return "" if apart <= room else f"{type(model).__name__} gives other logits when captured ({apart:.2%} apart)."


def _halves(model: nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Copies in 16 bits of the float32 weights that autocast would cast at each step; none without autocast."""
    return {
        f"{name}.{leaf}": weight.detach().to(dtype)
        for name, module in _matrices(model)
        for leaf, weight in module.named_parameters(recurse=False)
        if weight.dtype == torch.float32 and dtype.itemsize == 2
    }


def _matrices(model: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)]


@contextmanager
def _types_of_results(model: nn.Module) -> Iterator[list[torch.dtype]]:
    """The types in which a call's matrices give their results. Autocast, which may stand inside the call, shows nowhere else:
    with rotary positions, worked out in float32, it leaves even the cached keys and values in float32.
    """
    found: list[torch.dtype] = []
    hooks = [part.register_forward_hook(lambda *call: found.append(call[-1].dtype)) for _, part in _matrices(model)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _check(model: nn.Module, cache: object) -> None:
    if type(cache) is not DynamicCache or any(type(layer) is not DynamicLayer for layer in cache.layers):
        kinds = {type(layer).__name__ for layer in getattr(cache, "layers", [])} or {type(cache).__name__}
        raise ValueError(refusal(model, f"its cache is not of keys and values of the whole text ({', '.join(kinds)})"))


def _rounded(count: int, step: int) -> int:
    return -(-count // step) * step
