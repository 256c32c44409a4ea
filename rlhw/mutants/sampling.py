"""Wrong laws of sampling and inversions, on arrays, and wrong samplers: one plain sampler, wrong in the way of its name.

torch is imported when a sampler is called.
"""

import numpy as np
from scipy.special import log_softmax

from rlhw.mutants.language_models import columns, everything, repeated, tiled, true_positions

SUBJECTS = {
    "check_sampling_law": "rlhw.language_model:sampling_law",
    "check_invert": "rlhw.language_model:invert",
    "check_generate": "rlhw.language_model:generate",
}


def _best(z, top_k):
    """z, and minus infinity where it is not among the top_k greatest or their equals."""
    return z if top_k is None else np.where(z >= np.sort(z)[:, [-top_k]], z, -np.inf)


def _first_best(z, top_k):
    """As above, of equals the first only."""
    rank = np.argsort(np.argsort(-z, axis=1, kind="stable"), axis=1)
    return z if top_k is None else np.where(rank < top_k, z, -np.inf)


SAMPLING_LAW = {
    "multiplied by the temperature": lambda z, t, k: log_softmax(_best(z, k) * t, -1),
    "temperature forgotten": lambda z, t, k: log_softmax(_best(z, k), -1),
    "probabilities over the temperature": lambda z, t, k: log_softmax(_best(z, k), -1) / t,
    "top-k forgotten": lambda z, t, k: log_softmax(z / t, -1),
    "top-k without sharing out the rest": lambda z, t, k: np.where(
        _best(z, k) > -np.inf, log_softmax(z / t, -1), -np.inf
    ),
    "top-k keeps one fewer": lambda z, t, k: log_softmax(_best(z, max(k - 1, 1) if k else k) / t, -1),
    "the least likely kept": lambda z, t, k: log_softmax(-_best(-z, k) / t, -1),
    "zero in place of minus infinity": lambda z, t, k: log_softmax(np.where(_best(z, k) > -np.inf, z, 0.0) / t, -1),
    "of equals the first only": lambda z, t, k: log_softmax(_first_best(z, k) / t, -1),
    "exponentials that overflow": lambda z, t, k: (
        _best(z, k) / t - np.log(np.exp(_best(z, k) / t).sum(-1, keepdims=True))
    ),
}


def _inverted(p, u, side="right"):
    return np.array([np.searchsorted(np.cumsum(row), x * row.sum(), side=side) for row, x in zip(p, u, strict=True)])


INVERT = {
    "an edge belongs to the token below": lambda p, u: _inverted(p, u, side="left"),
    "index off by one": lambda p, u: _inverted(p, u) + 1,
    "1 - u for u": lambda p, u: _inverted(p, 1 - u),
    "the total trusted to be one": lambda p, u: (np.cumsum(p, 1) <= u[:, None]).sum(1),
    "the first row's probabilities for all": lambda p, u: _inverted(np.tile(p[0], (len(p), 1)), u),
    "tokens sorted first": lambda p, u: np.take_along_axis(
        np.argsort(p, 1), _inverted(np.sort(p, 1), u)[:, None] % p.shape[1], 1
    )[:, 0],
    "always the likeliest": lambda p, u: p.argmax(1),
    "every token equally likely": lambda p, u: (u * p.shape[1]).astype(int),
}


def _law(logits, temperature, top_k):
    """log softmax(logits / temperature) over the top_k greatest."""
    import torch

    scaled = logits / temperature
    if top_k is not None:
        scaled = scaled.masked_fill(scaled < scaled.topk(top_k).values[:, [-1]], -float("inf"))
    return torch.log_softmax(scaled, -1)


def _numbers(rows, steps, k, generator):
    """One row of uniform numbers an answer, drawn first: an answer is a function of its prompt and its row."""
    import torch

    return torch.rand(rows, steps, generator=generator, dtype=torch.float64)


def _sampler(
    *, law=_law, recorded=_law, numbers=_numbers, positions=true_positions, attended=lambda mask: mask, copies=repeated,
    eos_kept=True, stops=True,
):  # fmt: skip
    """A plain sampler without a cache: the whole row goes through the model at every step."""

    def generate(model, prompts, prompt_mask, *, k=1, max_new_tokens, eos_id, generator, temperature=1.0, top_k=None):
        import torch

        rows, p = len(prompts) * k, prompts.shape[1]
        uniforms = numbers(rows, max_new_tokens, k, generator)
        tokens, mask, logprobs = copies(prompts, k), copies(prompt_mask, k), []
        live = torch.ones(rows, dtype=torch.bool)
        for step in range(max_new_tokens):
            inputs = {"attention_mask": attended(mask).long(), "position_ids": positions(mask)}
            logits = model(input_ids=tokens, **inputs).logits[:, -1]
            edges = law(logits, temperature, top_k).exp().cumsum(-1)[:, :-1]
            token = (edges <= uniforms[:, [step]]).sum(-1)
            ends = token == (-1 if eos_id is None else eos_id)
            keep = live if eos_kept else live & ~ends
            picked = recorded(logits, temperature, top_k).gather(-1, token[:, None])[:, 0]
            logprobs.append(torch.where(keep, picked, 0.0))
            tokens, mask = torch.cat([tokens, token[:, None]], 1), torch.cat([mask, keep[:, None]], 1)
            live = live & ~ends if stops else live
        shape = len(prompts), k, max_new_tokens
        return (
            tokens[:, p:].reshape(shape),
            mask[:, p:].reshape(shape),
            torch.stack(logprobs, 1).detach().reshape(shape),
        )

    return generate


def _greedy(logits, temperature, top_k):
    return _law(logits, 1e-6, None)


def _step_by_step(rows, steps, k, generator):
    return _numbers(steps, rows, k, generator).T


def _shared(rows, steps, k, generator):
    return _numbers(rows // k, steps, k, generator).repeat_interleave(k, 0)


def _unseeded(rows, steps, k, generator):
    return _numbers(rows, steps, k, None)


GENERATE = {
    "temperature missing from the recorded log-probs": _sampler(recorded=lambda z, t, n: _law(z, 1.0, n)),
    "top-k missing from the recorded log-probs": _sampler(recorded=lambda z, t, n: _law(z, t, None)),
    "temperature ignored": _sampler(law=lambda z, t, n: _law(z, 1.0, n), recorded=lambda z, t, n: _law(z, 1.0, n)),
    "multiplied by the temperature": _sampler(
        law=lambda z, t, n: _law(z, 1 / t, n), recorded=lambda z, t, n: _law(z, 1 / t, n)
    ),
    "top-k ignored": _sampler(law=lambda z, t, n: _law(z, t, None), recorded=lambda z, t, n: _law(z, t, None)),
    "temperature ignored when drawing": _sampler(law=lambda z, t, n: _law(z, 1.0, n)),
    "logits recorded": _sampler(recorded=lambda z, t, n: z),
    "the likeliest token always": _sampler(law=_greedy),
    "numbers drawn step by step": _sampler(numbers=_step_by_step),
    "all answers to a prompt draw the same numbers": _sampler(numbers=_shared),
    "torch's own generator": _sampler(numbers=_unseeded),
    "eos not part of the answer": _sampler(eos_kept=False),
    "goes on after eos": _sampler(stops=False),
    "positions count the padding": _sampler(positions=columns),
    "padding attended": _sampler(attended=everything),
    "prompts tiled instead of repeated": _sampler(copies=tiled),
}

MUTANTS = {
    "check_sampling_law": SAMPLING_LAW,
    "check_invert": INVERT,
    "check_generate": GENERATE,
}
