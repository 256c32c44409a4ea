"""More small models, a tokenizer of a few words, and what a model says of each text alone: for the tests of the core."""

from functools import partial

import numpy as np
import torch
from small_models import EOS, VOCABULARY, gpt2, llama
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from rlhw.batches import Batch
from rlhw.laws import enumerate_sequences

WORDS = ["my", "cat", "sold", "a", "boat", "tldr", "yes", "no", "<unk>"]


def qwen2(seed: int = 0) -> Qwen2ForCausalLM:
    """Qwen2 with 2 layers of width 16, grouped keys, and biases that are not 0."""
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=32, initializer_range=0.3, bos_token_id=EOS, eos_token_id=EOS,
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def exact(model):
    """The model in float64 throughout: as they come, Llama and Qwen2 normalise in float32 whatever their weights are."""

    def normalised(norm, x):
        return norm.weight * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + norm.variance_epsilon)

    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = partial(normalised, module)
    return model.double()


FAMILIES = {"gpt2": gpt2, "llama": llama, "qwen2": qwen2}


def row_of(tokens, symbols: int = 3) -> int:
    """A table's row for a prefix, by counting the prefixes that are shorter or earlier in the alphabet."""
    shorter = sum(symbols**n for n in range(len(tokens)))
    return shorter + list(enumerate_sequences(symbols, len(tokens))).index(tuple(tokens))


def law_by_hand(model, prompt, answer, *, temperature: float = 1.0, top_k: int | None = None) -> list[float]:
    """Log-probabilities of an answer's tokens under a TabularLM, row by row of its table, with numpy."""
    table, out = model.table.detach().numpy(), []
    for t, token in enumerate(answer):
        logits = table[row_of([*prompt, *answer[:t]], table.shape[1])]
        left_out = np.argsort(logits)[: len(logits) - (top_k or len(logits))]
        weights = np.exp(logits / temperature)
        weights[left_out] = 0.0
        with np.errstate(divide="ignore"):
            out.append(float(np.log(weights[token] / weights.sum())))
    return out


def tokenizer(*, pad: str | None = None) -> PreTrainedTokenizerFast:
    """One token a word: the eos is token 9 and, where asked for, `pad` is token 10."""
    words = {word: number for number, word in enumerate([*WORDS, "<eos>"])}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>", unk_token="<unk>", pad_token=pad)


def texts_alone(batch: Batch):
    """(b, k, tokens of prompt and answer without padding, how many of them are the prompt's) for each answer."""
    for b, (prompt, prompt_mask) in enumerate(zip(batch.prompts, batch.prompt_mask, strict=True)):
        for k, (answer, mask) in enumerate(zip(batch.responses[b], batch.response_mask[b], strict=True)):
            tokens = torch.cat([prompt[prompt_mask], answer[mask]])
            yield b, k, tokens, int(prompt_mask.sum())


def logprobs_alone(model, batch: Batch) -> Tensor:
    """Log-probabilities of the answers' tokens (B, K, R), each text read by itself: no padding, no mask, no cache."""
    rows = []
    for _, _, tokens, p in texts_alone(batch):
        logits = model(input_ids=tokens[None], use_cache=False).logits[0]
        entries = [logits[t - 1, tokens[t]] - torch.logsumexp(logits[t - 1], 0) for t in range(p, len(tokens))]
        zeros = [torch.zeros_like(logits[0, 0])] * (batch.responses.shape[2] - len(entries))
        rows.append(torch.stack(entries + zeros))
    return torch.stack(rows).unflatten(0, batch.responses.shape[:2])
