"""Files that a run can be given: texts and comparisons of the small forum, in the words that the shipped model knows."""

import json
from pathlib import Path

import numpy as np

from rlhw.tiny_tldr import Teacher, sample_post

# A run of a few steps, as the command line has it.
FEW_STEPS = [
    *("--clone.steps", "2", "--clone.size", "8", "--reward.size", "8", "--dpo.size", "8", "--max-new-tokens", "10"),
    *(
        "--ppo.rollouts",
        "2",
        "--ppo.prompts",
        "4",
        "--grpo.rollouts",
        "2",
        "--grpo.prompts",
        "4",
        "--grpo.answers",
        "4",
    ),
    *("--evaluate.posts", "4", "--evaluate.answers", "2", "--evaluate.samples", "8"),
]


def write_lines(path: Path, records: list) -> str:
    """One JSON object a line; a text stands as it is."""
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return str(path)


def texts(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Posts with the teacher's summaries."""
    rng, teacher = np.random.default_rng(seed), Teacher()
    found = [sample_post(rng) for _ in range(count)]
    return [{"prompt": post.text, "completion": teacher.sample(post, rng)} for post in found]


def comparisons(count: int, seed: int = 1) -> list[dict[str, str]]:
    """One comparison of each of so many posts: the shorter summary is chosen, equally long ones are a tie."""
    rng, teacher, found = np.random.default_rng(seed), Teacher(), []
    while len(found) < count:
        post = sample_post(rng)
        first, second = teacher.sample(post, rng), teacher.sample(post, rng)
        if first != second:
            words = len(first.split()) - len(second.split())
            choice = "tie" if words == 0 else "first" if words < 0 else "second"
            found.append({"prompt": post.text, "first": first, "second": second, "choice": choice, "annotator": "ann"})
    return found
