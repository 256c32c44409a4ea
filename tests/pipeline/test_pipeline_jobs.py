"""The five trainings as jobs: answers of one process on any number of them, one trunk for two models, and the losses by name."""

import json
import math
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from small_models import EOS, gpt2, random_batch, random_wins
from small_rollouts import small_gpt2
from tiny_models import tokenizer

from rlhw import checkpoint
from rlhw.batches import PLAIN
from rlhw.language_model import generate
from rlhw.logprobs import masked_sum
from rlhw.pipeline import jobs
from rlhw.pipeline.folder import Job, silent
from rlhw.pipeline.host import Host
from rlhw.pipeline.settings import DPO, GRPO, PPO, Cloning, Reward

NEW, BETA = 4, 0.2
ALONE = Host(PLAIN, torch.device("cpu"))


def prompts(count: int = 11) -> tuple[torch.Tensor, torch.Tensor]:
    whole = random_batch(count, 1, seed=7)
    return whole.prompts, whole.prompt_mask


def votes() -> tuple:
    return random_batch(12, 3, seed=1), random_wins(12, 3, seed=1).float()


def earned(batch, scale: float = 1.0) -> torch.Tensor:
    """Any function of the tokens will do."""
    return scale * masked_sum((batch.responses * 0.37).sin(), batch.response_mask)


def rollouts(settings, world: int) -> list[list]:
    """The answers to the prompts of three rollouts, those of all processes one after the other."""
    model, found = small_gpt2(1), [[], [], []]
    for rank in range(world):
        generator = torch.Generator()
        job = Job(Path("nowhere"), Host(PLAIN, torch.device("cpu"), rank, world), seed=5)
        stream = jobs._rollouts(job, prompts(), settings, NEW, generator, 2)
        for step, (tokens, mask) in enumerate(islice(stream, 3)):
            batch, _ = generate(
                model, tokens, mask, k=settings.answers, max_new_tokens=NEW, eos_id=EOS, generator=generator
            )
            for row, real, answers, masks in zip(tokens, mask, batch.responses, batch.response_mask, strict=True):
                texts = [answer[one].tolist() for answer, one in zip(answers, masks, strict=True)]
                found[step].append((row[real].tolist(), texts))
    return found


@pytest.mark.parametrize("settings", [PPO(prompts=6, answers=3), GRPO(prompts=6, answers=2)])
def test_several_processes_sample_the_answers_of_one(settings, monkeypatch):
    """On two processes and on three. Mutant: no process skips the numbers of those before it."""
    whole = rollouts(settings, 1)
    assert [len(step) for step in whole] == [settings.prompts] * 3
    assert len({str(step) for step in whole}) == 3
    for world in (2, 3):
        assert rollouts(settings, world) == whole
    monkeypatch.setattr(jobs, "torch", SimpleNamespace(rand=lambda *shape, **what: None, float64=torch.float64))
    first = settings.prompts // 2
    mutant = rollouts(settings, 2)
    assert [step[:first] for step in mutant] == [step[:first] for step in whole]
    assert mutant != whole


def learn(verb, folder, settings, *, policy=None, score=earned, progress=silent) -> list[dict]:
    """The curve of one job in this folder, from a new model."""
    torch.manual_seed(0)
    policy, job = policy or small_gpt2(1), Job(folder, ALONE, 3, progress)
    if verb in ("ppo", "grpo"):
        return getattr(jobs, verb)(
            job, policy, tokenizer(), prompts(), score, settings, beta=BETA, max_new_tokens=NEW
        )["curve"]  # fmt: skip
    if verb == "dpo":
        return jobs.dpo(job, policy, tokenizer(), votes(), settings, beta=BETA)["curve"]
    if verb == "bc":
        return jobs.bc(job, policy, tokenizer(), votes()[0], settings)["curve"]
    return jobs.reward(job, policy.base_model, tokenizer(), votes(), settings)["curve"]


class Killed(Exception):
    """Not caught by anything in a job."""


def killed_after(count: int):
    def shown(steps, start, total):
        for number, figures in enumerate(steps):
            if number == count:
                raise Killed
            yield figures

    return shown


SHARED = PPO(rollouts=3, prompts=4, answers=2, shared=True)


def test_a_shared_trunk_is_trained_by_both_losses(tmp_path, monkeypatch):
    """The value's gradient flows into the policy's own weights; without `shared`, into a copy."""
    given = []
    monkeypatch.setattr(jobs, "train_ppo", lambda *models, **what: given.append((models, what)) or iter(()))
    for shared in (True, False):
        policy = small_gpt2(1)
        learn("ppo", tmp_path / str(shared), PPO(rollouts=1, prompts=4, shared=shared, frozen=0.5), policy=policy)
        (_, value, *_), _ = given.pop()
        assert (value.trunk is policy.base_model) == shared
        torch.nn.init.ones_(value.head.weight)
        value(random_batch(2, 2)).square().sum().backward()
        assert (policy.transformer.h[1].mlp.c_fc.weight.grad is not None) == shared
        trained = [parameter.requires_grad for parameter in value.trunk.h[0].parameters()]
        assert set(trained) == {not shared}, "blocks are frozen in the policy, not in a critic of its own"


def test_a_shared_trunk_is_kept_once_and_resumed_bit_for_bit(tmp_path):
    learn("ppo", tmp_path / "whole", SHARED)
    with safe_open(checkpoint.latest(tmp_path / "whole"), framework="pt") as file:
        names = {name for name in file.keys() if name.startswith("model/")}  # noqa: SIM118
    policy_names = {f"model/policy.{name}" for name, _ in small_gpt2(1).named_parameters()}
    assert names == policy_names | {"model/value.weight", "model/value.bias"}
    with pytest.raises(Killed):
        learn("ppo", tmp_path / "killed", SHARED, progress=killed_after(2))
    learn("ppo", tmp_path / "killed", SHARED)
    weights = {name: load_file(tmp_path / name / "model" / "model.safetensors") for name in ("whole", "killed")}
    assert all(torch.equal(weights["whole"][name], weights["killed"][name]) for name in weights["whole"])
    learn("ppo", tmp_path / "apart", PPO(rollouts=3, prompts=4, answers=2))
    apart = load_file(tmp_path / "apart" / "model" / "model.safetensors")
    assert not torch.equal(apart["transformer.wpe.weight"], weights["whole"]["transformer.wpe.weight"])


@pytest.mark.parametrize("frozen", [0.0, 0.5])
def test_frozen_keeps_the_first_blocks_as_they_are(tmp_path, frozen):
    learn("ppo", tmp_path, PPO(rollouts=2, prompts=4, answers=2, frozen=frozen))
    before, after = small_gpt2(1).state_dict(), load_file(tmp_path / "model" / "model.safetensors")
    for block, kept in ((0, frozen == 0.5), (1, False)):
        names = [name for name in after if name.startswith(f"transformer.h.{block}.")]
        assert len(names) == 12
        assert {torch.equal(after[name], before[name]) for name in names if name.endswith("weight")} == {kept}


KNOWN = {"dpo": math.log(2), "ipo": (1 / (2 * BETA)) ** 2, "kto": 0.5}


@pytest.mark.parametrize("loss", KNOWN)
def test_the_first_loss_of_each_kind_is_the_known_one(tmp_path, loss):
    """At π = π_ref, to 1e-5 (float32; 1e-4 of 6.25 for IPO, whose slope there is 5)."""
    curve = learn("dpo", tmp_path, DPO(epochs=1.0, size=4, loss=loss))
    assert curve[0]["loss"] == pytest.approx(KNOWN[loss], abs=1e-4 if loss == "ipo" else 1e-5)
    assert len(curve) == 3
    assert curve[1]["loss"] != curve[0]["loss"]


def test_group_advantages_do_not_feel_the_scale_of_the_reward(tmp_path):
    """At π = π_ref the returns are the scores: a hundred times those, a hundred times the gradient, but for groups."""
    for advantages, factor in (("leave-one-out", 100.0), ("group", 1.0)):
        norms = []
        for scale in (1.0, 100.0):
            settings = GRPO(rollouts=1, prompts=8, answers=4, epochs=1, advantages=advantages)
            curve = learn("grpo", tmp_path / f"{advantages} {scale}", settings, score=partial(earned, scale=scale))
            norms.append(curve[0]["grad_norm"])
        assert norms[1] / norms[0] == pytest.approx(factor, rel=1e-3)


JOBS = {
    "bc": Cloning(steps=2, size=4),
    "reward": Reward(epochs=1.0, size=4),
    "dpo": DPO(epochs=1.0, size=4),
    "ppo": PPO(rollouts=2, prompts=4),
    "grpo": GRPO(rollouts=2, prompts=4, answers=2),
}


@pytest.mark.parametrize("verb", JOBS)
def test_each_job_leaves_a_model_a_tokenizer_and_its_newest_checkpoints(tmp_path, verb):
    curve = learn(verb, tmp_path, JOBS[verb])
    assert checkpoint.latest(tmp_path).name == f"step_{len(curve):08d}.safetensors"
    files = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= files
    kind = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf8"))["architectures"]
    assert kind == ["GPT2ForSequenceClassification" if verb == "reward" else "GPT2LMHeadModel"]
    assert not list(tmp_path.rglob("*.part"))


def test_one_trunk_on_several_processes_is_refused(tmp_path):
    job = Job(tmp_path, Host(PLAIN, torch.device("cpu"), 0, 2), 0)
    with pytest.raises(ValueError, match=r"^ppo\.shared: one trunk in two models works in one process only"):
        jobs.ppo(job, gpt2(1), tokenizer(), prompts(), earned, SHARED, beta=BETA, max_new_tokens=NEW)


@pytest.mark.parametrize(
    ("epochs", "size", "sentence"),
    [
        (1.0, 13, "^size must be .* the 12 prompts that were compared; got 13"),
        (0.5, 8, "^epochs must make at least one step of 8 of the 12 prompts; got 0.5"),
        (-1.0, 4, "^epochs must make at least one step"),
    ],
)
def test_what_makes_no_step_is_refused(tmp_path, epochs, size, sentence):
    for verb, settings in (("reward", Reward(epochs=epochs, size=size)), ("dpo", DPO(epochs=epochs, size=size))):
        with pytest.raises(ValueError, match=sentence):
            learn(verb, tmp_path / verb, settings)


def test_epochs_are_counted_in_whole_batches():
    wins = votes()[1]
    assert [jobs._steps(epochs, wins, size) for epochs, size in ((1.0, 5), (2.0, 5), (0.5, 3), (2.5, 12))] == [
        2,
        4,
        2,
        2,
    ]
