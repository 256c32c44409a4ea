"""Reward models: a scalar for each answer, learned from votes between answers to the same prompt.

The annotator is modelled as Bradley-Terry: P(i preferred to j) = σ(r_i - r_j). Votes fix r up to a shift c(x) for each prompt:
where they come from σ((gold_i - gold_j)/τ), the model learns gold/τ + c(x), so multiply by τ before comparing with gold.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from rlhw.batches import PLAIN, Batch, Engine
from rlhw.calibration import check_counts, votes_won
from rlhw.logprobs import masked_sum, response_states
from rlhw.saving import quiet, whole_folder
from rlhw.training import guarded_step


def sum_of_tokens(scores: Float[Tensor, "B K R"], mask: Bool[Tensor, "B K R"]) -> Float[Tensor, "B K"]:
    """Σ_t score_t over the answer's tokens: the sum of rewards along it, as in Christiano et al. (2017).

    Each token gets a learning signal, so it learns from fewer votes than the last token alone. Its price: an answer that
    goes on gathers reward with every word, and a policy that is optimised for it may never stop.
    """
    return masked_sum(scores, mask)


def last_token(scores: Float[Tensor, "B K R"], mask: Bool[Tensor, "B K R"]) -> Float[Tensor, "B K"]:
    """The score at the answer's last token (its eos, where it has one): Ziegler et al. (2019), Stiennon et al. (2020)."""
    if not mask[..., 0].all():
        raise ValueError("mask has an answer of no token, which has no last one; end every answer with its eos.")
    return scores.gather(-1, mask.sum(-1, keepdim=True) - 1).squeeze(-1)


# The ways of reading that a saved model can name.
READS = {"sum_of_tokens": sum_of_tokens, "last_token": last_token}


class RewardModel(nn.Module):
    """A trunk (a Hugging Face base model, such as AutoModel gives) with a linear head: `model(batch)` -> scores "B K".

    Each answer token is scored by its state, after the token; `read` makes one number of them: `sum_of_tokens` or
    `last_token`. The head has no bias (it would cancel in every comparison) and starts at standard deviation 1/√(D + 1):
    Stiennon et al. (2020).
    """

    def __init__(self, trunk: nn.Module, read: Callable = sum_of_tokens) -> None:
        super().__init__()
        self.trunk, self.read = trunk, read
        width, like = trunk.config.hidden_size, next(chain(trunk.parameters(), trunk.buffers()))
        self.score = nn.Linear(width, 1, bias=False, dtype=like.dtype, device=like.device)
        nn.init.normal_(self.score.weight, std=(width + 1) ** -0.5)
        self.eval()

    def forward(self, batch: Batch) -> Float[Tensor, "B K"]:
        scores = self.score(response_states(self.trunk, batch)[:, :, 1:]).squeeze(-1)
        # 16-bit scores are raised first: a sum of them, and a difference of two sums, would be rounded to a few digits.
        return self.read(scores.to(torch.promote_types(scores.dtype, torch.float32)), batch.response_mask)

    def extra_repr(self) -> str:
        return f"read={self.read.__name__}"

    def save_pretrained(self, folder: str | Path) -> None:
        """Write a folder, whole or not at all, that transformers reads as a sequence classifier with one label.

        With `last_token` that classifier gives the same scores, where config.pad_token_id is a token that no answer holds: it
        reads at the last token that is not padding, so where padding is the eos it reads before the eos, and with no
        padding token it takes one row at a time. `sum_of_tokens` comes back by `from_pretrained` only.
        Raises ValueError for another `read`, TypeError for a trunk that is no Hugging Face model.
        """
        if not isinstance(self.trunk, PreTrainedModel):
            raise TypeError("trunk must be a Hugging Face model to be saved so; use checkpoint.save for another.")
        if self.read not in READS.values():
            raise ValueError(f"read must be one of {', '.join(READS)} to be found again; it is {self.read.__name__}.")
        config = copy.deepcopy(self.trunk.config)
        config.num_labels, config.reward_read = 1, self.read.__name__
        with torch.device("meta"):
            classifier = AutoModelForSequenceClassification.from_config(config)
        setattr(classifier, classifier.base_model_prefix, self.trunk)
        classifier.score = self.score
        with whole_folder(folder) as draft, quiet():
            classifier.save_pretrained(draft)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> "RewardModel":
        """The reward model of a folder (or of the Hub); a classifier with one label from elsewhere reads the last token.

        Raises FileNotFoundError when there is none to read, ValueError when it is another kind of model or is damaged.
        """
        try:
            config = AutoConfig.from_pretrained(folder)
        except (OSError, ValueError):
            raise FileNotFoundError(f"folder: no model can be read at {folder}; save_pretrained writes one.") from None
        kind = (config.architectures or ["model of no stated kind"])[0]
        if not kind.endswith("ForSequenceClassification") or config.num_labels != 1:
            raise ValueError(f"folder: {folder} holds no reward model (a classifier with one label) but a {kind}.")
        try:
            with quiet():
                classifier, found = AutoModelForSequenceClassification.from_pretrained(
                    folder, use_safetensors=True, output_loading_info=True
                )
        except (OSError, RuntimeError, SafetensorError):
            found = {"missing_keys": ["model.safetensors, whole and fitting its config.json"]}
        if found["missing_keys"]:
            # transformers would leave missing weights at random numbers.
            raise ValueError(f"folder: the model at {folder} is damaged: it lacks {min(found['missing_keys'])}.")
        model = cls(classifier.base_model, READS[getattr(config, "reward_read", "last_token")])
        model.score = classifier.score
        return model


def bradley_terry_loss(
    chosen: Float[Tensor, " B"], rejected: Float[Tensor, " B"], margin: float | Float[Tensor, " B"] = 0.0
) -> Float[Tensor, " B"]:
    """-log σ(chosen - rejected - margin): the negative log-likelihood of each vote, in nats; ln 2 where both are equal.

    Source: Bradley & Terry (1952); Stiennon et al. (2020); the margin: Touvron et al. (2023).

    >>> bradley_terry_loss(torch.tensor([0.0]), torch.tensor([0.0]))
    tensor([0.6931])
    """
    return -logsigmoid(chosen - rejected - margin)


def plackett_luce_loss(scores: Float[Tensor, "B K"], ranking: Int[Tensor, "B K"]) -> Float[Tensor, " B"]:
    """-log Π_k exp(s_(k)) / Σ_{l ≥ k} exp(s_(l)): the best is chosen among all, the next among the rest, and so on.

    ranking[b] lists the candidates' indices, best first. Raises ValueError when a row is no permutation of 0 … K-1.
    With K = 2 it is Bradley-Terry. Source: Plackett (1975).
    """
    if not torch.equal(
        ranking.sort(-1).values, torch.arange(scores.shape[-1], device=ranking.device).expand_as(ranking)
    ):
        raise ValueError("ranking must hold each candidate's index once in every row, best first.")
    ordered = scores.gather(-1, ranking)
    remaining = ordered.flip(-1).logcumsumexp(-1).flip(-1)
    return (remaining - ordered).sum(-1)


def pairwise_loss(scores: Float[Tensor, "B K"], wins: Float[Tensor, "B K K"]) -> Float[Tensor, " B"]:
    """-Σ_ij wins_ij log σ(s_i - s_j) / Σ_ij wins_ij: the mean of Bradley-Terry over a prompt's votes.

    wins[b, i, j] counts votes for i over j, a tie one half each way. Where each pair was judged once the weight of a pair is
    1/C(K, 2), as in InstructGPT (Ouyang et al. 2022). Raises ValueError for what `check_counts` refuses.
    """
    check_counts(wins)
    differences = scores[:, :, None] - scores[:, None, :]
    return -(wins * logsigmoid(differences)).sum((-1, -2)) / wins.sum((-1, -2))


@dataclass(frozen=True)
class RewardConfig:
    """max_grad_norm: the gradient is shortened to this norm. micro_batch: so many prompts go through the model at once
    (None: all of a batch); it saves memory and changes nothing else. The learning rate belongs to the optimizer.
    Raises ValueError unless both are positive.
    """

    max_grad_norm: float = 1.0
    micro_batch: int | None = None

    def __post_init__(self) -> None:
        if not self.max_grad_norm > 0 or (self.micro_batch is not None and self.micro_batch < 1):
            raise ValueError(f"max_grad_norm must be above 0 and micro_batch 1 or more, or None; got {self}.")


def train_reward_model(
    model: nn.Module,
    data: Iterable[tuple[Batch, Tensor]],
    optimizer: torch.optim.Optimizer,
    config: RewardConfig,
    *,
    engine: Engine = PLAIN,
) -> Iterator[dict[str, float]]:
    """One optimizer step for each (batch, wins "B K K") of `data`, on the mean of `pairwise_loss` over its prompts.

    Yields after each step `loss` (nats a vote, before the step; ln 2 = 0.693 is what equal scores get), `accuracy` (the share
    of this batch's votes that the scores agreed with), `grad_norm` (before clipping) and `prompts`.
    Raises FloatingPointError, naming the step, before a step along a loss that is not finite; ValueError when there is no
    batch, or for wins that `check_counts` refuses.
    """
    step = 0
    for step, (batch, wins) in enumerate(data, 1):
        optimizer.zero_grad()
        size = config.micro_batch or len(wins)
        prompts = torch.tensor(float(len(wins)), device=wins.device)
        # Processes average their gradients: each divides by the mean count of prompts, so that the average is over all.
        mean_prompts = engine.reduce(prompts, reduction="mean")
        losses, scores = [], []
        for first in range(0, len(wins), size):
            rows = slice(first, first + size)
            part = model(batch.rows(rows))
            loss = pairwise_loss(part, wins[rows]).sum() / mean_prompts
            engine.backward(loss)
            losses.append(loss.detach())
            scores.append(part.detach())
        loss = engine.reduce(torch.stack(losses).sum(), reduction="mean")
        norm = guarded_step(optimizer, model, loss, step, max_grad_norm=config.max_grad_norm, engine=engine)
        right, votes = engine.reduce(torch.stack(votes_won(torch.cat(scores), wins)), reduction="sum").tolist()
        prompts = float(engine.reduce(prompts, reduction="sum"))
        yield {"loss": float(loss), "accuracy": right / votes, "grad_norm": norm, "prompts": prompts}
    if step == 0:
        raise ValueError("data is empty: there are no votes to learn from; give at least one (batch, wins).")


@torch.no_grad()
def score_batches(model: nn.Module, batches: Iterable[Batch]) -> Float[Tensor, "N K"]:
    """The scores of all answers in these batches, in their order, on the CPU. Raises ValueError when there is no batch.

    With the votes on them, `pairwise_loss(...).mean()`, `pair_accuracy` and `calibration` measure the model.
    """
    scores = [model(batch).cpu() for batch in batches]
    if not scores:
        raise ValueError("batches is empty: there is no answer to score.")
    return torch.cat(scores)


def freeze(model: PreTrainedModel | RewardModel, share: float = 0.7) -> float:
    """Freeze the first floor(share · L) of the L blocks, and return the share of the parameters that still train.

    Embeddings, last norm and head stay free: for GPT-2 with 9 of 12 blocks frozen 49 % of the parameters train. Call it before
    the optimizer is made, and give that the parameters with `requires_grad`. Calling it again starts anew.
    Raises ValueError unless share is from 0 to 1, or when the model has no list of blocks as long as its configuration says.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1; got {share}.")
    trunk = model.trunk if isinstance(model, RewardModel) else model
    count = getattr(trunk.config, "num_hidden_layers", 0)
    stacks = (part for part in trunk.modules() if isinstance(part, nn.ModuleList) and len(part) == count > 0)
    blocks = next(stacks, None)
    if blocks is None:
        raise ValueError("model has no list of num_hidden_layers blocks; set requires_grad of its parameters yourself.")
    # A hair above, because 0.29 · 100 is 28.999999999999996.
    frozen = math.floor(share * count + 1e-9)
    for number, block in enumerate(blocks):
        block.requires_grad_(number >= frozen)
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters if p.requires_grad) / sum(p.numel() for p in parameters)
