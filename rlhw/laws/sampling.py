"""Laws of sampling: temperature and top-k, the inversion of a distribution function, and a whole sampler of answers.

The sampler is held on the small GPT-2 and the prompts of `language_models`.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from rlhw.laws.language_models import END, SYMBOLS, small_batch, small_gpt2, spoiled, widened
from rlhw.laws.oracles import Array, assert_close, enumerate_sequences, log_probabilities_of, precision_of

STEPS = 4
FALSE_ALARM = 1e-6


def sampled_log_probabilities(logits: Array, temperature: float, top_k: int | None) -> Array:
    """Log-probabilities "N V" of softmax(logits / temperature) over the top_k greatest and their equals, -inf elsewhere."""
    scaled = np.asarray(logits, dtype=float) / temperature
    if top_k is not None:
        scaled = np.where(scaled >= np.sort(scaled, axis=-1)[..., [-top_k]], scaled, -np.inf)
    return log_probabilities_of(scaled)


def check_sampling_law(sampling_law: Callable) -> None:
    """fn(logits "N V", temperature, top_k) -> "N V": log softmax(z / temperature) over the top_k greatest z, minus infinity
    elsewhere; those equal to the last of them stay in; top_k=None takes all.
    """
    rng = np.random.default_rng(19)
    for temperature in (1.0, 0.4, 3.0):
        logits = 2.0 * rng.standard_normal((3, 5)) + 1.0
        expected = log_probabilities_of(logits / temperature)
        law = f"at temperature {temperature} the law is the softmax of the logits over the temperature"
        assert_close(sampling_law(logits, temperature, None), expected, law)
        for top_k in (1, 2, 5):
            expected = np.exp(sampled_log_probabilities(logits, temperature, top_k))
            law = f"with top_k={top_k} the {top_k} greatest share all the probability"
            assert_close(np.exp(sampling_law(logits, temperature, top_k)), expected, law)
    tied = np.exp(sampling_law(np.array([[1.0, 3.0, 2.0, 2.0]]), 1.0, 2))
    law = "tokens as likely as the last of the top_k stay in"
    assert_close(tied, np.exp(sampled_log_probabilities(np.array([[1.0, 3.0, 2.0, 2.0]]), 1.0, 2)), law)
    cold = np.exp(sampling_law(np.array([[900.0, 901.0, 0.0]]), 0.001, None))
    assert_close(cold, np.array([[0.0, 1.0, 0.0]]), "near temperature zero all the probability is on the greatest")


def check_invert(invert: Callable) -> None:
    """fn(probabilities "N V", uniforms "N") -> "N": the first token v with u < p_0 + … + p_v, right on the edges too; a token
    of probability zero is never drawn, and probabilities need not sum to one exactly.
    """
    rng = np.random.default_rng(20)
    for symbols in (2, 3, 5):
        p = rng.dirichlet(np.ones(symbols))
        edges, tokens = np.cumsum(p)[:-1], np.arange(symbols)
        uniforms = np.concatenate([[0.0], edges - 1e-9, edges + 1e-9, [1 - 1e-16]])
        expected = np.concatenate([[0], tokens[:-1], tokens[1:], [tokens[-1]]])
        law = "what is drawn is the first token whose cumulative probability exceeds u"
        assert_close(invert(np.tile(p, (len(uniforms), 1)), uniforms), expected, law)
        rows = rng.dirichlet(np.ones(symbols), size=6)
        middles = np.cumsum(rows, axis=1) - rows / 2
        chosen = rng.integers(symbols, size=6)
        law = "each row has its own probabilities and its own u"
        assert_close(invert(rows, middles[np.arange(6), chosen]), chosen, law)
    quarters = np.full((3, 4), 0.25)
    law = "a u equal to a cumulative probability belongs to the token above it"
    assert_close(invert(quarters, np.array([0.25, 0.5, 0.75])), np.array([1, 2, 3]), law)
    holes = np.tile([0.0, 0.5, 0.0, 0.5, 0.0], (3, 1))
    law = "a token of probability zero is never drawn"
    assert_close(invert(holes, np.array([0.0, 0.5, 1 - 2.0**-53])), np.array([1, 3, 3]), law)
    short = np.tile([0.1, 0.3, 0.0], (3, 1))
    law = "u is a share of the total, whatever the probabilities sum to"
    assert_close(invert(short, np.array([0.2, 0.3, 1 - 2.0**-53])), np.array([0, 1, 1]), law)


def check_generate(generate: Callable) -> None:
    """fn(model, prompts, prompt_mask, *, k, max_new_tokens, eos_id, generator, temperature, top_k) gives (responses,
    response_mask, logprobs), all "B K R": answers end with the first eos or at max_new_tokens, the recorded log-probs are
    those of the law that was sampled, frequencies follow that law (a right sampler fails with probability below 1e-6
    a setting), and answers are a function of the generator and the prompts, whatever the padding or the split.
    """
    for eos_id, temperature, top_k in ((END, 1.0, None), (END, 0.6, None), (END, 1.5, 3), (None, 1.0, None)):
        settings = {"max_new_tokens": STEPS, "eos_id": eos_id, "temperature": temperature, "top_k": top_k}
        _records(generate, settings)
    for temperature, top_k in ((1.0, None), (0.7, 4)):
        settings = {"max_new_tokens": 2, "eos_id": END, "temperature": temperature, "top_k": top_k}
        _frequencies(generate, settings)
    _repeats(generate, {"max_new_tokens": STEPS, "eos_id": END, "temperature": 1.0, "top_k": None})


def _seeded(seed: int) -> object:
    import torch

    return torch.Generator().manual_seed(seed)


def _records(generate: Callable, settings: dict) -> None:
    """Where each answer ends, and the log-probs beside its tokens."""
    model, (prompts, prompt_mask, _, _) = small_gpt2(), small_batch()
    responses, mask, logprobs = generate(model, prompts, prompt_mask, k=5, generator=_seeded(14), **settings)
    law = "there are k answers to each prompt, no longer than max_new_tokens, and a mask and log-probs of their shape"
    width = min(responses.shape[-1], settings["max_new_tokens"])
    for part in (responses, mask, logprobs):
        assert part.shape == (3, 5, width), f"{law}; yours has shape {tuple(part.shape)}."
    expected = np.zeros(logprobs.shape)
    for row, answer in np.ndindex(3, 5):
        tokens, keep = responses[row, answer], mask[row, answer].numpy()
        length = int(keep.sum())
        ends = np.flatnonzero(tokens[keep].numpy() == settings["eos_id"])
        whole = ends.tolist() == [length - 1] or (len(ends) == 0 and length == settings["max_new_tokens"])
        law = "an answer is a run of tokens that ends with its first eos, eos included, or at max_new_tokens"
        kept = f"keeps {keep.astype(int).tolist()} of {tokens.tolist()}"
        assert np.all([whole, *keep[:length]]), f"{law}; yours {kept}."
        logits = all_logits(row)[tuple(np.pad(tokens[:length].numpy(), (0, STEPS - length)))][:length]
        chances = sampled_log_probabilities(logits, settings["temperature"], settings["top_k"])
        drawn = chances[np.arange(length), tokens[:length].numpy()]
        law = "a token that is not among the top_k likeliest is never drawn"
        assert np.isfinite(drawn).all(), f"{law}; yours draws {tokens[:length].tolist()} to prompt {row}."
        expected[row, answer, :length] = drawn
    law = "the recorded log-probs are those of the law that was sampled from, zero outside the mask"
    got = logprobs.detach().numpy()
    assert_close(got, expected, law, precision_of(got))


@cache
def all_logits(row: int) -> Array:
    """Logits before each of the STEPS tokens of every answer to one prompt, unpadded: an axis a token, then "STEPS V". What
    stands before a token does not depend on those behind it, so a short answer is any of the long ones it begins.
    """
    import torch

    prompts, prompt_mask, _, _ = small_batch()
    answers = torch.tensor(list(enumerate_sequences(SYMBOLS, STEPS)))
    prompt = prompts[row][prompt_mask[row]].expand(len(answers), -1)
    logits = small_gpt2()(input_ids=torch.cat([prompt, answers], 1)).logits[:, -STEPS - 1 : -1]
    return logits.detach().numpy().reshape((SYMBOLS,) * STEPS + (STEPS, SYMBOLS))


def answer_chances(row: int, settings: dict) -> Array:
    """The probability of every answer of at most two tokens, by first and second token; END stops, so its row has one
    entry, [END, END].
    """
    chances = np.zeros((SYMBOLS, SYMBOLS))
    for first in range(SYMBOLS):
        logits = all_logits(row)[first, 0, 0, 0, :2]
        steps = np.exp(sampled_log_probabilities(logits, settings["temperature"], settings["top_k"]))
        if first == END:
            chances[END, END] = steps[0, END]
        else:
            chances[first] = steps[0, first] * steps[1]
    return chances


def _frequencies(generate: Callable, settings: dict, k: int = 1200) -> None:
    """Every answer's count against its own binomial law, two-sided; FALSE_ALARM is shared among all answers."""
    from scipy.special import bdtr, bdtrc

    model, (prompts, prompt_mask, _, _) = small_gpt2(), small_batch()
    responses, mask, _ = generate(model, prompts, prompt_mask, k=k, generator=_seeded(15), **settings)
    tokens = responses.masked_fill(~mask, END).numpy()  # an answer of END alone counts as [END, END]
    level = FALSE_ALARM / (2 * SYMBOLS**2 * len(prompts))
    for row in range(len(prompts)):
        chances = answer_chances(row, settings)
        counts = np.zeros((SYMBOLS, SYMBOLS), dtype=int)
        np.add.at(counts, (tokens[row, :, 0], tokens[row, :, 1]), 1)
        rare = np.minimum(bdtr(counts, k, chances), bdtrc(counts - 1, k, chances))
        worst = np.unravel_index(int(rare.argmin()), rare.shape)
        place = f"tokens {int(worst[0])}, {int(worst[1])} after prompt {row}"
        law = f"{place} are drawn {k * chances[worst]:.0f} times in {k}, give or take chance"
        assert rare[worst] >= level, f"{law}; yours draws them {counts[worst]} times."


def _repeats(generate: Callable, settings: dict) -> None:
    """The same generator gives the same answers, with other padding and in two parts."""
    import torch

    model, batch = small_gpt2(), small_batch()
    prompts, prompt_mask = batch[:2]

    def answers(*parts: tuple) -> list[list[int]]:
        generator = _seeded(16)
        drawn = []
        for part in parts:
            responses, mask, _ = generate(model, *part, k=4, generator=generator, **settings)
            drawn += [
                tokens[keep].tolist()
                for row, kept in zip(responses, mask, strict=True)
                for tokens, keep in zip(row, kept, strict=True)
            ]
        return drawn

    whole = answers((prompts, prompt_mask))
    forms = {
        "the same generator gives the same answers": [(prompts, prompt_mask)],
        "what stands under the masks changes no answer": [spoiled(*batch)[:2]],
        "more padding changes no answer": [widened(*batch)[:2]],
        "a batch that is split gives the same answers": [
            (prompts[:1], prompt_mask[:1]),
            (prompts[1:], prompt_mask[1:]),
        ],
    }
    for law, parts in forms.items():
        other = answers(*parts)
        differ = [number for number, (a, b) in enumerate(zip(whole, other, strict=True)) if a != b]
        assert not differ, f"{law}; yours differ, first in answer {differ[0]}."
    torch_state = torch.random.get_rng_state()
    answers((prompts, prompt_mask))
    law = "all randomness comes from the generator"
    assert torch.equal(torch_state, torch.random.get_rng_state()), f"{law}; yours draws from torch's own."
