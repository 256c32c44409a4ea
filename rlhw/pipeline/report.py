"""What came of a run: `summary.json` with the shares of what can be attained, and `report.html` with samples and curves."""

import json
from collections.abc import Callable
from importlib import resources

import jinja2
import numpy as np
import torch
from torch import nn

from rlhw.batches import collate
from rlhw.calibration import pair_accuracy
from rlhw.pipeline import drawings, forum, jobs
from rlhw.pipeline.attained import best_objective, share
from rlhw.pipeline.data import votes
from rlhw.pipeline.folder import finished, write_whole
from rlhw.pipeline.forum import Forum
from rlhw.pipeline.memory import at_once
from rlhw.pipeline.sampled import Sampled, sample
from rlhw.pipeline.settings import STAGES
from rlhw.pipeline.stages import HELD_OUT, Run, learned
from rlhw.pipeline.texts import Texts
from rlhw.preferences import read_jsonl
from rlhw.reward_model import RewardModel, score_batches

POLICIES = ("clone", "ppo", "grpo", "dpo")
SAMPLES = 50


def write(run: Run) -> dict:
    """Evaluate all policies on held-out posts, and write both files beside the stages."""
    reference, tokenizer = run.model("clone")
    settings = run.settings
    posts = run.world(tokenizer)
    texts = run.held_out_posts(tokenizer)
    answers = answered(run, texts, settings.evaluate.answers, settings.seed)
    tokens, mask = (part.to(run.host.device) for part in run.prompts(texts, tokenizer))
    best = best_objective(
        run.sampler(run.model("grpo")[0]), run.sampler(reference), posts.gold() or learned(run), tokens, mask, beta=settings.beta,
        objective=float(answers["clone"].objectives(settings.beta).mean()), samples=settings.evaluate.samples,
        most=settings.evaluate.most, max_new_tokens=settings.max_new_tokens, eos_id=tokenizer.eos_token_id,
        generator=torch.Generator().manual_seed(settings.seed + 1), at_once=at_once(settings, reference.config),
    )  # fmt: skip
    policies, by_post = compared(run, answers, np.array(best.pop("jstar_of")))
    if isinstance(posts, Forum):
        for name in POLICIES:
            right, invented = forum.facts_right_and_invented(texts, answers[name].texts)
            policies[name] |= {"facts_right": float(right), "facts_invented": float(invented)}
    done = {stage: finished(run.folder / stage) for stage in STAGES[:-1]}
    summary = {
        **{name: done["clone"].get(name) for name in ("cloning_gap", "cloning_share", "held_out_nats")},
        **reward_quality(run, reference, tokenizer),
        **{f"{name}_share": row["share"][0] for name, row in policies.items() if "share" in row},
        **best, "judge": "learned" if posts.gold() is None else "gold", "policies": policies,
        "seconds": {stage: record["seconds"] for stage, record in done.items()},
    }  # fmt: skip
    write_whole(run.folder / "report" / "by_post.json", json.dumps(by_post))
    write_whole(run.folder / "summary.json", json.dumps(summary, indent=1))
    # Those of seed 0, so that the samples of two runs can be laid side by side.
    shown = posts.prompts(SAMPLES, "evaluation", np.random.default_rng((0, 1)))
    page = _page(run, summary, done, shown, answered(run, shown, 1, 0), references(run, shown, tokenizer))
    write_whole(run.folder / "report.html", page)
    return {"summary": "summary.json", "report": "report.html"}


def answered(run: Run, texts: list[str], k: int, seed: int) -> dict[str, Sampled]:
    """k answers of each policy to these posts, all from the same numbers."""
    reference, tokenizer = run.model("clone")
    judge, score = run.world(tokenizer).gold() or learned(run), learned(run)
    tokens, mask = (part.to(run.host.device) for part in run.prompts(texts, tokenizer))
    return {
        name: sample(
            run.sampler(run.model(name)[0]), reference, judge, score, tokens, mask, tokenizer, k=k,
            max_new_tokens=run.settings.max_new_tokens, generator=torch.Generator().manual_seed(seed),
            at_once=at_once(run.settings, reference.config),
        )
        for name in POLICIES
    }  # fmt: skip


def references(run: Run, shown: list[str], tokenizer: Callable) -> list[tuple[str, float] | None]:
    """The summary that comes with each post, with its learned reward; None where there is none that fits beside its post."""
    posts, score = run.world(tokenizer), learned(run)
    records = posts.references(shown) if isinstance(posts, Texts) else []
    found: list[tuple[str, float] | None] = [None] * len(shown)
    for i, record in enumerate(records):
        if record is not None:
            batch = collate([record], tokenizer, run.settings.context).to(run.host.device)
            with torch.no_grad():
                found[i] = record["completion"], float(score(batch))
    return found


def compared(
    run: Run, answers: dict[str, Sampled], jstar_of: np.ndarray
) -> tuple[dict[str, dict], dict[str, list[float]]]:
    """What each policy reached, best-of-n of the clone beside them, each but the clone with its share of what can be attained;
    and the objectives of each post, J* among them.
    """
    beta, clone = run.settings.beta, answers["clone"]
    rows = {name: found.figures(beta) for name, found in answers.items()}
    objectives = {name: found.objectives(beta) for name, found in answers.items()}
    for n in sorted({4, clone.judged.shape[1]}):
        if 1 < n <= clone.judged.shape[1]:
            rows[f"best_of_{n}"], objectives[f"best_of_{n}"] = clone.best_of(n, run.settings.gold, beta)
    # Where a nat is so dear that nothing is to be gained, there is no share of it.
    for name in list(rows)[1:] if (jstar_of - objectives["clone"]).mean() > 0 else []:
        rng = np.random.default_rng(run.settings.seed)
        rows[name]["share"] = share(objectives[name], objectives["clone"], jstar_of, rng)
    return rows, {name: found.tolist() for name, found in (objectives | {"jstar": jstar_of}).items()}


def reward_quality(run: Run, clone: nn.Module, tokenizer: Callable) -> dict[str, float | None]:
    """The reward model on the clone's answers to held-out posts of the forum, and on the votes of a file's held-out prompts."""
    posts, path, found = run.world(tokenizer), run.folder / "compare" / HELD_OUT, {}
    if isinstance(posts, Forum):
        texts = posts.prompts(8 * run.settings.evaluate.posts, "evaluation", run.rng("reward held out"))
        tokens, mask = (part.to(run.host.device) for part in run.prompts(texts, tokenizer))
        answers = sample(
            clone, clone, posts.gold(), learned(run), tokens, mask, tokenizer, k=4,
            max_new_tokens=run.settings.max_new_tokens, generator=run.generator("reward held out"),
            at_once=at_once(run.settings, clone.config),
        )  # fmt: skip
        scores, gold = torch.from_numpy(answers.learned), torch.from_numpy(answers.judged)
        found["reward_share"] = forum.share_of_bayes(scores, gold, run.settings.compare.temperature)
    if path.is_file():
        batch, wins = votes(read_jsonl(path), tokenizer, run.settings.context)
        model = run.host.wrap(RewardModel.from_pretrained(run.folder / "reward" / "model"), learns=False)
        pieces = jobs.parts(batch, run.settings.reward.micro_batch or jobs.CHUNK)
        scores = score_batches(model, (piece.to(run.host.device) for piece in pieces))
        found["reward_accuracy"] = pair_accuracy(scores.double(), wins.double())
    return {"reward_share": None, "reward_accuracy": None} | found


def _page(
    run: Run, summary: dict, done: dict, posts: list[str], answers: dict[str, Sampled],
    summaries: list[tuple[str, float] | None],
) -> str:  # fmt: skip
    """The report as one HTML file: no text of it can be markup, for the template escapes all that is put in."""
    template = resources.files("rlhw.pipeline").joinpath("report.html.jinja").read_text(encoding="utf8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    samples = [
        (post, summaries[i], [(name, answers[name].texts[i][0], answers[name].learned[i, 0]) for name in POLICIES])
        for i, post in enumerate(posts)
    ]
    return environment.from_string(template).render(
        settings=run.settings.as_json(), summary=summary, rows=samples, loss=run.settings.dpo.loss,
        frontier=drawings.as_address(drawings.frontier, summary),
        curves=drawings.as_address(drawings.curves, done, run.settings.dpo.loss),
    )  # fmt: skip
