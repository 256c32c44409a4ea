"""The laws of whole models accept transformers' own losses, classifiers and sampler, laid out in another way than ours."""

import random
import warnings

import numpy as np
import pytest
import torch
from torch.nn.functional import pad
from transformers import GPT2ForTokenClassification, TemperatureLogitsWarper, TopKLogitsWarper

from rlhw import laws
from rlhw.laws import language_models, sampling


def contiguous(prompts, prompt_mask, responses, response_mask):
    """Prompt and answer side by side, all padding behind them: there a causal model needs no mask and no positions.

    Yields, for each answer: its row, its own index, the tokens, and the prompt's length.
    """
    for row, answer in np.ndindex(*responses.shape[:2]):
        prompt = prompts[row][prompt_mask[row]]
        tokens = torch.cat([prompt, responses[row, answer][response_mask[row, answer]]])
        yield row, answer, tokens, len(prompt)


def right_padded(four):
    """All answers as one batch, padded on the right, with the prompts' and the answers' lengths."""
    rows = [(tokens, start) for _, _, tokens, start in contiguous(*four)]
    widest = max(len(tokens) for tokens, _ in rows) + 1
    return torch.stack([pad(tokens, (0, widest - len(tokens)), value=1) for tokens, _ in rows]), rows


def states_to_the_right(trunk, *four):
    tokens, rows = right_padded(four)
    hidden = trunk(input_ids=tokens).last_hidden_state
    width = four[2].shape[-1] + 1
    picked = [
        pad(row, (0, 0, 0, width))[start - 1 : start - 1 + width] for row, (_, start) in zip(hidden, rows, strict=True)
    ]
    return torch.stack(picked).unflatten(0, four[2].shape[:2])


def losses_of_transformers(model, *four):
    """-log π(y|x) from transformers' own loss: the prompt's labels are -100, and the mean is made a sum again."""
    losses = []
    for _, _, tokens, start in contiguous(*four):
        labels = torch.where(torch.arange(len(tokens)) < start, -100, tokens)
        losses.append(model(input_ids=tokens[None], labels=labels[None]).loss * (len(tokens) - start))
    return -torch.stack(losses).unflatten(0, four[2].shape[:2])


def transition_scores(model, *four):
    """By compute_transition_scores, which transformers offers for what its own generate has sampled."""
    rows = []
    for _, _, tokens, start in contiguous(*four):
        logits = model(input_ids=tokens[None]).logits[0, start - 1 : -1]
        scores = tuple(step[None] for step in logits)
        picked = model.compute_transition_scores(tokens[None], scores, normalize_logits=True)[0]
        rows.append(pad(picked, (0, four[2].shape[-1] - len(picked))))
    return torch.stack(rows).unflatten(0, four[2].shape[:2])


def token_classifier(trunk, head, read, *four):
    """transformers' own classifier of tokens, with one label, the given head and the given trunk."""
    with torch.random.fork_rng(devices=[]):
        classifier = GPT2ForTokenClassification(trunk.config).double().eval()
    classifier.transformer = trunk
    classifier.classifier = torch.nn.Linear(len(head), 1, bias=False, dtype=torch.float64)
    classifier.classifier.weight.data = head[None]
    classifier.config.num_labels = classifier.num_labels = 1
    tokens, rows = right_padded(four)
    logits = classifier(input_ids=tokens).logits[..., 0]
    width = four[2].shape[-1]
    picked = [pad(row, (0, width))[start : start + width] for row, (_, start) in zip(logits, rows, strict=True)]
    return read(torch.stack(picked).unflatten(0, four[2].shape[:2]), four[3])


def generate_of_transformers(model, prompts, prompt_mask, *, k, max_new_tokens, eos_id, generator, temperature, top_k):
    """transformers' generate, one unpadded prompt at a time: its seed comes from the generator, its records from the
    scores it returns.
    """
    parts = []
    for tokens, keep in zip(prompts, prompt_mask, strict=True):
        prompt = tokens[keep].expand(k, -1)
        seed = int(torch.randint(2**31, (1,), generator=generator))
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(seed)
            out = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=True, max_new_tokens=max_new_tokens,
                temperature=temperature, top_k=top_k or 0, eos_token_id=eos_id, pad_token_id=1,
                return_dict_in_generate=True, output_scores=True,
            )  # fmt: skip
        answers = out.sequences[:, prompt.shape[1] :]
        ended = (answers == eos_id).long().cumsum(-1) if eos_id is not None else torch.zeros_like(answers)
        mask = (ended == 0) | ((ended == 1) & (answers == eos_id))
        logprobs = model.compute_transition_scores(out.sequences, out.scores, normalize_logits=True)
        fill = (0, max_new_tokens - answers.shape[1])
        parts.append((pad(answers, fill), pad(mask, fill), pad(torch.where(mask, logprobs, 0.0), fill)))
    return tuple(torch.stack(part) for part in zip(*parts, strict=True))


OTHERS = {
    "check_response_states": states_to_the_right,
    "check_response_logprobs": transition_scores,
    "check_sequence_logprobs": losses_of_transformers,
    "check_reward_model": token_classifier,
    "check_generate": generate_of_transformers,
}


@pytest.mark.parametrize("law", OTHERS)
def test_the_laws_accept_transformers(law):
    getattr(laws, law)(OTHERS[law])


def warped(logits, temperature, top_k):
    """transformers' own warpers, and torch's softmax."""
    z = TemperatureLogitsWarper(temperature)(None, logits)
    return torch.log_softmax(z if top_k is None else TopKLogitsWarper(top_k)(None, z), -1)


class Uniform(random.Random):
    """Python's generator, with its uniform numbers given."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def random(self):
        return self.number


def choices(probabilities, uniforms):
    """random.choices of Python's library draws one token a row."""
    rows = zip(probabilities, uniforms, strict=True)
    return np.array([Uniform(float(u)).choices(range(len(p)), weights=p)[0] for p, u in rows])


def test_the_law_of_sampling_accepts_the_warpers_of_transformers():
    laws.check_sampling_law(laws.as_numpy(warped))


def test_the_law_of_inversion_accepts_pythons_choices():
    laws.check_invert(choices)


def test_the_small_model_tells_everything_apart():
    """Position, every token before and the head make a difference: a law held on it sees what it says it sees."""
    model = language_models.small_gpt2()
    tokens = torch.tensor([[1, 4, 0, 2, 5, 3]])
    logits = model(input_ids=tokens).logits[0, -1]
    shifted = model(input_ids=tokens, position_ids=torch.arange(6)[None] + 1).logits[0, -1]
    assert (logits - shifted).abs().max() > 0.1
    for place in range(5):
        other = tokens.clone()
        other[0, place] = (other[0, place] + 1) % language_models.SYMBOLS
        assert (logits - model(input_ids=other).logits[0, -1]).abs().max() > 0.01
    assert (logits.softmax(-1) > 1e-4).all()


def test_the_small_batch_is_uneven_and_its_padding_is_a_token():
    prompts, prompt_mask, responses, response_mask = language_models.small_batch()
    assert len(set(prompt_mask.sum(-1).tolist())) == 3
    assert len(set(response_mask.sum(-1).flatten().tolist())) >= 3
    assert (prompts[prompt_mask] == 0).any(), "the padding's number stands in a prompt too"
    assert (responses[response_mask] == 0).any(), "and in an answer"


def test_making_the_small_model_leaves_torchs_generator_alone():
    before = torch.random.get_rng_state()
    language_models.small_gpt2.__wrapped__()
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_chances_of_all_answers_sum_to_one():
    for temperature, top_k in ((1.0, None), (0.6, 3)):
        for row in range(3):
            chances = sampling.answer_chances(row, {"temperature": temperature, "top_k": top_k})
            assert chances.sum() == pytest.approx(1, abs=1e-12)
            assert np.count_nonzero(chances[language_models.END]) <= 1


def test_the_table_of_logits_is_that_of_single_passes():
    model, (prompts, prompt_mask, *_) = language_models.small_gpt2(), language_models.small_batch()
    for row, answer in ((0, (5, 1, 3, 2)), (2, (0, 0, 4, 1))):
        tokens = torch.cat([prompts[row][prompt_mask[row]], torch.tensor(answer)])[None]
        logits = model(input_ids=tokens).logits[0, -5:-1].detach().numpy()
        np.testing.assert_allclose(sampling.all_logits(row)[answer], logits, atol=1e-12)
