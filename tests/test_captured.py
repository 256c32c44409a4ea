"""Captured sampling: the same answers as the plain path, through training too; a graph is played by a recording on the CPU."""

import copy

import numpy as np
import pytest
import scipy.stats
import torch
from replayed import play_graphs
from small_models import EOS, VOCABULARY, gpt2, padded, random_batch
from tiny_models import FAMILIES, exact
from torch import nn
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, MistralConfig, MistralForCausalLM, OPTConfig, OPTForCausalLM

from rlhw import captured, decoding_step
from rlhw.captured import Captured, sampling, why_not
from rlhw.decoding_step import Columns, Prefix, Step, attend
from rlhw.grpo import GRPOConfig, train_grpo
from rlhw.language_model import generate
from rlhw.logprobs import response_logprobs
from rlhw.ppo import FixedKL
from rlhw.tabular_lm import TabularLM


def wide_gpt2(seed=0):
    return gpt2(seed, n_embd=24, n_layer=3, n_head=3, n_positions=160)


MODELS = FAMILIES | {"wide gpt2": wide_gpt2}


@pytest.fixture(params=["eager", "replayed"])
def way(request, monkeypatch):
    if request.param == "replayed":
        play_graphs(monkeypatch, Step)
    return request.param


@pytest.fixture
def replayed(monkeypatch):
    play_graphs(monkeypatch, Step)


def sample(model, batch, seed=0, **settings):
    settings = {"k": 3, "max_new_tokens": 10, "eos_id": EOS} | settings
    return generate(model, batch.prompts, batch.prompt_mask, generator=torch.Generator().manual_seed(seed), **settings)


def apart(first, second):
    """How far two samples are: 0 to rounding, or infinite where a token differs."""
    (one, logprobs), (other, other_logprobs) = first, second
    same = one.responses.shape == other.responses.shape and torch.equal(one.responses, other.responses)
    return float((logprobs - other_logprobs).abs().max()) if same else float("inf")


@pytest.mark.usefixtures("replayed")
@pytest.mark.parametrize("family", MODELS)
def test_the_same_answers_as_the_plain_path(family):
    model = exact(MODELS[family](seed=5))
    policy = Captured(model, 10)
    lengths = set()
    for seed, settings in enumerate([{}, {"k": 1}, {"eos_id": None}, {"temperature": 0.7, "top_k": 4}]):
        batch = random_batch(4, 1, seed, longest_prompt=3 + seed)
        plain = sample(model, batch, **settings)
        lengths |= set(plain[0].response_mask.sum(-1).flatten().tolist())
        assert apart(plain, sample(policy, batch, **settings)) < 1e-12
        with torch.no_grad():  # as an optimizer changes them: where they are
            for parameter in model.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
    assert len(lengths) > 4, "answers of many lengths, so rows were dropped"
    assert len(policy.steps) == 2, "one graph for k = 3, one for k = 1: near lengths share it"


def test_in_float32_and_with_a_context_that_is_filled(way):
    model, batch = wide_gpt2(seed=2), padded(random_batch(3, 1), 80, 0, 0)
    plain = sample(model, batch, max_new_tokens=20, eos_id=None)
    assert apart(plain, sample(Captured(model, 20), batch, max_new_tokens=20, eos_id=None)) < 1e-5


MUTANTS = {
    "positions off by one": (Step, "logits", lambda self, own, rows, t, p, c: own(self, rows, t, p + 1, c)),
    "column overwritten": (Step, "logits", lambda self, own, rows, t, p, c: own(self, rows, t, p, 0)),
    "mask one column ahead": (decoding_step, "attend", lambda q, own, pr, an, pb, ab, s: own(q, pr, an, pb, ab.roll(1), s)),
    "mask not updated": (
        decoding_step, "attend", lambda q, own, pr, an, pb, ab, s: own(q, pr, an, pb, ab.where(torch.arange(len(ab)) < 1, -1e9), s),
    ),
    "padding is seen": (decoding_step, "attend", lambda q, own, pr, an, pb, ab, s: own(q, pr, an, 0 * pb, ab, s)),
    "scaled twice": (decoding_step, "attend", lambda q, own, pr, an, pb, ab, s: own(q, pr, an, pb, ab, s * s)),
    "answers share prompts out of order": (
        decoding_step, "attend",
        lambda q, own, pr, an, pb, ab, s: own(q, tuple(x.flip(0) for x in pr), an, pb.flip(0), ab, s),
    ),
    "keys not written": (Columns, "update", lambda self, own, k, v, i: own(self, 0 * k, v, i)),
    "rows forgotten": (Prefix, "batch_select_indices", lambda self, own, kept: own(self, torch.arange(len(kept)))),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_step_that_is_wrong_gives_other_answers(mutant, monkeypatch):
    place, name, wrong = MUTANTS[mutant]
    own = getattr(place, name)
    model, batch = exact(wide_gpt2(seed=5)), random_batch(4, 1, 1)
    plain = sample(model, batch)
    monkeypatch.setattr(place, name, lambda first, *rest: wrong(first, own, *rest))
    assert apart(plain, sample(Captured(model, 10), batch)) > 1e-3


@pytest.mark.usefixtures("replayed")
def test_a_column_that_python_knew_is_frozen_in_a_recording(monkeypatch):
    """The control of the recording: eagerly this mutant is right, as a graph it writes one column again and again."""

    def update(self, keys, values, layer_idx, *_, **__):
        for own, new in zip(self.answers[layer_idx], (keys, values), strict=True):
            own[:, :, int(self.width_now)] = new[:, :, 0]
        return self.answers[layer_idx]

    def logits(self, rows, tokens, positions, column):
        self.cache.width_now = column
        return own(self, rows, tokens, positions, column)

    own = Step.logits
    model, batch = exact(gpt2(seed=5)), random_batch(4, 1, 1)
    plain = sample(model, batch)
    monkeypatch.setattr(Columns, "update", update)
    monkeypatch.setattr(Columns, "width_now", 0, raising=False)
    monkeypatch.setattr(Step, "logits", logits)
    assert apart(plain, sample(Captured(model, 10), batch)) > 1e-3
    monkeypatch.undo()
    monkeypatch.setattr(Columns, "update", update)
    monkeypatch.setattr(Columns, "width_now", 0, raising=False)
    monkeypatch.setattr(Step, "logits", logits)
    assert apart(plain, sample(Captured(model, 10), batch)) < 1e-12


@pytest.mark.usefixtures("replayed")
def test_a_step_that_makes_the_host_wait_is_refused(monkeypatch):
    model = gpt2()
    forward = model.forward
    model.forward = lambda **inputs: forward(**inputs) if inputs["position_ids"].sum().item() >= 0 else None
    assert "GPT2LMHeadModel cannot be captured: CUDA cannot capture its step (operation not permitted" in why_not(model)


def test_attention_is_torchs_own_over_repeated_prompts():
    g = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    b, k, groups, heads, p, r, d, e = 3, 4, 2, 6, 5, 7, 8, 9
    query = draw(b * k, heads, 1, d)
    prompts, answers = (
        (draw(b, groups, p, d), draw(b, groups, p, e)),
        (draw(b * k, groups, r, d), draw(b * k, groups, r, e)),
    )
    prompt_bias, answer_bias = draw(b, 1, 1, p), draw(r)
    ours = attend(query, prompts, answers, prompt_bias, answer_bias, 0.3)
    keys, values = (torch.cat([own.repeat_interleave(k, 0), new], 2) for own, new in zip(prompts, answers, strict=True))
    bias = torch.cat([prompt_bias.repeat_interleave(k, 0), answer_bias.expand(b * k, 1, 1, r)], -1)
    whole = nn.functional.scaled_dot_product_attention(query, keys, values, bias, scale=0.3, enable_gqa=True)
    torch.testing.assert_close(ours, whole.transpose(1, 2), atol=1e-12, rtol=0)


def test_samples_follow_the_law():
    """Chi-square of 3,000 answers of two tokens against the law of all 25, each text read alone: false alarm 1e-6."""
    size, count, prompt = 5, 3_000, torch.tensor([[3, 2]])
    model = gpt2(
        seed=4, initializer_range=0.15, vocab_size=size, bos_token_id=0, eos_token_id=0, pad_token_id=0
    ).double()
    batch, recorded = generate(
        Captured(model, 2), prompt, prompt >= 0, k=count, max_new_tokens=2, eos_id=None,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    texts = torch.cartesian_prod(prompt[0, :1], prompt[0, 1:], torch.arange(size))
    with torch.no_grad():
        first, second = (model(t).logits[:, -1].log_softmax(-1) for t in (prompt, texts))
    law, drawn = (first[0, :, None] + second).flatten(), batch.responses[0] @ torch.tensor([size, 1])
    expected, counts = count * law.exp().numpy(), np.bincount(drawn.numpy(), minlength=size**2)
    assert expected.min() > 5
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-6
    assert scipy.stats.chisquare(counts, np.roll(expected, 1)).pvalue < 1e-6, "the control"
    torch.testing.assert_close(recorded[0].sum(-1), law[drawn], atol=1e-10, rtol=0)


def trained(policy, model, steps=2):
    prompts = [(b.prompts, b.prompt_mask) for b in (random_batch(2, 1, seed) for seed in range(steps))]
    config = GRPOConfig(max_new_tokens=6, eos_id=EOS, k=3, epochs=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    reward = lambda batch: (batch.responses * batch.response_mask).sum(-1).double()  # noqa: E731
    reference = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(3)
    loop = train_grpo(policy, reference, reward, prompts, optimizer, config, generator=generator, kl=FixedKL(0.1))
    return list(loop)


@pytest.mark.usefixtures("replayed")
def test_a_training_run_is_the_same():
    plain, model = exact(gpt2(seed=5)), exact(gpt2(seed=5))
    policy = Captured(model, 6)
    for one, other in zip(trained(plain, plain), trained(policy, model), strict=True):
        assert one == pytest.approx(other, abs=1e-9)
    for own, other in zip(plain.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(own, other, atol=1e-9, rtol=0)
    assert len(policy.steps) == 1, "one graph for the whole run"


@pytest.mark.usefixtures("replayed")
def test_weights_that_move_are_captured_anew():
    model, batch = exact(gpt2(seed=5)), random_batch(4, 1)
    policy, other = Captured(model, 10), exact(gpt2(seed=6))
    sample(policy, batch)
    (step,) = policy.steps.values()
    model.load_state_dict(other.state_dict())
    assert apart(sample(other, batch), sample(policy, batch)) < 1e-12
    assert [*policy.steps.values()] == [step], "copied in place"
    model.transformer.ln_f.weight = nn.Parameter(2 * model.transformer.ln_f.weight.detach())
    moved = sample(model, batch)
    assert apart(moved, sample(policy, batch)) < 1e-12
    assert [*policy.steps.values()] != [step]
    model.transformer.ln_f.weight = nn.Parameter(0.5 * model.transformer.ln_f.weight.detach())
    policy.state = (torch.float64, *((w.data_ptr(), w.dtype) for w in [*model.parameters(), *model.buffers()]))
    assert apart(sample(model, batch), sample(policy, batch)) > 1e-3, "unnoticed, the old graph would go on"


def test_nothing_of_an_earlier_rollout_is_left():
    model, batch = exact(gpt2(seed=5)), random_batch(4, 1)
    policy, plain = Captured(model, 10), sample(model, batch)
    good = copy.deepcopy(model.state_dict())
    model.transformer.h[0].attn.c_attn.weight.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError):
        sample(policy, batch, eos_id=None)
    model.load_state_dict(good)
    assert apart(plain, sample(policy, batch)) < 1e-12


def test_with_gradients_it_is_the_model_itself():
    model, batch = exact(gpt2(seed=5)), random_batch(3, 2)
    policy = Captured(model, 4)
    for short in (batch, random_batch(3, 2, longest_answer=1)):
        own = response_logprobs(model, short)
        own.square().sum().backward()
        gradients = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        response_logprobs(policy, short).square().sum().backward()
        for gradient, parameter in zip(gradients, policy.parameters(), strict=True):
            assert torch.equal(gradient, parameter.grad)
        model.zero_grad()
        with torch.no_grad():
            torch.testing.assert_close(response_logprobs(policy, short), own.detach(), atol=1e-12, rtol=0)
    tokens = batch.prompts
    assert torch.equal(policy(tokens).logits, model(tokens).logits)


def bf16(model):
    """As accelerate prepares it on a GPU that can: float32 weights, called in bfloat16."""
    from accelerate import Accelerator

    return Accelerator(cpu=True, mixed_precision="bf16").prepare_model(model)


@pytest.mark.usefixtures("replayed", "own_precision")
def test_in_mixed_precision_the_matrices_are_cast_once_a_rollout(monkeypatch):
    model, batch = bf16(wide_gpt2(seed=5)), random_batch(4, 1)
    policy = Captured(model, 10)
    first = sample(policy, batch)
    names = set(policy.halves)
    assert "lm_head.weight" in names, "cast"
    assert not any("wte" in name or "ln_" in name for name in names), "the embedding that is tied to it is not"
    assert {half.dtype for half in policy.halves.values()} == {torch.bfloat16}
    with torch.no_grad():
        recorded = response_logprobs(model, first[0])
    assert 1e-6 < (recorded - first[1]).abs().max() < 0.1, "of bfloat16's rounding"
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1.1
    second = sample(policy, batch)
    monkeypatch.setattr(captured, "_halves", lambda *_: {})
    assert apart(second, sample(Captured(model, 10), batch)) == 0, "as if cast at each step, bit for bit"
    policy.halves.clear()
    assert apart(first, second) > 1e-3, "the change of the weights is seen"


@pytest.mark.usefixtures("replayed", "own_precision")
@pytest.mark.parametrize("make", ["llama", "qwen2", "neox"])
def test_rotary_positions_under_autocast_are_kept_in_16_bits_too(make):
    """The model's own cache is float32 there: the rotation is worked out in float32, and values are joined to an empty float32."""
    model, batch = bf16(neox(seed=5) if make == "neox" else FAMILIES[make](seed=5)), random_batch(4, 1)
    with torch.no_grad():
        own = model(batch.prompts, use_cache=True).past_key_values.layers[0]
    assert {own.keys.dtype, own.values.dtype} == {torch.float32}, "or nothing is tested"
    assert why_not(model) == ""
    policy = Captured(model, 10)
    for factor in (1.0, 1.1):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter *= factor
            answers, recorded = sample(policy, batch)
            assert 1e-6 < (recorded - response_logprobs(model, answers)).abs().max() < 0.1, "of bfloat16's rounding"
    (step,) = policy.steps.values()
    kept = [x for pairs in (step.cache.prompts, step.cache.answers) for pair in pairs for x in pair]
    assert {x.dtype for x in [*kept, *policy.halves.values()]} == {torch.bfloat16}
    assert policy.halves, "matrices are cast once a rollout"
    assert not any(part._forward_hooks for part in model.modules()), "the model is left as it was"


@pytest.mark.usefixtures("replayed")
def test_casts_that_autocast_keeps_do_not_go_stale(monkeypatch):
    """Made in the middle of an autocast block whose cache is full, and used in a later one with other weights."""
    model, batch = wide_gpt2(seed=5), random_batch(4, 1)
    monkeypatch.setattr(captured, "_halves", lambda *_: {})

    def after_a_change():
        policy = Captured(model, 10)
        with torch.autocast("cpu", torch.bfloat16):
            model(batch.prompts)
            sample(policy, batch)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter *= 1.1
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            answers, recorded = sample(policy, batch)
            return float((recorded - response_logprobs(model, answers)).abs().max())

    assert after_a_change() < 0.2


def neox(seed=0):
    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    return GPTNeoXForCausalLM(config).eval()


def opt(seed=0):
    torch.manual_seed(seed)
    config = OPTConfig(
        vocab_size=VOCABULARY, hidden_size=16, ffn_dim=20, num_hidden_layers=2, num_attention_heads=2, dropout=0.0,
        max_position_embeddings=64, init_std=0.3, word_embed_proj_dim=16,
    )  # fmt: skip
    return OPTForCausalLM(config).eval()


def mistral(window, seed=0):
    torch.manual_seed(seed)
    config = MistralConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=window, initializer_range=0.3,
    )  # fmt: skip
    return MistralForCausalLM(config).eval()


@pytest.mark.parametrize("make", [neox, opt], ids=["neox", "opt"])
def test_other_families(make):
    model, batch = make(), random_batch(4, 1)
    assert why_not(model) == ""
    assert apart(sample(model, batch), sample(Captured(model, 10), batch)) < 1e-5


def test_what_cannot_be_captured_is_refused_with_the_reason(monkeypatch):
    reason = why_not(mistral(4))
    assert (
        "MistralForCausalLM cannot be captured: its cache is not of keys and values of the whole text (DynamicSl"
        in reason
    )
    table = TabularLM(3, 4)
    assert "TabularLM cannot be captured" in why_not(table)
    prompts = torch.tensor([[1]])
    with pytest.raises(ValueError, match=r"TabularLM cannot be captured.*sample from the model itself"):
        generate(Captured(table, 2), prompts, prompts > 0, max_new_tokens=2, eos_id=None, generator=torch.Generator())
    model = gpt2()
    model.config.reorder_and_upcast_attn = True
    assert why_not(model) == ""
    monkeypatch.setattr(decoding_step, "attend", lambda query, *rest: 2 * attend(query, *rest))
    assert "gives other logits when captured" in why_not(model)


def test_a_model_without_a_cache_and_one_whose_step_breaks_are_told_and_do_not_end_a_run(monkeypatch):
    model = gpt2().train()
    model.transformer.gradient_checkpointing = True
    assert "GPT2LMHeadModel cannot be captured: it hands no cache back; sample from the model itself." in why_not(model)

    def breaks(error):
        def attention(*inputs, **options):
            raise error

        monkeypatch.setattr(Step, "_attend", attention)
        return why_not(gpt2())

    assert "its step fails (RuntimeError: expected the same dtype)" in breaks(RuntimeError("expected the same dtype"))
    assert "its step fails (TypeError: " in breaks(TypeError("no such argument"))
    with pytest.raises(torch.OutOfMemoryError):
        breaks(torch.OutOfMemoryError("CUDA out of memory."))


def test_an_attention_that_passes_ours_by_is_refused(monkeypatch):
    model, sdpa = gpt2(), decoding_step.ALL_ATTENTION_FUNCTIONS["sdpa"]
    monkeypatch.setattr(Step, "_attend", lambda step, *inputs, **options: sdpa(*inputs, **options))
    assert "its attention cannot be exchanged" in why_not(model)


def test_too_long_an_answer_and_two_rollouts_at_once_are_refused():
    model, batch = gpt2(n_positions=64), random_batch(4, 1)
    with pytest.raises(ValueError, match="max_new_tokens must be 1 or more; got 0"):
        Captured(model, 0)
    with pytest.raises(ValueError, match="captured for 16 at most"):
        sample(Captured(model, 4), batch, max_new_tokens=20, eos_id=None)
    policy, mask = Captured(model, 4), batch.prompt_mask.long()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    inputs = {"input_ids": batch.prompts, "attention_mask": mask, "position_ids": positions}

    def go_on(cache):
        longer = nn.functional.pad(mask, (0, 1), value=1)
        return policy(
            input_ids=mask[:, :1],
            attention_mask=longer,
            position_ids=mask.sum(1)[:, None],
            past_key_values=cache,
            use_cache=True,
        )

    with torch.no_grad():
        one, two = (policy(**inputs, use_cache=True).past_key_values for _ in range(2))
        go_on(one)
        go_on(two)
        with pytest.raises(RuntimeError, match="another rollout has begun"):
            go_on(one)
        with pytest.raises(RuntimeError, match="decoding has begun"):
            policy(input_ids=batch.prompts, past_key_values=two)


def test_no_more_graphs_are_kept_than_said(monkeypatch):
    monkeypatch.setattr(captured, "KEPT", 2)
    model = gpt2()
    policy = Captured(model, 4)
    for count in (1, 2, 3, 2):
        sample(policy, random_batch(count, 1), max_new_tokens=4)
    assert [shape[0] for shape in policy.steps] == [3, 2]


class OnGPU(nn.Module):
    """What `sampling` asks of a model before it decides."""

    class Weight:
        device = torch.device("cuda")

    def __init__(self, model):
        super().__init__()
        self.model, self.config = model, model.config

    def parameters(self):
        return iter([self.Weight()])


def test_sampling_is_captured_on_a_gpu_and_says_where_it_is_not(monkeypatch):
    model, said = gpt2(), []
    assert sampling(model, 4, said.append) is model
    monkeypatch.setattr(captured, "why_not", lambda model: "")
    there = sampling(OnGPU(model), 4, said.append)
    assert isinstance(there, Captured)
    assert (there.config, there.longest) == (model.config, 16)
    assert said == []
    monkeypatch.setattr(captured, "why_not", lambda model: "it is odd.")
    assert isinstance(sampling(OnGPU(model), 4, said.append), OnGPU)
    assert said == ["Sampling without captured steps: it is odd."]
