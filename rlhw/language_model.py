"""Causal language models of Hugging Face: loading them, and sampling answers whose law is known exactly."""

import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig

from rlhw.batches import Batch
from rlhw.logprobs import positions_of
from rlhw.saving import quiet

# Finished answers stay in the running batch until less than this share of it is alive: dropping them copies the cache.
LIVE_SHARE = 0.8


def load(
    name_or_path: str | Path, device: str | torch.device | None = None, dtype: torch.dtype | None = None
) -> tuple[nn.Module, Callable]:
    """A causal language model and its tokenizer, ready to be trained: every dropout 0, eval mode.

    name_or_path is "tiny" (shipped with this package), a local folder, or a name on the Hugging Face Hub such as "gpt2".
    device: the CPU if None; dtype: float32 if None, whatever the file holds. Only safetensors are read and no code that
    comes with a model is run. Where the tokenizer has no padding token the end-of-sequence token serves as one, which is
    harmless here: masks come from lengths, and no loss or score ever compares a token with it.
    Raises FileNotFoundError for a folder without config, weights or tokenizer; OSError for what is no folder and not to
    be had from the Hub; ValueError for what is damaged or no causal language model, and for a GPU that is not there.
    """
    if device is not None and torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={str(device)!r} needs a GPU that torch can use, and there is none; use device='cpu'.")
    place = str(resources.files("rlhw") / "tiny" if name_or_path == "tiny" else name_or_path)
    with quiet():
        config = _config(place)
        tokenizer = _tokenizer(place)
        model = _model(place, config, dtype or torch.float32)
    return model.eval().to(device or "cpu"), tokenizer


def sampling_law(logits: Float[Tensor, "N V"], temperature: float, top_k: int | None) -> Float[Tensor, "N V"]:
    """Log-probabilities of what is sampled: log softmax(z / temperature) over the top_k largest z, -∞ elsewhere.

    Tokens that tie with the top_k-th stay in.

    >>> sampling_law(torch.tensor([[1.0, 4.0, 2.0, 3.0]]).log(), temperature=1.0, top_k=2).exp()
    tensor([[0.0000, 0.5714, 0.0000, 0.4286]])
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if top_k is not None:
        least = logits.topk(top_k).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    return torch.log_softmax(logits / temperature, -1)


def invert(probabilities: Float[Tensor, "N V"], uniforms: Float[Tensor, " N"]) -> Int[Tensor, " N"]:
    """Inverse distribution function: the first token v with u < p_0 + … + p_v, for u in [0, 1).

    >>> invert(torch.tensor([[0.5, 0.0, 0.5]] * 3), torch.tensor([0.1, 0.5, 0.9]))
    tensor([0, 2, 2])
    """
    cumulative = probabilities.cumsum(-1, dtype=torch.float64)
    # u is scaled by the total, which rounding leaves a hair off 1.
    drawn = torch.searchsorted(cumulative, uniforms.double()[:, None] * cumulative[:, -1:], right=True)
    drawn = drawn.clamp(max=probabilities.shape[1] - 1)
    # A parallel sum may rise by a rounding error where p is 0; such a token is never taken.
    possible = probabilities.gather(1, drawn) > 0
    return torch.where(possible, drawn, probabilities.argmax(-1, keepdim=True))[:, 0]


@torch.no_grad()
def generate(
    model: nn.Module,
    prompts: Int[Tensor, "B P"],
    prompt_mask: Bool[Tensor, "B P"],
    *,
    k: int = 1,
    max_new_tokens: int,
    eos_id: int | None,
    generator: torch.Generator,
    temperature: float = 1.0,
    top_k: int | None = None,
) -> tuple[Batch, Float[Tensor, "B K R"]]:
    """Sample k answers to each prompt: (Batch, log-probabilities of its tokens under the sampling law, 0 elsewhere).

    The uniforms come first, one row of max_new_tokens an answer, and each token inverts the distribution function: an
    answer is a function of the model, its prompt and its row, so however the prompts are split or padded the tokens are
    the same. An answer ends with eos_id, or uncut at max_new_tokens; eos_id=None always takes max_new_tokens. R is the
    longest answer's length. Recorded log-probabilities contain temperature and top_k, so with those they are not the
    policy's. Under several ranks each takes max_new_tokens steps, for a sharded model is called by all or by none.
    Raises ValueError when k or max_new_tokens is below 1, temperature is not positive, top_k or eos_id is outside the
    vocabulary, prompt and answer do not fit in the model's context, or the model hands no cache back; FloatingPointError
    when its logits are not finite.
    """
    _check(model, prompt_mask, k, max_new_tokens, temperature)
    shape = len(prompts) * k, max_new_tokens
    uniforms = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64).to(prompts.device)
    mask = prompt_mask.long()
    logits, cache = _next_logits(model, prompts.masked_fill(~prompt_mask, 0), mask, None)
    _check_vocabulary(logits.shape[1], eos_id, top_k, cache)
    cache.batch_repeat_interleave(k)
    start = logits.repeat_interleave(k, 0), mask.repeat_interleave(k, 0), cache
    tokens, logprobs, lengths = _sample(model, start, uniforms, eos_id, lambda z: sampling_law(z, temperature, top_k))
    r = int(lengths.max())
    response_mask = torch.arange(r, device=lengths.device) < lengths[:, None]
    parts = torch.where(response_mask, tokens[:, :r], 0), response_mask, torch.where(response_mask, logprobs[:, :r], 0)
    tokens, response_mask, logprobs = (part.unflatten(0, (-1, k)) for part in parts)
    batch = Batch(prompts, prompt_mask, tokens, response_mask)
    if not logprobs.isfinite().all():
        raise FloatingPointError("model gives logits that are not finite; look at its weights, or use float32.")
    return batch, logprobs


def _sample(
    model: nn.Module, start: tuple, uniforms: Tensor, eos_id: int | None, law_of: Callable
) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, log-probabilities and lengths; what stands behind an answer's length is left over from the running batch."""
    logits, mask, cache = start
    steps = uniforms.shape[1]
    running = torch.arange(len(uniforms), device=uniforms.device)
    lengths, tokens = torch.full_like(running, steps), torch.zeros_like(uniforms, dtype=torch.int64)
    logprobs = torch.zeros_like(uniforms, dtype=torch.promote_types(logits.dtype, torch.float32))
    for t in range(steps):
        law = law_of(logits)
        drawn = invert(law.exp(), uniforms[running, t])
        tokens[running, t], logprobs[running, t] = drawn, law.gather(1, drawn[:, None])[:, 0]
        if eos_id is not None:
            lengths[running[(drawn == eos_id) & (lengths[running] > t)]] = t + 1
        live = lengths[running] > t + 1
        count = int(live.sum())
        if t + 1 == steps or (count == 0 and not _several_ranks()):
            break
        if count < LIVE_SHARE * len(running):
            # With several ranks a finished answer goes on, unread, so that the others find this rank at each step.
            kept = live.nonzero()[:, 0] if count else running.new_zeros(1)
            cache.batch_select_indices(kept)
            running, drawn, mask = running[kept], drawn[kept], mask[kept]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
        logits, cache = _next_logits(model, drawn[:, None], mask, cache)
    return tokens, logprobs, lengths


def _next_logits(model: nn.Module, tokens: Tensor, mask: Tensor, cache: object) -> tuple[Tensor, object]:
    """Logits (N, V) after the last of these tokens, and the cache; `mask` covers the cached columns too."""
    out = model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=positions_of(mask)[:, -tokens.shape[1] :],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return out.logits[:, -1], out.past_key_values


def _several_ranks() -> bool:
    distributed = torch.distributed
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def _check(model: nn.Module, prompt_mask: Tensor, k: int, max_new_tokens: int, temperature: float) -> None:
    if k < 1 or max_new_tokens < 1:
        raise ValueError(f"k and max_new_tokens must be 1 or more; got {k=}, {max_new_tokens=}.")
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be positive and finite; got {temperature}. The likeliest token: top_k=1.")
    # A model wrapped for several ranks shows no config; there a text that is too long fails in its embedding.
    context = getattr(getattr(model, "config", None), "max_position_embeddings", None)
    needed = int(prompt_mask.sum(1).max()) + max_new_tokens
    if context is not None and needed > context:
        raise ValueError(f"{max_new_tokens=} and the longest prompt need {needed} positions; the model has {context}.")


def _check_vocabulary(size: int, eos_id: int | None, top_k: int | None, cache: object) -> None:
    if eos_id is not None and not 0 <= eos_id < size:
        raise ValueError(f"eos_id must be None or a token from 0 to {size - 1}; got {eos_id}.")
    if top_k is not None and not 1 <= top_k <= size:
        raise ValueError(f"top_k must be None or from 1 to the {size} tokens of the vocabulary; got {top_k}.")
    if cache is None:
        raise ValueError("model must hand a cache back; call model.eval(), for gradient checkpointing turns it off.")


def _config(place: str) -> PretrainedConfig:
    """The configuration with every dropout at 0: a ratio of a policy with itself is then 1."""
    local = Path(place).is_dir()
    if local and not (Path(place) / "config.json").is_file():
        raise FileNotFoundError(f"name_or_path: the folder '{place}' holds no model (no config.json).")
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except OSError as error:
        if local:
            raise ValueError(f"name_or_path: config.json in '{place}' cannot be read.") from error
        reasons = "not to be had from the Hub: no such model, no right to it, or no network"
        raise OSError(f"name_or_path: '{place}' is no folder here and {reasons}.") from error
    except ValueError as error:
        unknown = "is no model that transformers knows, and code that comes with a model is never run"
        raise ValueError(f"name_or_path: '{place}' {unknown}.") from error
    for name, value in vars(config).items():
        if re.search("dropout|pdrop|layerdrop", name) and isinstance(value, float):
            setattr(config, name, 0.0)
    return config


def _tokenizer(place: str) -> Callable:
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"name_or_path: '{place}' holds no tokenizer that can be read.") from error
    # Where there are no files transformers makes an empty tokenizer that turns every text into nothing.
    if tokenizer.vocab_size == 0:
        raise FileNotFoundError(f"name_or_path: '{place}' holds no tokenizer; save it there with save_pretrained.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def _model(place: str, config: PretrainedConfig, dtype: torch.dtype) -> nn.Module:
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            place, config=config, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except OSError as error:
        pickled = "pickled ones (.bin, .pt) can run code and are not read; save the model again with save_pretrained"
        raise FileNotFoundError(f"name_or_path: '{place}' holds no weights as safetensors; {pickled}.") from error
    except ValueError as error:
        raise ValueError(f"name_or_path: '{place}' is a {config.model_type}, no causal language model.") from error
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"name_or_path: the weights of '{place}' are damaged or do not fit its config.") from error
    if found["missing_keys"]:
        # transformers would leave these at random numbers.
        raise ValueError(f"name_or_path: '{place}' lacks weights: {', '.join(sorted(found['missing_keys']))}.")
    return model
