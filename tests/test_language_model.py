"""Loading: quiet, without dropout, without pickles. Sampling: the recorded law, the law of the samples, the same tokens."""

import json
import shutil
import struct

import huggingface_hub.constants
import numpy as np
import pytest
import scipy.stats
import torch
from small_models import EOS, VOCABULARY, gpt2, llama, padded, random_batch
from tiny_models import FAMILIES, exact, law_by_hand, logprobs_alone, tokenizer
from torch import nn
from transformers import AutoModelForCausalLM, LlamaModel, T5Config, TemperatureLogitsWarper, TopKLogitsWarper
from transformers.utils import logging

from rlhw import language_model
from rlhw.batches import answer_texts, collate_prompts
from rlhw.language_model import generate, invert, load, sampling_law
from rlhw.logprobs import response_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def sample(model, batch, **settings):
    settings = {"k": 3, "max_new_tokens": 8, "eos_id": EOS, "generator": seeded()} | settings
    return generate(model, batch.prompts, batch.prompt_mask, **settings)


@pytest.mark.parametrize("family", FAMILIES)
def test_recorded_logprobs_are_those_of_each_text_alone(family):
    model, batch = FAMILIES[family](seed=5), random_batch(5, 1)
    answers, recorded = sample(model, batch)
    assert recorded.dtype == torch.float32
    torch.testing.assert_close(recorded, logprobs_alone(model, answers).detach(), atol=1e-5, rtol=0)
    answers, recorded = sample(exact(model), batch)
    assert recorded.dtype == torch.float64
    torch.testing.assert_close(recorded, response_logprobs(model, answers).detach(), atol=1e-10, rtol=0)
    assert not recorded[~answers.response_mask].any()
    assert len(set(answers.response_mask.sum(-1).flatten().tolist())) > 2, "answers of several lengths"


def test_recorded_logprobs_hold_temperature_and_top_k():
    model, batch = gpt2(seed=1).double(), random_batch(4, 1)
    answers, recorded = sample(model, batch, temperature=0.7, top_k=3)
    logits = []
    for rows in zip(answers.prompts, answers.prompt_mask, answers.responses, answers.response_mask, strict=True):
        prompt, mask, responses, marks = rows
        for tokens, mark in zip(responses, marks, strict=True):
            text = torch.cat([prompt[mask], tokens[mark]])
            logits.append(model(text[None]).logits[0, mask.sum() - 1 : -1])
    for z, tokens, values in zip(logits, answers.responses.flatten(0, 1), recorded.flatten(0, 1), strict=True):
        warped = TopKLogitsWarper(3)(None, TemperatureLogitsWarper(0.7)(None, z))
        expected = torch.log_softmax(warped, -1).gather(1, tokens[: len(z), None])[:, 0]
        torch.testing.assert_close(values[: len(z)], expected.detach(), atol=1e-10, rtol=0)
    assert (recorded - response_logprobs(model, answers)).abs().max() > 0.1, "they are not the policy's"


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.3, None), (2.5, 4), (1.0, 1), (1.0, 11)])
def test_the_sampling_law_is_hugging_faces(temperature, top_k):
    logits = 3 * torch.randn(6, 11, dtype=torch.float64, generator=seeded(2))
    warped = TemperatureLogitsWarper(temperature)(None, logits)
    warped = TopKLogitsWarper(top_k)(None, warped) if top_k else warped
    law = sampling_law(logits, temperature, top_k)
    torch.testing.assert_close(law, torch.log_softmax(warped, -1), atol=1e-12, rtol=0)
    raised = sampling_law(logits.bfloat16(), temperature, top_k)
    assert raised.dtype == torch.float32
    torch.testing.assert_close(raised, sampling_law(logits.bfloat16().float(), temperature, top_k), atol=0, rtol=0)


TABLE = TabularLM(3, 4, generator=seeded(3), std=0.7).double()
QUESTION = torch.tensor([[1]]), torch.tensor([[True]])


def chance_of_samples(eos_id=None, temperature=1.0, top_k=None, n=30_000):
    """p-value of the chi-square of n sampled answers against the law of all answers; 0 when an impossible one is drawn."""
    every = enumerate_answers(*QUESTION, vocab_size=3, length=3, eos_id=eos_id)
    names = [
        tuple(tokens[mask].tolist()) for tokens, mask in zip(every.responses[0], every.response_mask[0], strict=True)
    ]
    law = np.array([np.exp(sum(law_by_hand(TABLE, [1], name, temperature=temperature, top_k=top_k))) for name in names])
    assert law.sum() == pytest.approx(1, abs=1e-12)
    settings = {"k": n, "max_new_tokens": 3, "eos_id": eos_id, "temperature": temperature, "top_k": top_k}
    try:
        batch, _ = generate(TABLE, *QUESTION, **settings, generator=seeded(4))
    except FloatingPointError:  # the log-probability of an impossible token is no number, and generate says so
        return 0.0
    counts = dict.fromkeys(names, 0)
    for tokens, mask in zip(batch.responses[0].tolist(), batch.response_mask.sum(-1)[0].tolist(), strict=True):
        counts[tuple(tokens[:mask])] += 1
    counts, possible = np.array(list(counts.values())), law > 0
    assert n * law[possible].min() > 10, "the chi-square law needs a few of each"
    return 0.0 if counts[~possible].any() else scipy.stats.chisquare(counts[possible], n * law[possible]).pvalue


LAWS = {
    "plain": {},
    "eos": {"eos_id": 2},
    "warm": {"temperature": 1.6},
    "top-k": {"top_k": 2, "temperature": 0.8, "eos_id": 0},
}


@pytest.mark.parametrize("case", LAWS)
def test_samples_follow_the_law(case):
    # Chi-square against all answers, 8 to 27 of them: false alarm 1e-6.
    assert chance_of_samples(**LAWS[case]) > 1e-6


def neighbour(probabilities, uniforms):
    return (invert(probabilities, uniforms) + 1) % probabilities.shape[1]


SAMPLERS = {
    "index off by one": ("invert", neighbour),
    "every token equally likely": ("invert", lambda p, u: (u * p.shape[1]).long()),
    "the uniforms squared": ("invert", lambda p, u: invert(p, u**2)),
    "always the likeliest": ("invert", lambda p, u: p.argmax(-1)),
    "temperature ignored": ("sampling_law", lambda z, temperature, top_k: sampling_law(z, 1.0, top_k)),
    "temperature upside down": ("sampling_law", lambda z, temperature, top_k: sampling_law(z, 1 / temperature, top_k)),
    "top-k ignored": ("sampling_law", lambda z, temperature, top_k: sampling_law(z, temperature, None)),
    "top-k of the least": ("sampling_law", lambda z, temperature, top_k: sampling_law(-z, temperature, top_k)),
}


@pytest.mark.parametrize("mutant", SAMPLERS)
def test_a_sampler_of_another_law_is_rejected(mutant, monkeypatch):
    name, wrong = SAMPLERS[mutant]
    monkeypatch.setattr(language_model, name, wrong)
    assert chance_of_samples(**LAWS["top-k"]) < 1e-6


def test_one_uniform_for_a_whole_answer_is_rejected(monkeypatch):
    """Each token alone would have the right law; together they have not."""
    monkeypatch.setattr(
        torch,
        "rand",
        lambda shape, **how: torch.empty(shape, dtype=how["dtype"]).copy_(
            torch.empty(shape[0], 1, dtype=how["dtype"]).uniform_(generator=how["generator"])
        ),
    )
    assert chance_of_samples() < 1e-6


EIGHTHS = torch.tensor([[0.0, 0.25, 0.0, 0.5, 0.125, 0.125, 0.0]], dtype=torch.float64)


def test_the_edges_of_the_distribution_function():
    """An edge belongs to the next token that can occur; a token of probability 0 is never taken, first or last."""
    hair = 2.0**-53
    cases = {0.0: 1, 0.25 - hair: 1, 0.25: 3, 0.75 - hair: 3, 0.75: 4, 0.875 - hair: 4, 0.875: 5, 1 - hair: 5}
    uniforms = torch.tensor(list(cases), dtype=torch.float64)
    assert invert(EIGHTHS.expand(8, -1), uniforms).tolist() == list(cases.values())
    left = torch.searchsorted(EIGHTHS.cumsum(-1).repeat(8, 1), uniforms[:, None], right=False)
    assert left[:, 0].tolist() != list(cases.values()), "with the other side, 0 is the impossible first token"


def test_sums_that_rounding_leaves_below_one():
    """Ten times 0.1 in float32 adds up to another number than 1; the last token takes the rest, the one behind it none."""
    p = torch.tensor([[0.1] * 10 + [0.0]] * 2)
    low = 0.999 * p
    for probabilities in (p, low):
        drawn = invert(probabilities, torch.tensor([1 - 2.0**-53, 0.35], dtype=torch.float64))
        assert drawn.tolist() == [9, 3]
    naive = torch.searchsorted(low.cumsum(-1), torch.full((2, 1), 0.9995), right=True)
    assert naive[0, 0] == 11, "without the scale the search runs past the vocabulary"


def test_a_parallel_sum_that_rises_where_it_must_not(monkeypatch):
    """The distribution function as a parallel sum might give it: a step of one rounding error at a token of p = 0."""
    p = torch.tensor([[0.5, 0.0, 0.5]], dtype=torch.float64)
    steps = torch.tensor([[0.5, 0.5 + 2.0**-53, 1.0]], dtype=torch.float64)
    monkeypatch.setattr(torch.Tensor, "cumsum", lambda *_, **__: steps)
    assert torch.searchsorted(steps, torch.tensor([[0.5]], dtype=torch.float64), right=True).item() == 1
    assert invert(p, torch.tensor([0.5], dtype=torch.float64)).item() == 0


def test_the_likeliest_answers_are_hugging_faces():
    for family, make in FAMILIES.items():
        model, batch = make(seed=2), random_batch(6, 1, seed=3)
        answers, recorded = sample(model, batch, k=1, top_k=1, max_new_tokens=10)
        out = model.generate(
            batch.prompts * batch.prompt_mask, attention_mask=batch.prompt_mask.long(), do_sample=False,
            max_new_tokens=10, eos_token_id=EOS, pad_token_id=VOCABULARY - 1,
        )[:, batch.prompts.shape[1] :]  # fmt: skip
        mask = answers.response_mask[:, 0]
        assert out.shape == mask.shape, family
        assert torch.equal(answers.responses[:, 0][mask], out[mask]), family
        assert (out[~mask] == VOCABULARY - 1).all(), family
        assert not recorded.any(), "the one token left has probability 1"


class Counted(nn.Module):
    """A model that notes how many rows each call has."""

    def __init__(self, model):
        super().__init__()
        self.model, self.config, self.rows = model, model.config, []

    def forward(self, **inputs):
        self.rows.append(len(inputs["input_ids"]))
        return self.model(**inputs)


def assert_same_answers(first, second):
    (one, logprobs), (other, other_logprobs) = first, second
    assert torch.equal(one.response_mask, other.response_mask)
    assert torch.equal(one.responses, other.responses)
    torch.testing.assert_close(logprobs, other_logprobs, atol=1e-10, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_finished_answers_leave_the_batch_and_nothing_changes(family, monkeypatch):
    model, batch = Counted(exact(FAMILIES[family](seed=5))), random_batch(5, 1)
    dropped = sample(model, batch, max_new_tokens=20)
    rows = model.rows[:]
    assert rows[:2] == [5, 15]
    assert rows == [5, *sorted(rows[1:], reverse=True)]
    assert rows[-1] < 15
    lengths = dropped[0].response_mask.sum(-1).flatten()
    for t, running in enumerate(rows[1:], 1):
        live = int((lengths > t).sum())
        assert live <= running <= live / 0.8 + 1e-9
    monkeypatch.setattr(language_model, "LIVE_SHARE", 0.0)
    model.rows = []
    kept = sample(model, batch, max_new_tokens=20)
    assert set(model.rows[1:]) == {15}
    assert_same_answers(dropped, kept)


def test_the_wrong_rows_of_the_cache_are_noticed(monkeypatch):
    """The control: the same comparison with a cache that keeps its first rows instead of the live ones."""
    from transformers import DynamicCache

    select = DynamicCache.batch_select_indices
    model, batch = exact(gpt2(seed=4)), random_batch(5, 1)
    right = sample(model, batch, max_new_tokens=20)
    wrong_rows = lambda cache, kept: select(cache, torch.arange(len(kept)))  # noqa: E731
    monkeypatch.setattr(DynamicCache, "batch_select_indices", wrong_rows)
    with pytest.raises(AssertionError):
        assert_same_answers(right, sample(model, batch, max_new_tokens=20))


def test_the_same_tokens_however_prompts_are_split_or_padded():
    model, batch = exact(gpt2(seed=4)), random_batch(6, 1, seed=2)
    whole = sample(model, batch)
    generator = seeded()
    parts = [sample(model, batch.rows(rows), generator=generator) for rows in (slice(0, 1), slice(1, 4), slice(4, 6))]
    r = whole[0].responses.shape[2]
    for name in ("responses", "response_mask"):
        pieces = [nn.functional.pad(getattr(p, name), (0, r - p.responses.shape[2])) for p, _ in parts]
        assert torch.equal(torch.cat(pieces), getattr(whole[0], name))
    for left, fill in ((4, -100), (1, 10**6)):
        assert_same_answers(sample(model, padded(batch, left, 0, fill)), whole)
    other = sample(model, batch, generator=seeded(1))
    assert not torch.equal(other[0].responses[..., 0], whole[0].responses[..., 0])


def test_the_eos_ends_an_answer_and_counts():
    answers, _ = sample(gpt2(seed=4), random_batch(8, 1, seed=4), k=4)
    lengths = answers.response_mask.sum(-1)
    is_eos = (answers.responses == EOS) & answers.response_mask
    assert answers.responses.shape[2] == lengths.max() <= 8
    assert 0 < (is_eos.sum(-1) == 1).sum() < is_eos[..., 0].numel(), "some end and some are cut"
    last = is_eos.gather(-1, lengths[..., None] - 1)[..., 0]
    assert torch.equal(last, is_eos.any(-1)), "where there is one it is the last"
    assert (lengths[~last] == 8).all()
    endless, _ = sample(gpt2(seed=4), random_batch(8, 1, seed=4), k=4, eos_id=None)
    assert endless.response_mask.all()
    assert endless.responses.shape == (8, 4, 8)
    same = endless.responses[..., : answers.responses.shape[2]] == answers.responses
    assert same[answers.response_mask].all()


def test_no_gradient_and_no_seed_of_the_process():
    model, batch = gpt2(seed=1), random_batch(2, 1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    _, recorded = sample(model, batch)
    assert not recorded.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_several_ranks_take_equally_many_steps(monkeypatch):
    """One rank of two, in name: it goes on with a finished answer until all steps are taken; the answers are the same."""
    model, batch = Counted(exact(gpt2(seed=4))), random_batch(1, 1, seed=5)
    alone = sample(model, batch, max_new_tokens=20, generator=seeded(2))
    assert len(model.rows) < 20
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    model.rows = []
    assert_same_answers(sample(model, batch, max_new_tokens=20, generator=seeded(2)), alone)
    assert len(model.rows) == 20
    assert model.rows[-1] == 1


BAD_SETTINGS = {
    "no answer": ({"k": 0}, "k and max_new_tokens must be 1 or more; got k=0"),
    "no token": ({"max_new_tokens": 0}, "got k=3, max_new_tokens=0"),
    "temperature 0": ({"temperature": 0.0}, "temperature must be positive.*got 0.0"),
    "temperature nan": ({"temperature": float("nan")}, "temperature must be positive"),
    "temperature infinite": ({"temperature": float("inf")}, "temperature must be positive and finite"),
    "top-k 0": ({"top_k": 0}, "top_k must be None or from 1 to the 11 tokens"),
    "top-k too large": ({"top_k": 12}, "got 12"),
    "eos outside": ({"eos_id": 11}, "eos_id must be None or a token from 0 to 10; got 11"),
    "eos below": ({"eos_id": -1}, "eos_id must be None or a token"),
    "too long": (
        {"max_new_tokens": 28},
        "max_new_tokens=28 and the longest prompt need 33 positions; the model has 32",
    ),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_make_no_sense_are_refused(case):
    settings, sentence = BAD_SETTINGS[case]
    with pytest.raises(ValueError, match=sentence):
        sample(gpt2(seed=1), random_batch(4, 1), **settings)


def test_an_answer_may_fill_the_context():
    batch = random_batch(4, 1)
    assert batch.prompt_mask.sum(1).max() == 5
    answers, recorded = sample(gpt2(seed=1), padded(batch, 30, 0, 0), max_new_tokens=27, eos_id=None)
    assert answers.responses.shape[2] == 27
    torch.testing.assert_close(recorded, response_logprobs(gpt2(seed=1), answers).detach(), atol=1e-5, rtol=0)


def test_a_model_without_a_cache_or_without_numbers_is_refused():
    model = gpt2(seed=1)
    model.config.use_cache = False
    forward = model.forward
    model.forward = lambda **inputs: forward(**(inputs | {"use_cache": False}))
    with pytest.raises(ValueError, match=r"model must hand a cache back; call model.eval\(\)"):
        sample(model, random_batch(2, 1))
    broken = gpt2(seed=1)
    broken.lm_head.weight.data[3] = float("nan")
    with pytest.raises(FloatingPointError, match="model gives logits that are not finite"):
        sample(broken, random_batch(2, 1))


def test_prompts_padded_on_the_right_are_refused():
    tokens, mask = torch.ones(1, 3, dtype=torch.int64), torch.tensor([[True, True, False]])
    with pytest.raises(ValueError, match="pad on the left"):
        generate(gpt2(), tokens, mask, max_new_tokens=2, eos_id=None, generator=seeded())


def save(folder, model, words=None):
    model.save_pretrained(folder)
    (words or tokenizer()).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A GPT-2 and a Llama with dropout, as somebody might have saved them."""
    rates = {"resid_pdrop": 0.1, "embd_pdrop": 0.2, "attn_pdrop": 0.3}
    root = tmp_path_factory.mktemp("models")
    return {
        "gpt2": save(root / "gpt2", gpt2(seed=6, **rates)),
        "llama": save(root / "llama", llama(seed=6, attention_dropout=0.4)),
        "half": save(root / "half", gpt2(seed=6).half()),
    }


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_loaded_model_is_the_saved_one_without_dropout(folders, family):
    tokens = torch.tensor([[1, 2, 3, 4]])
    saved = {"gpt2": gpt2, "llama": llama}[family](seed=6)(tokens).logits
    model, words = load(folders[family])
    assert not model.training
    torch.testing.assert_close(model(tokens).logits, saved, atol=0, rtol=0)
    torch.testing.assert_close(model.train()(tokens).logits, saved, atol=1e-6, rtol=0)
    dropped = AutoModelForCausalLM.from_pretrained(folders[family]).train()
    torch.manual_seed(0)
    assert (dropped(tokens).logits - saved).abs().max() > 1e-3, "as saved, it drops out in train mode"
    assert words("my cat tldr")["input_ids"] == [0, 1, 5]


def test_type_and_device_are_as_asked(folders):
    model, _ = load(folders["half"])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
    model, _ = load(str(folders["half"]), device="cpu", dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}


def test_a_gpu_that_is_not_there_is_refused(folders, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device='cuda:0' needs a GPU that torch can use, and there is none"):
        load(folders["gpt2"], device="cuda:0")


def test_without_a_padding_token_the_eos_serves(folders, tmp_path):
    _, words = load(folders["gpt2"])
    assert (words.pad_token, words.padding_side) == ("<eos>", "left")
    _, words = load(save(tmp_path / "padded", gpt2(), tokenizer(pad="<pad>")))
    assert (words.pad_token_id, words.eos_token_id) == (10, 9)


def test_loading_is_silent_and_leaves_no_trace(folders, capfd):
    before = logging.is_progress_bar_enabled(), logging.get_verbosity()
    load(folders["gpt2"])
    assert capfd.readouterr() == ("", "")
    assert (logging.is_progress_bar_enabled(), logging.get_verbosity()) == before
    AutoModelForCausalLM.from_pretrained(folders["gpt2"])
    assert "Loading weights" in capfd.readouterr().err, "as it comes, transformers shows a bar"


@pytest.mark.parametrize("hub", [True, False])
def test_bars_that_were_off_stay_off(folders, hub, monkeypatch):
    from huggingface_hub import utils

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    if not hub:
        utils.enable_progress_bars()
    try:
        load(folders["gpt2"])
        assert not logging.is_progress_bar_enabled()
        assert utils.are_progress_bars_disabled() == hub
    finally:
        if shown:
            logging.enable_progress_bar()


def without_weights(folder):
    (folder / "model.safetensors").unlink()


def pickled_only(folder):
    torch.save(gpt2().state_dict(), folder / "pytorch_model.bin")
    without_weights(folder)


def cut_short(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def of_another_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_embd": 20}))


def without_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def nonsense(folder):
    (folder / "config.json").write_text("{no json")


def of_unknown_kind(folder):
    (folder / "config.json").write_text('{"model_type": "unheard-of"}')


def with_code(folder):
    code = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "unheard-of", "auto_map": code}))
    (folder / "evil.py").write_text("raise SystemExit('this code was run')")


def no_causal_model(folder):
    T5Config(vocab_size=11, d_model=16, num_layers=1, num_heads=2, d_kv=8, d_ff=16).save_pretrained(folder)


def empty(folder):
    shutil.rmtree(folder)
    folder.mkdir()


SPOILED = {
    empty: (FileNotFoundError, r"the folder '.*model' holds no model \(no config.json\)"),
    without_weights: (FileNotFoundError, "holds no weights as safetensors; pickled ones"),
    pickled_only: (FileNotFoundError, r"pickled ones \(.bin, .pt\) can run code and are not read"),
    cut_short: (ValueError, "the weights of '.*' are damaged or do not fit its config"),
    of_another_shape: (ValueError, "damaged or do not fit its config"),
    without_tokenizer: (FileNotFoundError, "holds no tokenizer; save it there with save_pretrained"),
    nonsense: (ValueError, r"config.json in '.*' cannot be read"),
    of_unknown_kind: (ValueError, "is no model that transformers knows, and code that comes with a model is never run"),
    with_code: (ValueError, "code that comes with a model is never run"),
    no_causal_model: (ValueError, "is a t5, no causal language model"),
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_folder_that_holds_no_model_gets_one_sentence(spoil, folders, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(folders["gpt2"], folder)
    load(folder)
    spoil(folder)
    kind, sentence = SPOILED[spoil]
    with pytest.raises(kind, match=f"^name_or_path: .*{sentence}") as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_weights_that_are_missing_are_not_made_up(tmp_path):
    """A Llama saved without its head: transformers alone would load it with a head of random numbers."""
    folder = save(tmp_path / "trunk", llama(seed=1).model)
    assert isinstance(llama().model, LlamaModel)
    with pytest.raises(ValueError, match=r"lacks weights: lm_head.weight\.$"):
        load(folder)


@pytest.mark.parametrize("name", ["gpt2", "nobody/no-such-model", "./no/such/folder", "C:\\models"])
def test_the_hub_out_of_reach_gets_one_sentence(name, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="is no folder here and not to be had from the Hub: no such model") as caught:
        load(name)
    assert repr(name)[1:-1].replace("\\\\", "\\") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pickle_is_never_opened(folders, tmp_path, monkeypatch):
    """The control: the guard off, transformers reads the pickled weights."""
    folder = tmp_path / "model"
    shutil.copytree(folders["gpt2"], folder)
    pickled_only(folder)
    opened = []
    read = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **k: opened.append(a) or read(*a, **k))
    with pytest.raises(FileNotFoundError):
        load(folder)
    assert opened == []
    AutoModelForCausalLM.from_pretrained(folder)
    assert len(opened) == 1


def test_the_shipped_model():
    """It loads without network, samples text from a prompt, and its tokenizer has a padding token of its own."""
    model, words = load("tiny")
    assert not model.training
    assert words.pad_token_id != words.eos_token_id
    assert len(words) <= model.config.vocab_size
    with (language_model.resources.files("rlhw") / "tiny" / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    assert {entry["dtype"] for name, entry in header.items() if name != "__metadata__"} <= {"F32", "F16", "BF16"}
    prompts, mask = collate_prompts(["TL;DR:"], words, max_length=model.config.max_position_embeddings - 24)
    batch, recorded = generate(
        model, prompts, mask, k=4, max_new_tokens=24, eos_id=words.eos_token_id, generator=seeded()
    )
    torch.testing.assert_close(recorded, response_logprobs(model, batch).detach(), atol=1e-5, rtol=0)
    assert all(isinstance(text, str) for text in answer_texts(batch, words)[0])
