"""Laws of what runs a whole language model, held on a small random GPT-2 of transformers and a batch of uneven lengths.

The oracle is one pass of the model for each answer by itself: no padding, no cache, no mask. Prompts are padded on the
left and answers on the right with token 0, which is a token like any other: nothing here can be told from a token's
number. `fn` gets the model and four tensors: prompts "B P", prompt_mask "B P" (bool), responses
"B K R", response_mask "B K R" (bool). torch and transformers are imported when a law is called.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from rlhw.laws.oracles import Array, assert_close, precision_of

SYMBOLS, END = 6, 3


@cache
def small_gpt2() -> object:
    """Two layers of random float64 weights, large enough that every position, head and token makes a difference."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=SYMBOLS, n_positions=24, n_embd=8, n_layer=2, n_head=2, initializer_range=0.5,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=END, eos_token_id=END,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return GPT2LMHeadModel(config).double().eval()


def small_batch() -> tuple:
    """Prompts of 1, 3 and 5 tokens with two answers each, of 1 to 4 tokens; pads are tokens 0, and so are some others."""
    import torch

    rng = np.random.default_rng(12)
    prompt_lengths, lengths = torch.tensor([3, 1, 5]), torch.tensor([[4, 2], [1, 3], [2, 2]])
    prompt_mask = torch.arange(5) >= 5 - prompt_lengths[:, None]
    response_mask = torch.arange(4) < lengths[..., None]
    prompts = torch.as_tensor(rng.integers(SYMBOLS, size=(3, 5))) * prompt_mask
    responses = torch.as_tensor(rng.integers(SYMBOLS, size=(3, 2, 4))) * response_mask
    return prompts, prompt_mask, responses, response_mask


def spoiled(prompts, prompt_mask, responses, response_mask) -> tuple:
    """The same batch with other tokens under the masks."""
    return prompts + (SYMBOLS - 1) * ~prompt_mask, prompt_mask, responses + 2 * ~response_mask, response_mask


def widened(prompts, prompt_mask, responses, response_mask) -> tuple:
    """The same batch with three more columns of padding before the prompts and two more behind the answers."""
    from torch.nn.functional import pad

    left, right = (3, 0), (0, 2)
    return pad(prompts, left), pad(prompt_mask, left), pad(responses, right), pad(response_mask, right)


def first_answers(prompts, prompt_mask, responses, response_mask) -> tuple:
    """The same batch with the first answer to each prompt and no other."""
    return prompts, prompt_mask, responses[:, :1], response_mask[:, :1]


def flat_logprobs(model: object, prompts, prompt_mask, responses, response_mask) -> object:
    """The oracle "B K R": each answer's tokens by a pass of its own, 0 outside the mask; a gradient flows."""
    import torch

    rows = []
    for prompt, keep, answers, masks in zip(prompts, prompt_mask, responses, response_mask, strict=True):
        for answer, mask in zip(answers, masks, strict=True):
            tokens = torch.cat([prompt[keep], answer[mask]])
            logits = model(input_ids=tokens[None]).logits[0, int(keep.sum()) - 1 : -1]
            picked = torch.log_softmax(logits, -1).gather(-1, answer[mask][:, None])[:, 0]
            rows.append(torch.nn.functional.pad(picked, (0, len(mask) - len(picked))))
    return torch.stack(rows).reshape(responses.shape)


def flat_states(trunk: object, prompts, prompt_mask, responses, response_mask) -> object:
    """The oracle "B K R+1 D": last hidden states from the prompt's last token on, by a pass for each answer; 0 under the
    mask.
    """
    import torch

    rows = []
    for prompt, keep, answers, masks in zip(prompts, prompt_mask, responses, response_mask, strict=True):
        for answer, mask in zip(answers, masks, strict=True):
            tokens = torch.cat([prompt[keep], answer[mask]])
            states = trunk(input_ids=tokens[None]).last_hidden_state[0, int(keep.sum()) - 1 :]
            rows.append(torch.nn.functional.pad(states, (0, 0, 0, len(mask) + 1 - len(states))))
    return torch.stack(rows).unflatten(0, responses.shape[:2])


def same_answers(batch: tuple) -> Iterator[tuple[str, tuple, Callable[[Array], Array]]]:
    """The batch in other forms that may change no answer: (a sentence, the four tensors, what the values become)."""
    prompts, prompt_mask, responses, response_mask = batch
    yield "what stands under the masks changes nothing", spoiled(*batch), lambda values: values
    yield "more padding changes nothing", widened(*batch), _longer
    order = [2, 0, 1]
    yield "the order of the prompts changes nothing", tuple(part[order] for part in batch), lambda values: values[order]
    turned = (prompts, prompt_mask, responses.flip(1), response_mask.flip(1))
    yield "the order of a prompt's answers changes nothing", turned, lambda values: values[:, ::-1]
    for row in range(len(prompts)):
        alone = slice(row, row + 1)
        form = tuple(part[alone] for part in batch)
        yield "a batch that is split gives the same", form, lambda values, alone=alone: values[alone]
    law = "an answer's value does not depend on the other answers"
    yield law, first_answers(*batch), lambda values: values[:, :1]


def _longer(values: Array) -> Array:
    """Values of a widened batch: two more zeros along the tokens' axis, where there is one."""
    return np.pad(values, [(0, 0), (0, 0), (0, 2), (0, 0)][: values.ndim]) if values.ndim > 2 else values


def parameter_gradient(model: object, total: object) -> Array:
    """The gradient of a number with respect to all parameters in a row; zero where it is cut off from them."""
    import torch

    parameters = list(model.parameters())
    if not total.requires_grad:
        return np.zeros(sum(p.numel() for p in parameters))
    slopes = torch.autograd.grad(total, parameters, allow_unused=True)
    flat = [torch.zeros_like(p) if slope is None else slope for p, slope in zip(parameters, slopes, strict=True)]
    return torch.cat([slope.flatten() for slope in flat]).numpy()


def _agrees(fn: Callable, oracle: Callable, model: object) -> None:
    """fn gives the same on every form of the batch, and has the values and the gradient (by the model) of the oracle."""
    import torch

    batch = small_batch()
    truth, got = oracle(model, *batch), fn(model, *batch)
    shape = tuple(truth.shape)
    assert tuple(got.shape) == shape, f"the values have the shape {shape} here; yours have {tuple(got.shape)}."
    values = got.detach().numpy()
    tolerance = precision_of(values)
    for law, form, same in same_answers(batch):
        assert_close(fn(model, *form).detach().numpy(), same(values), law, tolerance)
    law = "an answer's values are those of a pass over it alone, unpadded"
    assert_close(values, truth.detach().numpy(), law, tolerance)
    # A weight under the mask must meet a constant there: the oracle's zeros carry no gradient.
    weights = torch.as_tensor(np.random.default_rng(13).standard_normal(shape))
    law = "the gradient is that of passes over each answer alone"
    for form in (spoiled(*batch), first_answers(*batch)):
        answers = form[2].shape[1]
        slopes = [parameter_gradient(model, (weights[:, :answers] * f(model, *form)).sum()) for f in (fn, oracle)]
        assert_close(*slopes, law, 10 * tolerance)


def check_response_states(response_states: Callable) -> None:
    """fn(trunk, four tensors) -> "B K R+1 D": the trunk's last hidden states, state 0 at the prompt's last token and state
    t at the answer's t-th: those of flat, unpadded passes, and their gradient; what stands at masked tokens is not read.
    """
    import torch

    def kept(trunk: object, *batch: object) -> object:
        states, mask = response_states(trunk, *batch), torch.nn.functional.pad(batch[3], (1, 0), value=True)
        law = "there is a state for each answer token and one before the first"
        assert states.shape[:3] == mask.shape, f"{law}; yours have shape {tuple(states.shape)}."
        return torch.where(mask[..., None], states, 0.0)

    _agrees(kept, flat_states, small_gpt2().transformer)


def _ramp(scores: object, mask: object) -> object:
    """A read-out that tells every token from every other: Σ_t t · score_t, t from 1."""
    import torch

    return torch.where(mask, scores * torch.arange(1, scores.shape[-1] + 1), 0.0).sum(-1)


def check_reward_model(reward_model: Callable) -> None:
    """fn(trunk, head "D", read, four tensors) -> "B K": `read` of each answer token's score, which is the head's product
    with the state after the token; the values and the gradient of flat, unpadded passes.
    """
    import torch

    head = torch.as_tensor(np.random.default_rng(18).standard_normal(8))

    def flat(trunk: object, *batch: object) -> object:
        return _ramp(flat_states(trunk, *batch)[:, :, 1:] @ head, batch[3])

    _agrees(lambda trunk, *batch: reward_model(trunk, head, _ramp, *batch), flat, small_gpt2().transformer)


def check_response_logprobs(response_logprobs: Callable) -> None:
    """fn(model, four tensors) -> "B K R": each token's log-probability given prompt and the tokens before, 0 outside the
    mask; the values and the gradient of flat, unpadded passes, whatever the padding, the order or the split.
    """
    _agrees(response_logprobs, flat_logprobs, small_gpt2())


def check_sequence_logprobs(sequence_logprobs: Callable) -> None:
    """fn(model, four tensors) -> "B K": the sum over an answer's tokens, eos included; as `check_response_logprobs`."""
    _agrees(sequence_logprobs, lambda model, *batch: flat_logprobs(model, *batch).sum(-1), small_gpt2())
