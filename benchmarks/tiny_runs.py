"""The runs on the small forum that several cards measure: demonstrations, cloning, comparisons, a reward model, and their floors.

Everything is drawn from the seed that is given; posts for evaluation come from the other side of the split.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from rlhw.batches import Batch, collate, shuffled
from rlhw.behavior_cloning import CloningConfig, answer_losses, train_bc
from rlhw.calibration import pair_accuracy
from rlhw.language_model import load
from rlhw.reward_model import RewardConfig, RewardModel, score_batches, train_reward_model
from rlhw.tiny_tldr import Post, SimulatedAnnotator, Teacher, sample_post
from rlhw.training import warmup_decay

TEACHER, ANNOTATOR = Teacher(), SimulatedAnnotator(temperature=0.5)
CONTEXT = 160
# Answers go through the model in groups of like length when nothing is learned from them.
EVALUATION_BATCH = 100


@dataclass(frozen=True)
class Demonstrations:
    """Posts, the teacher's summaries of each, and both as one batch."""

    posts: list[Post]
    summaries: list[list[str]]
    batch: Batch


def demonstrations(count: int, k: int, split: str, seed: int, tokenizer: Callable) -> Demonstrations:
    """`count` posts with `k` summaries of the teacher's to each."""
    rng = np.random.default_rng((seed, count, k, split == "train"))
    posts = [sample_post(rng, split) for _ in range(count)]
    summaries = [[TEACHER.sample(post, rng) for _ in range(k)] for post in posts]
    records = [{"prompt": post.text, "answers": texts} for post, texts in zip(posts, summaries, strict=True)]
    return Demonstrations(posts, summaries, collate(records, tokenizer, CONTEXT))


def parts(batch: Batch, size: int = EVALUATION_BATCH) -> list[Batch]:
    """The batch in pieces."""
    return [batch.rows(slice(i, i + size)) for i in range(0, len(batch.prompts), size)]


def cloning_gap(model: nn.Module, data: Demonstrations) -> tuple[float, float]:
    """(gap in nats a summary, gap as a share of the teacher's entropy) on the teacher's own summaries.

    The gap is the mean of log teacher - log student, an estimate of KL(teacher‖student): the luck of which summaries were drawn
    cancels in the difference.
    """
    student = -answer_losses(model, parts(data.batch)).numpy()
    pairs = zip(data.posts, data.summaries, strict=True)
    teacher = [TEACHER.logprob(post, text) for post, texts in pairs for text in texts]
    gap = float(np.mean(teacher - student))
    return gap, gap / float(np.mean([TEACHER.entropy(post) for post in data.posts]))


def bigram_gap(train: Demonstrations, data: Demonstrations) -> float:
    """The gap in nats of a student that sees the last token only: add-one counts of the training summaries."""
    follow, before = Counter(), Counter()
    for row, mask in zip(train.batch.responses.flatten(0, 1), train.batch.response_mask.flatten(0, 1), strict=True):
        tokens = [-1, *row[mask].tolist()]
        follow.update(pairwise(tokens))
        before.update(tokens[:-1])
    words = int(train.batch.responses.max()) + 1
    gaps = []
    rows = zip(data.batch.responses.flatten(0, 1), data.batch.response_mask.flatten(0, 1), strict=True)
    pairs = ((post, text) for post, texts in zip(data.posts, data.summaries, strict=True) for text in texts)
    for (row, mask), (post, text) in zip(rows, pairs, strict=True):
        tokens = [-1, *row[mask].tolist()]
        student = sum(np.log((follow[pair] + 1) / (before[pair[0]] + words)) for pair in pairwise(tokens))
        gaps.append(TEACHER.logprob(post, text) - student)
    return float(np.mean(gaps))


def clone(train: Batch, *, steps: int, size: int, rate: float, seed: int) -> tuple[nn.Module, float]:
    """The tiny GPT-2 after cloning these demonstrations, and the seconds that the training took."""
    start = time.perf_counter()
    model, _ = load("tiny")
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = LambdaLR(optimizer, warmup_decay(20, steps + 1))
    for step, _ in enumerate(train_bc(model, shuffled(train, size, seed), optimizer, CloningConfig()), 1):
        schedule.step()
        if step == steps:
            break
    return model, time.perf_counter() - start


def choices(data: Demonstrations) -> Tensor:
    """The annotator's exact probabilities "B K K" of preferring summary i to summary j, 0 on the diagonal."""
    k = len(data.summaries[0])
    probabilities = torch.zeros(len(data.posts), k, k, dtype=torch.float64)
    for b, (post, texts) in enumerate(zip(data.posts, data.summaries, strict=True)):
        for i in range(k):
            for j in range(i):
                p = ANNOTATOR.probability(post, texts[i], texts[j])
                probabilities[b, i, j], probabilities[b, j, i] = p, 1 - p
    return probabilities


def votes(probabilities: Tensor, seed: int) -> Tensor:
    """One vote for each pair, drawn by these probabilities: wins "B K K" of zeros and ones."""
    generator = torch.Generator().manual_seed(seed)
    drawn = (torch.rand(probabilities.shape, generator=generator, dtype=torch.float64) < probabilities).tril(-1)
    below = torch.ones_like(probabilities).tril(-1).bool()
    return (drawn | (below & ~drawn).mT).float()


def bayes_accuracy(probabilities: Tensor) -> float:
    """The accuracy of one who knows the annotator's probabilities: the mean of max(p, 1 - p) over all pairs."""
    i, j = torch.tril_indices(*probabilities.shape[1:], offset=-1)
    p = probabilities[:, i, j]
    return float(torch.maximum(p, 1 - p).mean())


def fit_reward(
    trunk: nn.Module, data: tuple[Batch, Tensor], *, steps: int, size: int, rate: float, seed: int, read: Callable
) -> tuple[RewardModel, float]:
    """A reward model on this trunk after `steps` batches of votes, and the seconds that the training took."""
    start = time.perf_counter()
    torch.manual_seed(seed)
    model = RewardModel(trunk, read)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = LambdaLR(optimizer, warmup_decay(20, steps + 1))
    for step, _ in enumerate(train_reward_model(model, shuffled(data, size, seed), optimizer, RewardConfig()), 1):
        schedule.step()
        if step == steps:
            break
    return model, time.perf_counter() - start


def share_of_bayes(model: RewardModel, data: Demonstrations, probabilities: Tensor) -> tuple[float, float]:
    """(accuracy, (accuracy - 1/2)/(Bayes - 1/2)), both exact over the annotator's choices on these pairs."""
    scores = score_batches(model, parts(data.batch))
    accuracy = pair_accuracy(scores.double(), probabilities)
    return accuracy, (accuracy - 0.5) / (bayes_accuracy(probabilities) - 0.5)


def longer_accuracy(data: Demonstrations, probabilities: Tensor) -> float:
    """The accuracy of preferring the summary with more words, on the annotator's exact choices."""
    words = torch.tensor(
        [[float(len(text.split())) for text in texts] for texts in data.summaries], dtype=torch.float64
    )
    return pair_accuracy(words, probabilities)
