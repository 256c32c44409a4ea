"""The small forum as a run sees it: demonstrations, prompts, votes, the gold reward, and what is known exactly of it."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlhw.batches import Batch, collate
from rlhw.behavior_cloning import answer_losses
from rlhw.calibration import pair_accuracy
from rlhw.pipeline.jobs import parts
from rlhw.preferences import Comparison
from rlhw.rollouts import text_reward
from rlhw.tiny_tldr import SimulatedAnnotator, Teacher, gold_reward, read_post, sample_post
from rlhw.tiny_tldr.summaries import PATTERNS

_read = functools.lru_cache(maxsize=None)(read_post)


@dataclass(frozen=True)
class Forum:
    """Posts of the small forum, for a model with this tokenizer. `context`: tokens of a post and its answer together."""

    tokenizer: Callable
    context: int

    def demonstrations(self, count: int, answers: int, split: str, rng: np.random.Generator) -> Batch:
        """The teacher's summaries of so many new posts."""
        teacher, records = Teacher(), []
        for post in (sample_post(rng, split) for _ in range(count)):
            records.append({"prompt": post.text, "answers": [teacher.sample(post, rng) for _ in range(answers)]})
        return collate(records, self.tokenizer, self.context)

    def prompts(self, count: int, split: str, rng: np.random.Generator) -> list[str]:
        """So many new posts."""
        return [sample_post(rng, split).text for _ in range(count)]

    def gold(self) -> Callable[[Batch], Tensor]:
        """The gold reward of a batch: `Batch -> "B K"`."""
        return text_reward(lambda prompt, answer: gold_reward(_read(prompt), answer), self.tokenizer)

    def cloning(self, model: nn.Module, count: int, rng: np.random.Generator) -> dict[str, float]:
        """KL(teacher‖clone) a summary, in nats and as a share of the teacher's entropy, on held-out posts."""
        teacher, texts = Teacher(), self.prompts(count, "evaluation", rng)
        answers = [teacher.sample(_read(text), rng) for text in texts]
        records = [{"prompt": text, "completion": answer} for text, answer in zip(texts, answers, strict=True)]
        batch = collate(records, self.tokenizer, self.context)
        device = next(model.parameters()).device
        student = -answer_losses(model, (part.to(device) for part in parts(batch))).double().numpy()
        law = np.array([teacher.logprob(_read(text), answer) for text, answer in zip(texts, answers, strict=True)])
        gap = float((law - student).mean())
        return {
            "cloning_gap": gap,
            "cloning_share": gap / float(np.mean([teacher.entropy(_read(text)) for text in texts])),
        }


def compare(
    prompts: list[str], answers: list[list[str]], temperature: float, rng: np.random.Generator
) -> list[Comparison]:
    """One comparison of each pair of answers to each post, by a simulated annotator; pairs of equal answers are left out."""
    annotator, found = SimulatedAnnotator(temperature), []
    for prompt, texts in zip(prompts, answers, strict=True):
        different = list(dict.fromkeys(texts))
        for i, first in enumerate(different):
            for second in different[i + 1 :]:
                choice = "first" if annotator.prefers_first(_read(prompt), first, second, rng) else "second"
                found.append(Comparison(prompt, first, second, choice, annotator="simulated"))
    return found


def share_of_bayes(scores: Tensor, gold: Tensor, temperature: float) -> float:
    """(accuracy - ½)/(Bayes accuracy - ½) of scores "B K", exact over an annotator's votes at this temperature."""
    chances = ((gold[:, :, None] - gold[:, None, :]) / temperature).sigmoid() * (1 - torch.eye(gold.shape[1]))
    bayes = float(torch.maximum(chances, chances.mT).sum() / (2 * chances.sum()))
    return (pair_accuracy(scores, chances) - 0.5) / (bayes - 0.5)


def facts_right_and_invented(prompts: list[str], answers: list[list[str]]) -> Float[np.ndarray, "2"]:
    """(facts of the post that an answer names, values that it names and the post does not tell), means over answers."""
    right = invented = count = 0
    for prompt, texts in zip(prompts, answers, strict=True):
        post = _read(prompt)
        for text in texts:
            said = {
                (kind, value)
                for sentence in text.replace("?", "?\n").replace(".", ".\n").split("\n")
                for pattern in PATTERNS.values()
                if (match := pattern.fullmatch(sentence.strip()))
                for kind, value in match.groupdict().items()
                if value is not None and kind in post.facts.keys() | {"day", "cost", "feeling"}
            }
            right += sum(post.facts.get(kind) == value for kind, value in said)
            invented += sum(post.facts.get(kind) != value for kind, value in said)
            count += 1
    return np.array([right, invented]) / count
