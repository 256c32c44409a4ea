"""What came of a run: `summary.json` with the shares of what can be attained, and `report.html` with samples and curves."""

import base64
import io
import json
from collections.abc import Callable
from importlib import resources

import jinja2
import numpy as np
import torch
from torch import nn

from rlhw.batches import answer_texts
from rlhw.calibration import pair_accuracy
from rlhw.pipeline import forum, stages
from rlhw.pipeline.folder import finished, write_whole
from rlhw.reward_model import RewardModel, score_batches
from rlhw.rollouts import Rollout, collect, measure

POLICIES = ("clone", "ppo", "grpo", "dpo")
SAMPLES = 50


def write(run: stages.Run) -> dict:
    """Evaluate all policies on held-out posts, and write both files beside the stages."""
    reference, tokenizer = run.model("clone")
    told = forum.posts(run.settings.evaluate.posts, "evaluation", np.random.default_rng((run.settings.seed, 1)))
    tokens, mask = forum.prompts(told, tokenizer)
    gold, earned = forum.gold(tokenizer), stages.reward_of(run, tokenizer)
    what = {"max_new_tokens": run.settings.max_new_tokens, "eos_id": tokenizer.eos_token_id}
    policies = {name: run.model(name)[0] for name in POLICIES}
    measured, samples = {}, {}
    for name, policy in policies.items():
        rollout = collect(
            policy, reference, gold, tokens, mask, k=run.settings.evaluate.answers,
            generator=torch.Generator().manual_seed(run.settings.seed), **what,
        )  # fmt: skip
        answers = answer_texts(rollout.batch, tokenizer)
        right, invented = forum.facts_right_and_invented(told, answers)
        measured[name] = measure(rollout, run.settings.beta) | {
            "learned": float(_scores(earned, rollout).mean()), "facts_right": float(right), "facts_invented": float(invented),
        }  # fmt: skip
        samples[name] = [texts[0] for texts in answers]
    start = measured["clone"]["objective"]
    best = forum.best_objective(
        policies["grpo"], reference, gold, tokens, mask, beta=run.settings.beta, objective=start,
        samples=run.settings.evaluate.samples, most=8 * run.settings.evaluate.samples,
        generator=torch.Generator().manual_seed(run.settings.seed + 1), **what,
    )  # fmt: skip
    done = {stage: finished(run.folder / stage) for stage in ("clone", "compare", "reward", "ppo", "grpo", "dpo")}
    shares = {f"{name}_share": (measured[name]["objective"] - start) / (best["jstar"] - start) for name in POLICIES[1:]}
    summary = {
        "cloning_gap": done["clone"]["cloning_gap"], "cloning_share": done["clone"]["cloning_share"],
        "reward_share": _reward_share(run, reference, tokenizer), **shares, **best, "policies": measured,
        "seconds": {stage: record["seconds"] for stage, record in done.items()},
    }  # fmt: skip
    write_whole(run.folder / "summary.json", json.dumps(summary, indent=1))
    page = _page(run, summary, done, [post.text for post in told[:SAMPLES]], samples)
    write_whole(run.folder / "report.html", page)
    return {"summary": str(run.folder / "summary.json"), "report": str(run.folder / "report.html")}


@torch.no_grad()
def _scores(reward: Callable, rollout: Rollout) -> torch.Tensor:
    return reward(rollout.batch)


def _reward_share(run: stages.Run, clone: nn.Module, tokenizer: object) -> float:
    """(accuracy - ½)/(Bayes accuracy - ½) of the reward model, on the clone's answers to held-out posts."""
    rng = run.rng("reward held out")
    told = forum.posts(4 * run.settings.evaluate.posts, "evaluation", rng)
    tokens, mask = forum.prompts(told, tokenizer)
    model = RewardModel.from_pretrained(run.folder / "reward" / "model")
    rollout = collect(
        clone, clone, model, tokens, mask, k=4, max_new_tokens=run.settings.max_new_tokens,
        eos_id=tokenizer.eos_token_id, generator=run.generator("reward held out"),
    )  # fmt: skip
    scores = score_batches(model, stages.parts(rollout.batch)).double()
    gold = forum.gold(tokenizer)(rollout.batch).double()
    chances = ((gold[:, :, None] - gold[:, None, :]) / run.settings.compare.temperature).sigmoid()
    chances = chances * (1 - torch.eye(4))
    bayes = float(torch.maximum(chances, chances.mT).sum() / (2 * chances.sum()))
    return (pair_accuracy(scores, chances) - 0.5) / (bayes - 0.5)


def _page(run: stages.Run, summary: dict, done: dict, posts: list[str], samples: dict[str, list[str]]) -> str:
    """The report as one HTML file: no text of it can be markup, for the template escapes all that is put in."""
    template = resources.files("rlhw.pipeline").joinpath("report.html.jinja").read_text(encoding="utf8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    rows = [(post, [samples[name][i] for name in POLICIES]) for i, post in enumerate(posts)]
    return environment.from_string(template).render(
        settings=run.settings.as_json(), summary=summary, policies=POLICIES, rows=rows, best=summary["jstar"],
        frontier=_figure(_draw_frontier, summary), curves=_figure(_draw_curves, done),
    )  # fmt: skip


def _figure(draw: object, *arguments: object) -> str:
    """A drawing as SVG in a data address."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    draw(figure, *arguments)
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()


def _draw_frontier(figure: object, summary: dict) -> None:
    """Gold reward against KL, each policy a named point, beside the best that there is."""
    axes = figure.subplots()
    # With very few samples no point of it can be told.
    if summary["frontier"]:
        axes.plot(*zip(*summary["frontier"], strict=True), color="0.4")
        kl, reward = summary["frontier"][-1]
        axes.annotate("best there is", (kl, reward), textcoords="offset points", xytext=(-4, 6), ha="right")
    for name, marker in zip(POLICIES, "osD^", strict=True):
        point = summary["policies"][name]["kl"], summary["policies"][name]["reward"]
        axes.plot(*point, marker, color="#0072B2")
        axes.annotate(name, point, textcoords="offset points", xytext=(6, -12))
    axes.set_xlabel("KL from the clone, nats an answer")
    axes.set_ylabel("gold reward")


def _draw_curves(figure: object, done: dict) -> None:
    """The objective as PPO and GRPO went on, and the loss of DPO."""
    online, offline = figure.subplots(1, 2)
    for name, style in (("ppo", "-"), ("grpo", "--")):
        values = [figures["objective"] for figures in done[name]["curve"]]
        online.plot(range(1, len(values) + 1), values, style, color="#0072B2")
        online.annotate(name, (len(values), values[-1]), textcoords="offset points", xytext=(-4, -12), ha="right")
    online.set_xlabel("rollout")
    online.set_ylabel("reward it is trained on - β KL")
    losses = [figures["loss"] for figures in done["dpo"]["curve"]]
    offline.plot(range(1, len(losses) + 1), losses, color="#D55E00")
    offline.axhline(np.log(2), color="0.4", linestyle=":")
    offline.annotate("ln 2: no better than a coin", (1, np.log(2)), textcoords="offset points", xytext=(0, 4))
    offline.set_xlabel("step")
    offline.set_ylabel("DPO loss, nats a vote")
