"""What our functions of whole models promise beyond their law: refusals, and how little goes through the model.

The laws ask for values alone; that a prompt is run once, and that a finished answer leaves the batch, is our promise. torch
is imported when a promise is held.
"""

from collections.abc import Callable

from rlhw.laws import assert_close
from rlhw.laws.language_models import END, SYMBOLS, first_answers, small_batch, small_gpt2, widened
from rlhw.mutants.refusals import refuses

NAN, INFINITY = float("nan"), float("inf")


def refuses_nothing_that_is_masked(response_logprobs: Callable) -> None:
    """Under the masks may stand what is no token at all."""
    from rlhw.batches import Batch

    prompts, prompt_mask, responses, response_mask = small_batch()
    model, law = small_gpt2(), "what stands under the masks is not read, be it no token"
    clean = response_logprobs(model, Batch(prompts, prompt_mask, responses, response_mask)).detach()
    for nonsense in (-100, SYMBOLS + 1):
        spoiled = prompts.masked_fill(~prompt_mask, nonsense), responses.masked_fill(~response_mask, nonsense)
        batch = Batch(spoiled[0], prompt_mask, spoiled[1], response_mask)
        assert_close(response_logprobs(model, batch).detach(), clean, law)


def _recorder(trunk: object, cache: Callable = lambda cache: cache) -> object:
    """A model that calls another, keeps the shape of each call, and hands back `cache` of its cache."""
    from torch import nn

    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.config, self.calls = trunk, trunk.config, []

        def forward(self, **inputs) -> object:
            shape = tuple(inputs["input_ids"].shape)
            self.calls.append((*shape, inputs["use_cache"], inputs.get("logits_to_keep", 0)))
            out = self.trunk(**inputs)
            out.past_key_values = cache(out.past_key_values)
            return out

    return Recorder()


def runs_the_prompt_once(response_states: Callable) -> None:
    """With K = 2 the prompts go through once and the answers after them; with K = 1, and where a model hands back no cache
    or an empty one, prompts and answers go through together. Columns that are padding in all rows do not go through.
    """
    import torch
    from transformers import DynamicCache

    from rlhw.batches import Batch

    trunk, four = small_gpt2().transformer, small_batch()
    pair, single = Batch(*four), Batch(*first_answers(*four))
    silent = Batch(*four[:3], torch.zeros_like(four[3]))
    prompts, answers, together = (3, 5, True, 0), (6, 4, True, 0), (6, 9, False, 0)
    truth = response_states(trunk, pair).detach()
    cases = (
        (lambda cache: cache, pair, [prompts, answers]),
        (lambda cache: cache, Batch(*widened(*four)), [prompts, answers]),
        (lambda cache: cache, silent, [prompts, (6, 1, True, 0)]),
        (lambda cache: None, pair, [prompts, together]),
        (lambda cache: DynamicCache(), pair, [prompts, together]),
        (lambda cache: cache, single, [(3, 9, False, 0)]),
        (lambda cache: cache, single.rows([1]), [(1, 2, False, 0)]),
    )
    for cache, batch, calls in cases:
        model = _recorder(trunk, cache)
        states = response_states(model, batch).detach()
        assert model.calls == calls, f"calls of the model, (rows, columns, cache, logits): {model.calls}, not {calls}."
        width = batch.responses.shape[2] + 1
        assert states.shape[2] == width, f"there are {width} states an answer, not {states.shape[2]}."
        kept = torch.nn.functional.pad(batch.response_mask, (1, 0), value=True)[:, :, :5]
        same = truth[:, : states.shape[1]] if len(states) == 3 else truth[1:2, :1]
        assert_close(states[:, :, :5][kept], same[kept], "the states are the same, however the tokens go through")


def refuses_bad_sampling(generate: Callable) -> None:
    """Each argument out of its range, the ends of the ranges, and the defaults."""
    import torch

    model, (prompts, prompt_mask, _, _) = small_gpt2(), small_batch()

    def draw(model: object = model, **settings: object) -> tuple:
        generator = torch.Generator().manual_seed(21)
        return generate(
            model, prompts, prompt_mask, **{"max_new_tokens": 2, "eos_id": END} | settings, generator=generator
        )

    refuses("k and max_new_tokens", *(lambda n=n: draw(k=n) for n in (0, -1)))
    refuses("k and max_new_tokens", *(lambda n=n: draw(max_new_tokens=n) for n in (0, -1)))
    refuses("temperature", *(lambda t=t: draw(temperature=t) for t in (0.0, -0.5, -2.0, NAN, INFINITY)))
    refuses("top_k", *(lambda n=n: draw(top_k=n) for n in (0, -1, SYMBOLS + 1)))
    refuses("eos_id", *(lambda n=n: draw(eos_id=n) for n in (-1, SYMBOLS, SYMBOLS + 1)))
    refuses("max_new_tokens", lambda: draw(max_new_tokens=20), lambda: draw(max_new_tokens=50))
    refuses("model", lambda: draw(_recorder(model, lambda cache: None)))
    for settings in (
        {"k": 1},
        {"max_new_tokens": 1},
        {"max_new_tokens": 19},
        {"top_k": 1},
        {"top_k": SYMBOLS},
        {"eos_id": 0},
    ):
        assert draw(**settings)[0].responses.shape[:2] == (3, 1), (
            "one answer is drawn to each prompt unless k says more."
        )
    warm, same = draw(max_new_tokens=4)[1], draw(max_new_tokens=4, temperature=1.0, top_k=None)[1]
    assert_close(warm, same.numpy(), "the temperature is one and top_k is None unless said")
    _refuses_nan(generate)


def _refuses_nan(generate: Callable) -> None:
    """One answer with logits that are no numbers is enough."""
    import torch

    def spoil(module: object, inputs: tuple, out: object) -> object:
        out.logits[0] = NAN
        return out

    model, (prompts, prompt_mask, _, _) = _recorder(small_gpt2()), small_batch()
    model.register_forward_hook(spoil)
    settings = {"max_new_tokens": 1, "eos_id": None, "generator": torch.Generator()}
    refuses("model", lambda: generate(model, prompts, prompt_mask, **settings), kind=FloatingPointError)


def lets_finished_answers_go(generate: Callable) -> None:
    """The prompts go through once, then one column a step, of which the head sees the last. Finished answers leave the batch
    when under 80 % of it goes on. Nothing runs after the last answer has ended; where a second process may still wait, one
    row goes on to the last step.
    """
    from unittest import mock

    import torch

    settings = {"k": 7, "eos_id": END}
    for steps, ranks in ((3, 1), (18, 1), (18, 2)):
        model, (prompts, prompt_mask, _, _) = _recorder(small_gpt2()), small_batch()
        generator = torch.Generator().manual_seed(36)
        with mock.patch.multiple(
            torch.distributed, is_initialized=lambda: True, get_world_size=lambda ranks=ranks: ranks
        ):
            batch, _ = generate(model, prompts, prompt_mask, max_new_tokens=steps, generator=generator, **settings)
        lengths, running = batch.response_mask.sum(-1).flatten(), 21
        calls = [(3, 5, True, 1)]
        for step in range(1, steps):
            live = int((lengths > step).sum())
            if live == 0 and ranks == 1:
                break
            running = max(live, 1) if live < 0.8 * running else running
            calls.append((running, 1, True, 1))
        law = f"calls of the model, (rows, columns, cache, logits), with {steps=} and {ranks=}"
        assert model.calls == calls, f"{law}: {model.calls}, not {calls}."


def keeps_its_sampling_promises(generate: Callable) -> None:
    """Its refusals and defaults, and how little of the work is done in vain."""
    refuses_bad_sampling(generate)
    lets_finished_answers_go(generate)


PROMISES: dict[str, Callable[[Callable], None]] = {
    "check_response_states": runs_the_prompt_once,
    "check_response_logprobs": refuses_nothing_that_is_masked,
    "check_generate": keeps_its_sampling_promises,
}
