"""A checkpoint of another model or optimizer: the first difference is named, and nothing is loaded."""

import pytest
import torch
from small_models import gpt2, llama

from rlhw import checkpoint
from rlhw.reward_model import RewardModel, last_token, sum_of_tokens


def frozen(model):
    model.transformer.h[0].requires_grad_(False)
    return model


def adamw(model):
    return torch.optim.AdamW(p for p in model.parameters() if p.requires_grad)


OTHERS = {
    "a width": (lambda: gpt2(n_embd=8), r"'transformer.wte.weight' is \(11, 16\) of float32 in the file and \(11, 8\)"),
    "a layer more": (lambda: gpt2(n_layer=3), r"'transformer.h.2.ln_1.weight' is missing in the file and \(16,\) of float32"),
    "a layer less": (lambda: gpt2(n_layer=1), r"'transformer.h.1.attn.c_attn.bias' is \(48,\) of float32 in the file and missing"),
    "heads": (lambda: gpt2(n_head=4), "its configuration has n_head=2 in the file and 4 here"),
    "an activation": (lambda: gpt2(activation_function="relu"), "activation_function='gelu_new' in the file and 'relu'"),
    "a precision": (lambda: gpt2().double(), r"\(11, 16\) of float32 in the file and \(11, 16\) of float64 here"),
    "a class": (llama, r"a GPT2LMHeadModel\(\) in the file and a LlamaForCausalLM\(\) here"),
    "a read-out": (lambda: RewardModel(gpt2().transformer, sum_of_tokens), "a RewardModel\\(read=last_token\\) in the file and a"),
    "untied": (lambda: gpt2(tie_word_embeddings=False), "'lm_head.weight' is missing in the file"),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERS)
def test_a_checkpoint_of_another_model_is_refused_in_one_sentence(tmp_path, case):
    make, sentence = OTHERS[case]
    model = RewardModel(gpt2().transformer, last_token) if case == "a read-out" else gpt2()
    path = checkpoint.save(tmp_path, 3, model=model)
    checkpoint.load(path, model=model)
    other = make()
    before = [tensor.clone() for tensor in other.state_dict().values()]
    with pytest.raises(
        ValueError, match=f"model is not the one of .*step_00000003.safetensors: .*{sentence}"
    ) as caught:
        checkpoint.load(path, model=other)
    assert "\n" not in str(caught.value)
    assert all(map(torch.equal, other.state_dict().values(), before)), "nothing is loaded by halves"


def test_heads_would_be_let_through_by_names_and_shapes(tmp_path):
    other = gpt2(n_head=4)
    other.load_state_dict(gpt2().state_dict())
    tokens = torch.tensor([[1, 2, 3]])
    assert (other(tokens).logits - gpt2()(tokens).logits).abs().max() > 0.1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda model: torch.optim.SGD(model.parameters()), "it is a AdamW in the file and a SGD here"),
        (
            lambda model: adamw(frozen(model)),
            "it trains transformer.h.0.ln_1.weight in the file where it trains transf",
        ),
        (
            lambda model: torch.optim.AdamW(list(model.parameters())[:-1]),
            "ln_f.bias in the file where it trains nothing here",
        ),
        (
            lambda model: torch.optim.AdamW([{"params": [p]} for p in model.parameters()]),
            "stand in other groups in the f",
        ),
    ],
)
def test_a_checkpoint_of_another_optimizer_is_refused_in_one_sentence(tmp_path, make, sentence):
    model = gpt2()
    path = checkpoint.save(tmp_path, 3, model=model, optimizer=adamw(model))
    other = gpt2(seed=1)
    before = other.lm_head.weight.detach().clone()
    with pytest.raises(ValueError, match=f"optimizer is not the one of .*step_00000003.safetensors: .*{sentence}"):
        checkpoint.load(path, model=other, optimizer=make(other))
    assert torch.equal(other.lm_head.weight, before)


def test_what_says_nothing_about_the_function_may_differ(tmp_path):
    path = checkpoint.save(tmp_path, 3, model=gpt2())
    other = gpt2(seed=1, use_cache=False, name_or_path="elsewhere", architectures=["GPT2LMHeadModel"])
    checkpoint.load(path, model=other)
    assert torch.equal(other.lm_head.weight, gpt2().lm_head.weight)
