"""Wrong ways to run a language model over padded batches. They take tensors, as their laws say.

Each starts from one flat pass over prompts and answers, and is wrong in the way of its name. torch is imported when a
mutant is called.
"""

SUBJECTS = {
    "check_response_states": "rlhw.logprobs:response_states",
    "check_response_logprobs": "rlhw.logprobs:response_logprobs",
    "check_sequence_logprobs": "rlhw.logprobs:sequence_logprobs",
    "check_reward_model": "rlhw.reward_model:RewardModel",
}


def true_positions(mask):
    return (mask.long().cumsum(-1) - 1).clamp(min=0)


def columns(mask):
    """Positions that count the padding."""
    return true_positions(everything(mask))


def everything(mask):
    return mask | True


def repeated(rows, k):
    return rows.repeat_interleave(k, 0)


def tiled(rows, k):
    """The prompts one after the other, k times over: not each prompt k times."""
    return rows.repeat(k, 1)


def _states(
    model, prompts, prompt_mask, responses, response_mask, *,
    positions=true_positions, attended=lambda mask: mask, copies=repeated, shift=0, layer=-1,
):  # fmt: skip
    """Hidden states "B K R+1 D" from the prompt's last token on, by one flat pass."""
    import torch

    b, k, r = responses.shape
    tokens = torch.cat([copies(prompts, k), responses.flatten(0, 1)], 1)
    mask = torch.cat([copies(prompt_mask, k), response_mask.flatten(0, 1)], 1)
    out = model(
        input_ids=tokens,
        attention_mask=attended(mask).long(),
        position_ids=positions(mask),
        output_hidden_states=True,
    )
    first = prompts.shape[1] - 1 + shift
    states = out.hidden_states[layer].roll(-first, 1)[:, : r + 1]
    return states.unflatten(0, (b, k))


def _logprobs(model, prompts, prompt_mask, responses, response_mask, *, scored=None, log=True, outside=0.0, **slips):
    """Log-probabilities "B K R", by the states above and the model's head."""
    import torch

    states = _states(model, prompts, prompt_mask, responses, response_mask, **slips)[:, :, :-1]
    logits = model.get_output_embeddings()(states)
    table = torch.log_softmax(logits, -1) if log else torch.softmax(logits, -1)
    picked = table.gather(-1, responses[..., None])[..., 0]
    return picked if outside is None else torch.where(response_mask if scored is None else scored, picked, outside)


def _without_last(mask):
    """The mask less the last token of each answer."""
    return mask & (mask.flip(-1).cumsum(-1).flip(-1) > 1)


def _without_first(mask):
    return mask & (mask.cumsum(-1) > 1)


def _guessed(prompts, prompt_mask, responses, response_mask):
    """Masks from the number of the padding token, which is a token like any other."""
    return prompts, prompts != 0, responses, responses != 0


def _with_prompt(model, prompts, prompt_mask, responses, response_mask):
    """Σ over all tokens behind the first, the prompt's too."""
    import torch

    b, k, _ = responses.shape
    empty = prompts[:, None].repeat(1, k, 1), prompt_mask[:, None].repeat(1, k, 1)
    tokens, mask = torch.cat([empty[0], responses], -1), torch.cat([empty[1], response_mask], -1)
    logits = model(
        input_ids=tokens.flatten(0, 1),
        attention_mask=mask.flatten(0, 1).long(),
        position_ids=true_positions(mask.flatten(0, 1)),
    ).logits.unflatten(0, (b, k))
    picked = torch.log_softmax(logits[:, :, :-1], -1).gather(-1, tokens[:, :, 1:, None])[..., 0]
    return torch.where(_without_first(mask)[:, :, 1:], picked, 0.0).sum(-1)


RESPONSE_STATES = {
    "padding attended": lambda model, *four: _states(model, *four, attended=everything),
    "positions count the padding": lambda model, *four: _states(model, *four, positions=columns),
    "prompts tiled instead of repeated": lambda model, *four: _states(model, *four, copies=tiled),
    "starts at the answer's first token": lambda model, *four: _states(model, *four, shift=1),
    "starts before the prompt's last token": lambda model, *four: _states(model, *four, shift=-1),
    "the layer below the last": lambda model, *four: _states(model, *four, layer=-2),
    "the state of the prompt left out": lambda model, *four: _states(model, *four)[:, :, 1:],
    "cut off from the model": lambda model, *four: _states(model, *four).detach(),
    "masks guessed from the padding token": lambda model, *four: _states(model, *_guessed(*four)),
}

RESPONSE_LOGPROBS = {
    "padding attended": lambda model, *four: _logprobs(model, *four, attended=everything),
    "positions count the padding": lambda model, *four: _logprobs(model, *four, positions=columns),
    "prompts tiled instead of repeated": lambda model, *four: _logprobs(model, *four, copies=tiled),
    "scored after the token instead of before": lambda model, *four: _logprobs(model, *four, shift=1),
    "scored two tokens before": lambda model, *four: _logprobs(model, *four, shift=-1),
    "eos left out": lambda model, *four: _logprobs(model, *four, scored=_without_last(four[3])),
    "first token left out": lambda model, *four: _logprobs(model, *four, scored=_without_first(four[3])),
    "padding scored": lambda model, *four: _logprobs(model, *four, outside=None),
    "probabilities instead of their logs": lambda model, *four: _logprobs(model, *four, log=False),
    "last hidden state before the final norm": lambda model, *four: _logprobs(model, *four, layer=-2),
    "cut off from the model": lambda model, *four: _logprobs(model, *four).detach(),
    "masks guessed from the padding token": lambda model, *four: _logprobs(model, *_guessed(*four)),
    "minus infinity under the mask": lambda model, *four: _logprobs(model, *four, outside=-float("inf")),
}

SEQUENCE_LOGPROBS = {
    "mean over the tokens": lambda model, *four: _logprobs(model, *four).sum(-1) / four[3].sum(-1),
    "mean over tokens and padding": lambda model, *four: _logprobs(model, *four).mean(-1),
    "the prompt's tokens scored as well": _with_prompt,
    "eos left out": lambda model, *four: _logprobs(model, *four, scored=_without_last(four[3])).sum(-1),
    "padding scored": lambda model, *four: _logprobs(model, *four, outside=None).sum(-1),
    "the last token only": lambda model, *four: _logprobs(model, *four).gather(-1, four[3].sum(-1, keepdim=True) - 1)[
        ..., 0
    ],
    "sign of a loss": lambda model, *four: -_logprobs(model, *four).sum(-1),
    "probability instead of its log": lambda model, *four: _logprobs(model, *four).sum(-1).exp(),
    "padding attended": lambda model, *four: _logprobs(model, *four, attended=everything).sum(-1),
    "positions count the padding": lambda model, *four: _logprobs(model, *four, positions=columns).sum(-1),
}


def _scores(trunk, head, read, *four, first=1, mask=None, **slips):
    """The head on the states after each token (from `first` on), made one number by `read`."""
    columns = slice(first, first + four[2].shape[-1])
    return read(_states(trunk, *four, **slips)[:, :, columns] @ head, four[3] if mask is None else mask)


REWARD_MODEL = {
    "scored before the token instead of after": lambda *inputs: _scores(*inputs, first=0),
    "padding read": lambda *inputs: _scores(*inputs, mask=inputs[-1] | True),
    "eos not read": lambda *inputs: _scores(*inputs, mask=_without_last(inputs[-1])),
    "padding attended": lambda *inputs: _scores(*inputs, attended=everything),
    "positions count the padding": lambda *inputs: _scores(*inputs, positions=columns),
    "prompts tiled instead of repeated": lambda *inputs: _scores(*inputs, copies=tiled),
    "the layer below the last": lambda *inputs: _scores(*inputs, layer=-2),
    "trunk held fast": lambda trunk, head, read, *four: read(_states(trunk, *four)[:, :, 1:].detach() @ head, four[3]),
    "squashed into (0, 1)": lambda *inputs: _scores(*inputs).sigmoid(),
}

MUTANTS = {
    "check_response_states": RESPONSE_STATES,
    "check_response_logprobs": RESPONSE_LOGPROBS,
    "check_sequence_logprobs": SEQUENCE_LOGPROBS,
    "check_reward_model": REWARD_MODEL,
}
