"""What the widget AlignedTokens shows: `python -m benchmarks.aligned_tokens` writes its data and card (four minutes of one core).

One clone of the small forum's teacher and one policy that PPO made of it with the gold reward, both with the settings of
`rlhw run --gold`, seed 0. Each writes one summary of the same held-out posts; along both stand the next-word laws of both.
A run that is stopped goes on where it was. The data go to rlhw/widgets/aligned_tokens.json.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchmarks.token_by_token import confused, divergence, rounded, said, wrong
from rlhw import cards
from rlhw.batches import Batch, answer_texts, collate, collate_prompts
from rlhw.language_model import generate, load
from rlhw.logprobs import response_logits
from rlhw.pipeline import stages
from rlhw.pipeline.command import bar
from rlhw.pipeline.folder import finished, open_run, write_whole
from rlhw.pipeline.host import host
from rlhw.pipeline.settings import Settings
from rlhw.tiny_tldr import Post, gold_reward, sample_post
from rlhw.tiny_tldr.summaries import WHOLE

DATA = Path(__file__).parents[1] / "rlhw/widgets/aligned_tokens.json"
SETTINGS = Settings(gold=True, out=Path("runs/aligned_tokens"))
TRAINED = ("clone", "ppo")
POSTS, SHOWN = 200, 7
LAWS = ("clone", "policy")


def tells_old_story(summary: str) -> bool:
    return "old_who" in said(summary)


# The posts shown: for each line, the first of the held-out ones that it fits, so that nobody picks a pretty one. Each takes the
# post, the clone's summary and the policy's.
KINDS: dict[str, Callable[[Post, str, str], bool]] = {
    "both say the same": lambda post, clone, policy: clone == policy and not wrong(post, clone),
    "the clone makes something up, the policy does not": lambda post, clone, policy: (
        any(getattr(post, kind) is None for kind in wrong(post, clone)) and not wrong(post, policy)
    ),
    "the clone takes a word from the old story, the policy does not": lambda post, clone, policy: (
        bool(confused(post, clone)) and not wrong(post, policy)
    ),
    "the clone tells the old story, too, the policy does not": lambda post, clone, policy: (
        tells_old_story(clone) and not tells_old_story(policy) and not wrong(post, policy)
    ),
    "the policy says something that is not so": lambda post, clone, policy: bool(wrong(post, policy)),
}


def trained(settings: Settings = SETTINGS) -> tuple[nn.Module, nn.Module, Callable]:
    """(clone, policy, tokenizer) of the run, trained now or in an earlier process."""
    here = host("cpu")
    folder = open_run(settings.out, settings.as_json(), settings.out.exists(), here)
    for stage in TRAINED:
        (folder / stage).mkdir(exist_ok=True)
        if finished(folder / stage) is None:
            done = getattr(stages, stage)(stages.Run(settings, folder, here, bar(stage), print))
            write_whole(folder / stage / "done.json", json.dumps(done))
    (clone, tokenizer), (policy, _) = (load(folder / stage / "model") for stage in TRAINED)
    return clone, policy, tokenizer


def held_out(settings: Settings = SETTINGS) -> list[Post]:
    """The posts that both models summarise."""
    rng = np.random.default_rng((settings.seed, POSTS))
    return [sample_post(rng, "evaluation") for _ in range(POSTS)]


def summaries(model: nn.Module, posts: list[Post], tokenizer: Callable) -> list[str]:
    """One summary of each post, sampled from the model: the same uniform numbers whichever model it is."""
    prompts = collate_prompts([post.text for post in posts], tokenizer, SETTINGS.context - SETTINGS.max_new_tokens)
    batch, _ = generate(
        model, *prompts, max_new_tokens=SETTINGS.max_new_tokens, eos_id=tokenizer.eos_token_id,
        generator=torch.Generator().manual_seed(SETTINGS.seed),
    )  # fmt: skip
    return [texts[0] for texts in answer_texts(batch, tokenizer)]


@torch.no_grad()
def next_word_laws(model: nn.Module, batch: Batch) -> Float[Tensor, "B K R V"]:
    """The model's law of the next word before each word of each answer, the eos included, in float64."""
    return response_logits(model, batch)[:, :, :-1].double().softmax(-1)


def chosen(posts: list[Post], both: list[tuple[str, str]]) -> dict[str, int]:
    """For each of KINDS that fits any post the number of the first, both summaries being ones that the teacher could write."""
    whole = [i for i, texts in enumerate(both) if all(WHOLE.fullmatch(text) for text in texts)]
    first = {kind: next((i for i in whole if fits(posts[i], *both[i])), None) for kind, fits in KINDS.items()}
    return {kind: i for kind, i in first.items() if i is not None}


def step(at: int, laws: np.ndarray, words: list[str]) -> dict:
    """One position: its word, the words shown with their probability under each law "2 V", log-probabilities, and the KL.

    Shown are the word itself and those that both laws together give most, the policy's likeliest first.
    """
    together = laws.sum(0)
    together[at] = np.inf
    top = np.argsort(-together, kind="stable")[:SHOWN]
    top = sorted(top, key=lambda v: (-laws[1, v], -laws[0, v]))
    return {
        "word": words[at],
        "words": [words[v] for v in top],
        **{name: rounded(law[top]) for name, law in zip(LAWS, laws, strict=True)},
        "logprobs": [round(float(np.log(law[at])), 4) for law in laws],
        "kl": round(float(divergence(laws[1:], laws[:1])[0]), 4),
    }


def answer(post: Post, summary: str, tokens: np.ndarray, laws: np.ndarray, words: list[str]) -> dict:
    """What the widget shows of one summary: its tokens "T" under the laws "T 2 V"."""
    return {
        "summary": summary,
        "score": round(gold_reward(post, summary), 4),
        "steps": [step(at, law, words) for at, law in zip(tokens, laws, strict=True)],
    }


def main() -> int:
    clone, policy, tokenizer = trained()
    start = time.perf_counter()
    posts = held_out()
    both = list(zip(*(summaries(model, posts, tokenizer) for model in (clone, policy)), strict=True))
    records = [{"prompt": post.text, "answers": list(texts)} for post, texts in zip(posts, both, strict=True)]
    batch = collate(records, tokenizer, SETTINGS.context)
    laws = torch.stack([next_word_laws(model, batch) for model in (clone, policy)], 3).numpy()  # B K R 2 V
    mask, tokens = batch.response_mask.numpy(), batch.responses.numpy()
    words = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))

    def shown(kind: str, i: int) -> dict:
        answers = [
            answer(posts[i], both[i][k], tokens[i, k][mask[i, k]], laws[i, k][mask[i, k]], words) for k in range(2)
        ]
        return {"kind": kind, "post": posts[i].text, "answers": dict(zip(LAWS, answers, strict=True))}

    examples = [shown(kind, i) for kind, i in chosen(posts, both).items()]
    text = json.dumps({"beta": SETTINGS.beta, "examples": examples}, separators=(",", ":"))
    DATA.write_text(text.replace('{"word"', '\n{"word"') + "\n", encoding="utf-8")
    metrics = measured(posts, both, laws, tokens, mask)
    count = sum(len(one["steps"]) for example in examples for one in example["answers"].values())
    sha = hashlib.sha256(DATA.read_bytes()).hexdigest()
    metrics["tokens"] = cards.metric(
        "tokens of the summaries shown, the end of each included", count,
        note=f"the data: rlhw/widgets/aligned_tokens.json, sha256 {sha}; one clone and one run of PPO, seed 0",
    )  # fmt: skip
    cards.write(
        "aligned_tokens", "Next-word laws of the clone and of the policy that PPO made of it", metrics,
        seconds=time.perf_counter() - start + sum(finished(SETTINGS.out / stage)["seconds"] for stage in TRAINED),
        command="python -m benchmarks.aligned_tokens",
        modules=[
            "rlhw.tiny_tldr", "rlhw.behavior_cloning", "rlhw.rollouts", "rlhw.ppo", "rlhw.language_model", "rlhw.logprobs",
            "rlhw.batches", "rlhw.pipeline.jobs", "rlhw.pipeline.stages", "rlhw.pipeline.settings", "benchmarks.token_by_token",
        ],
    )  # fmt: skip
    return 0 if cards.report("aligned_tokens") else 1


def measured(
    posts: list[Post], both: list[tuple[str, str]], laws: np.ndarray, tokens: np.ndarray, mask: np.ndarray
) -> dict[str, dict]:
    """Means over all held-out posts: rewards of both, KL in two ways, and how the price is spread over tokens."""
    scores = np.array([[gold_reward(post, text) for text in texts] for post, texts in zip(posts, both, strict=True)])
    at = np.take_along_axis(laws, tokens[..., None, None], -1)[..., 0]  # B K R 2
    ratios = np.where(mask, np.log(at[..., 1] / at[..., 0]), 0.0)[:, 1]  # along the policy's own summaries
    kls = np.where(mask, divergence(laws[..., 1, :], laws[..., 0, :]), 0.0)[:, 1]
    spread = np.sort(kls[mask[:, 1]])[::-1]
    dearest = float(spread[: max(1, len(spread) // 10)].sum() / spread.sum())
    error = float((kls.sum(1) - ratios.sum(1)).std(ddof=1) / np.sqrt(POSTS))
    beta, gain = SETTINGS.beta, float(np.mean(scores[:, 1] - scores[:, 0]))
    left = gain - beta * float(ratios.sum(1).mean())
    return {
        "gold_clone": cards.metric("gold reward of the clone's summaries", float(scores[:, 0].mean())),
        "gold_policy": cards.metric("gold reward of the policy's summaries", float(scores[:, 1].mean())),
        "kl_ratios": cards.metric("KL(policy‖clone): mean of the summed log-ratios", float(ratios.sum(1).mean()), unit="nats"),
        "kl_laws": cards.metric(
            "the same from the next-word laws: mean of the summed KLs", float(kls.sum(1).mean()), unit="nats",
            known=float(ratios.sum(1).mean()), bound="within 4 standard errors of the log-ratios' mean",
            met=bool(abs(kls.sum(1).mean() - ratios.sum(1).mean()) < 4 * error),
        ),
        "left": cards.metric(
            "gain in reward less the price, beta = 0.25", left, bound="> 0", met=left > 0
        ),
        "dearest": cards.metric("share of the KL that the dearest tenth of the tokens pays", dearest),
        "posts": cards.metric("held-out posts, one summary of each model to each", float(POSTS),
            note="the seconds of this card are those of a machine that was busy with other runs",
        ),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
