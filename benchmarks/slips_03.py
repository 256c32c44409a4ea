"""The slips of chapter 3, measured: `python -m benchmarks.slips_03` writes results/slips_03.json."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from tokenizers import pre_tokenizers
from torch import Tensor, nn

from benchmarks.slips import Slip, write_card
from benchmarks.tempered import expected_reward
from benchmarks.tiny_runs import Demonstrations, demonstrations
from rlhw.batches import Batch
from rlhw.language_model import load, sampling_law
from rlhw.logprobs import masked_mean, masked_sum, response_logits, response_logprobs, sequence_logprobs, token_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers
from rlhw.tiny_tldr import sample_post

# A table of three symbols: the question is one token, an answer up to three, and symbol 2 ends it.
EOS, LENGTH = 2, 3
QUESTION = torch.tensor([[0]])


def table(seed: int) -> TabularLM:
    """A policy with normal logits."""
    return TabularLM(3, 1 + LENGTH, generator=torch.Generator().manual_seed(seed)).double()


def answers() -> Batch:
    """All fifteen answers: those that end, and those cut off after three tokens."""
    return enumerate_answers(QUESTION, torch.ones_like(QUESTION, dtype=torch.bool), 3, LENGTH, EOS)


def law_of(model: nn.Module) -> Tensor:
    """The probability of each of the fifteen answers."""
    return sequence_logprobs(model, answers()).detach().exp()


def fitted(objective: Callable[[Tensor, Batch], Tensor], shares: Tensor) -> nn.Module:
    """A table after 200 steps up the mean of an objective of (token log-probabilities, batch), answers weighted by `shares`."""
    model, batch = table(seed=4), answers()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)
    for _ in range(200):
        optimizer.zero_grad()
        (-(shares * objective(response_logprobs(model, batch), batch)).sum()).backward()
        optimizer.step()
    return model


def summed(logprobs: Tensor, batch: Batch) -> Tensor:
    """log π(y|x)."""
    return masked_sum(logprobs, batch.response_mask)


def averaged(logprobs: Tensor, batch: Batch) -> Tensor:
    """log π(y|x) over the answer's count of tokens."""
    return masked_mean(logprobs, batch.response_mask)


def without_padding_tokens(logprobs: Tensor, batch: Batch) -> Tensor:
    """The sum where the token is not the padding token, which is the end-of-sequence token."""
    return masked_sum(logprobs, batch.response_mask & (batch.responses != EOS))


def distance_to_teacher(objective) -> float:
    """KL(teacher, student) after fitting all answers of a table, each with the teacher's probability."""
    teacher = law_of(table(seed=3))
    return float((teacher * (teacher / law_of(fitted(objective, teacher))).log()).sum())


def chance_to_end(objective) -> float:
    """Probability that the fitted student ends its answer within three tokens."""
    batch = answers()
    ends = (batch.response_mask & (batch.responses == EOS)).any(-1)
    return float(law_of(fitted(objective, law_of(table(seed=3))))[ends].sum())


def nats_on_the_teacher(shares_of) -> float:
    """Mean negative log-likelihood of the teacher's answers after fitting these shares of the fifteen answers."""
    teacher = law_of(table(seed=3))
    student = fitted(summed, shares_of(teacher))
    return -float((teacher * sequence_logprobs(student, answers()).detach()).sum())


def only_the_likeliest(teacher: Tensor) -> Tensor:
    """One demonstration, gone through again and again."""
    return torch.zeros_like(teacher).scatter(1, teacher.argmax(1, keepdim=True), 1.0)


def sum_over_answers(rows) -> float:
    """What the probabilities of all fifteen answers sum to when each token is looked up in these rows of logits."""
    batch = answers()
    logprobs = token_logprobs(response_logits(table(seed=3), batch)[:, :, rows], batch.responses)
    return float(masked_sum(logprobs, batch.response_mask).detach().exp().sum())


def mean_score(temperature: float) -> float:
    """Length of the mean score of answers that are sampled token by token at this temperature: by enumeration."""
    model, batch = table(seed=3), answers()
    logits = response_logits(model, batch)[:, :, :-1].detach()
    tempered = sampling_law(logits.flatten(0, 2), temperature, None).view_as(logits)
    drawn = masked_sum(tempered.gather(-1, batch.responses[..., None])[..., 0], batch.response_mask).exp()
    (drawn * sequence_logprobs(model, batch)).sum().backward()
    return float(model.table.grad.norm())


@cache
def forum() -> tuple[Demonstrations, Demonstrations]:
    """600 posts to count on and 200 to measure on, two summaries each."""
    _, tokenizer = load("tiny")
    return demonstrations(600, 2, "train", 0, tokenizer), demonstrations(200, 2, "evaluation", 1, tokenizer)


def rows_of(batch: Batch) -> Iterator[tuple[list[int], list[int]]]:
    """(tokens of the prompt, tokens of the answer) of every answer."""
    for prompt, real, group, masks in zip(*vars(batch).values(), strict=True):
        for answer, mask in zip(group, masks, strict=True):
            yield prompt[real].tolist(), answer[mask].tolist()


def bigram_nats(text_of) -> float:
    """Loss that a student who sees one token back reports for a held-out record: add-one counts of the texts it learned from."""
    train, held_out = forum()
    follow, before = Counter(), Counter()
    for prompt, answer in rows_of(train.batch):
        pairs = list(pairwise(text_of(prompt, answer)))
        follow.update(pairs)
        before.update(first for first, _ in pairs)
    words = load("tiny")[0].config.vocab_size
    losses = [
        -sum(np.log((follow[pair] + 1) / (before[pair[0]] + words)) for pair in pairwise(text_of(prompt, answer)))
        for prompt, answer in rows_of(held_out.batch)
    ]
    return float(np.mean(losses))


def perfect_clone(temperature: float) -> float:
    """The expected gold reward, exact, of a clone that is the teacher, answering 200 posts at this temperature."""
    rng = np.random.default_rng(0)
    return float(np.mean([expected_reward(sample_post(rng), temperature) for _ in range(200)]))


def pieces(text: str) -> float:
    """Tokens that GPT-2 needs at least: one for its own special token, else one for each piece that its tokenizer cuts first."""
    if text == "<|endoftext|>":
        return 1.0
    return float(len(pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)))


def disagreement(prepare) -> float:
    """Mean difference in nats between two readings of the same 40 summaries by one model."""
    model, _ = load("tiny")
    prepare(model.double())
    batch = forum()[1].batch.rows(slice(0, 20))
    torch.manual_seed(0)
    with torch.no_grad():
        first, second = sequence_logprobs(model, batch), sequence_logprobs(model, batch)
    return float((first - second).abs().mean())


def gpt2_dropout(model: nn.Module) -> None:
    """Train mode with dropout at GPT-2's default, 0.1."""
    for module in model.train().modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.1


SLIPS = {
    "shift_by_one": Slip(
        "sum of the probabilities of all answers, each token looked up one row late (right: in the row before it)",
        sum_over_answers,
        wrong=slice(1, None),
        right=slice(None, -1),
    ),
    "prompt_in_loss": Slip(
        "loss a record of a bigram student with the post left in (right: of the summary alone)",
        bigram_nats,
        wrong=lambda prompt, answer: [*prompt, *answer],
        right=lambda prompt, answer: [prompt[-1], *answer],
        unit="nats",
    ),
    "eos_masked": Slip(
        "chance that an answer ends within three tokens, end of sequence masked as padding (right: an action)",
        chance_to_end,
        wrong=without_padding_tokens,
        right=summed,
    ),
    "mean_over_tokens": Slip(
        "KL(teacher, student) at the optimum of the mean over an answer's tokens (right: of the sum)",
        distance_to_teacher,
        wrong=averaged,
        right=summed,
        unit="nats",
    ),
    "loss_to_zero": Slip(
        "nats an answer of the teacher after one demonstration is learned by heart (right: the teacher's law, its entropy)",
        nats_on_the_teacher,
        wrong=only_the_likeliest,
        right=lambda teacher: teacher,
        unit="nats",
    ),
    "clone_beats_teacher": Slip(
        "reward of a perfect clone that says the likeliest words only (right: at temperature 1, the teacher's own)",
        perfect_clone,
        wrong=0.02,
        right=1.0,
    ),
    "start_of_text": Slip(
        "pieces of <|startoftext|> before GPT-2's tokenizer looks into its vocabulary (right: tokens of <|endoftext|>)",
        pieces,
        wrong="<|startoftext|>",
        right="<|endoftext|>",
        unit="tokens",
    ),
    "other_law": Slip(
        "length of the mean score of answers sampled at temperature 0.5 (right: at temperature 1)",
        mean_score,
        wrong=0.5,
        right=1.0,
    ),
    "dropout_on": Slip(
        "difference between two readings of one summary by one model, dropout 0.1 (right: dropout off)",
        disagreement,
        wrong=gpt2_dropout,
        right=lambda model: model.eval(),
        unit="nats",
    ),
}

if __name__ == "__main__":
    write_card(
        "03",
        "The slips of chapter 3, measured",
        SLIPS,
        ["rlhw.logprobs", "rlhw.tabular_lm", "rlhw.tiny_tldr.summaries", "benchmarks.slips_03"],
    )
