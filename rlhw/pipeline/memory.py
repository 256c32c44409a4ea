"""What a run on a GPU needs of its memory: an estimate before the start, and what to turn down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources

import torch
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, PretrainedConfig

from rlhw.pipeline.settings import Settings

# Weights, gradients and Adam's two moments, all float32; a copy in bfloat16 that autocast keeps.
TRAINED, FROZEN = 18.0, 6.0
# Bytes a token, layer and channel that a transformer keeps for its backward pass in 16 bits: Korthikanti et al. (2023), eq. 1
# without the attention scores, which a fused attention does not keep.
ACTIVATIONS = 34.0
# Bytes an answer token and word of the vocabulary: logits in 16 and 32 bits, their log-softmax, its gradient.
LOGITS = 14.0
# The same where nothing is learned: logits in 16 and 32 bits, and their log-softmax.
LOOKED_AT = 10.0
# Bytes a token, layer and channel of the keys and values that sampling keeps: two numbers of 16 bits.
CACHE = 4.0
# What torch and CUDA take for themselves.
FIXED = 1.5e9
# Where answers are only measured, so many bytes of them go through the models at once.
MEASURED = 4e9
# How torch says that memory ran out where it has no class for it: on the CPU, in CUDA itself, in its matrix library.
SIGNS = ("can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
# What takes less memory, stage by stage; a micro-batch changes nothing else.
SMALLER = {
    "clone": "--clone.micro-batch", "compare": "--compare.answers", "reward": "--reward.micro-batch",
    "ppo": "--ppo.minibatch, --ppo.prompts or --ppo.answers, or set --ppo.shared",
    "grpo": "--grpo.minibatch, --grpo.prompts or --grpo.answers", "dpo": "--dpo.micro-batch", "report": "--evaluate.samples",
}  # fmt: skip


def config_of(model: str) -> PretrainedConfig:
    """The configuration of a model. GPT-2's is known without the Hub: it is the default of its class.

    Raises OSError, in one sentence, when it is not to be had.
    """
    if model == "gpt2":
        return GPT2Config()
    try:
        return AutoConfig.from_pretrained(str(resources.files("rlhw") / "tiny" if model == "tiny" else model))
    except (OSError, ValueError):
        raise OSError(f"model: '{model}' is no folder with a model here, and not to be had from the Hub.") from None


def parameters_of(config: PretrainedConfig) -> int:
    """The number of parameters, without any memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in AutoModelForCausalLM.from_config(config).parameters())


def estimate(settings: Settings, config: PretrainedConfig) -> dict[str, tuple[float, float]]:
    """(bytes of weights and optimizer, bytes of activations) of each stage on a GPU, by a rough count; nothing is measured here.

    Of PPO and GRPO the larger of a rollout and an update; the report calls its models in float32.
    """
    count, answer = parameters_of(config), settings.max_new_tokens
    prompt, width = settings.context - answer, config.hidden_size * config.num_hidden_layers

    def passing(prompts: int, answers: int, models: int = 1) -> float:
        kept = models * ACTIVATIONS * width * prompts * (prompt + answers * answer)
        return kept + LOGITS * config.vocab_size * prompts * answers * answer

    def rollout(prompts: int, answers: int) -> float:
        return prompts * answers * _measured(settings, config)

    votes, ppo, grpo = max(2, settings.compare.answers), settings.ppo, settings.grpo
    update = passing(ppo.minibatch or ppo.prompts, ppo.answers, 1 if ppo.shared else 2)
    return {
        "clone": (count * TRAINED, passing(settings.clone.micro_batch or settings.clone.size, settings.clone.answers)),
        "reward": (count * TRAINED, passing(settings.reward.micro_batch or settings.reward.size, votes)),
        "ppo": (
            count * (TRAINED * (1 if ppo.shared else 2) + 2 * FROZEN), max(update, rollout(ppo.prompts, ppo.answers)),
        ),
        "grpo": (
            count * (TRAINED + 2 * FROZEN),
            max(passing(grpo.minibatch or grpo.prompts, grpo.answers), rollout(grpo.prompts, grpo.answers)),
        ),
        "dpo": (count * TRAINED, passing(settings.dpo.micro_batch or settings.dpo.size, votes)),
        "report": (
            count * 4 * FROZEN, max(at_once(settings, config), settings.evaluate.samples // 2) * _measured(settings, config, 2),
        ),
    }  # fmt: skip


def _measured(settings: Settings, config: PretrainedConfig, wider: int = 1) -> float:
    """Bytes of one answer that is sampled or measured: its keys and values with those of its prompt, and its logits."""
    cached = wider * CACHE * config.hidden_size * config.num_hidden_layers * settings.context
    return cached + LOOKED_AT * config.vocab_size * settings.max_new_tokens


def at_once(settings: Settings, config: PretrainedConfig) -> int:
    """How many answers a report sends through its models at once: 512, or what memory holds of a large model's."""
    return max(1, min(512, int(MEASURED // _measured(settings, config, 2))))


def check(settings: Settings, say: Callable[[str], None], stages: dict[str, str] = SMALLER) -> None:
    """Say what a run will need, before its start; nothing for a run of the small forum on the CPU.

    stages: those that will be run, with what takes each of them down. Raises ValueError for a device that is neither cpu nor
    cuda, and when the GPU that it asks for is not there, or cannot hold even weights and optimizer.
    """
    if settings.device not in ("cpu", "cuda"):
        # accelerate takes the first GPU that it sees, whichever was named here.
        raise ValueError(
            f"device must be cpu or cuda; got {settings.device!r}. To take another GPU than the first, set "
            "CUDA_VISIBLE_DEVICES to its number and give --device cuda."
        )
    if settings.scale == "tiny" and settings.device == "cpu":
        return
    needs = {name: need for name, need in estimate(settings, config_of(settings.model)).items() if name in stages}
    stage = max(needs, key=lambda name: sum(needs[name]))
    states, total = needs[stage][0] + FIXED, sum(needs[stage]) + FIXED
    need = f"about {total / 1e9:.1f} GB of memory, most of it in {stage} (an estimate)"
    smaller = (
        "--ppo.minibatch, --grpo.minibatch, --clone.micro-batch, --context or --ppo.shared take it down"
        if len(needs) > 1
        else f"to take it down, turn down {stages[stage]}, or --context"
    )
    if settings.device == "cpu":
        say(f"On the CPU a run of this scale takes {need} and very long; {smaller}.")
        return
    if not torch.cuda.is_available():
        raise ValueError(
            f"--device {settings.device}: this run needs a GPU with {need}, and torch finds none here; in Colab choose Runtime > "
            f"Change runtime type > GPU, elsewhere use {'--scale tiny ' if len(needs) > 1 else ''}--device cpu. {smaller}."
        )
    has = torch.cuda.get_device_properties(settings.device).total_memory
    if states > has:
        raise ValueError(
            f"--device {settings.device}: the GPU has {has / 1e9:.1f} GB, and weights and optimizer alone take "
            f"{states / 1e9:.1f} GB in {stage}; use a smaller model, or --ppo.shared."
        )
    short = " That may not be enough." if total > has else ""
    say(f"This run takes {need}; the GPU has {has / 1e9:.1f} GB.{short} {smaller[0].upper()}{smaller[1:]}.")


@contextmanager
def enough(stage: str, smaller: str, again: str) -> Iterator[None]:
    """One sentence where memory runs out in a stage: what to turn down, and how to go on. Raises OSError with it."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # Most of what torch raises is a RuntimeError of some kind: an assertion on the GPU, and a process that is gone, are too.
        short = isinstance(error, MemoryError | torch.OutOfMemoryError) or any(sign in str(error) for sign in SIGNS)
        if not short:
            raise
        raise OSError(f"out of memory in {stage}: turn down {smaller}; {again}.") from None
