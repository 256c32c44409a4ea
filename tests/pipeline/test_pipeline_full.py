"""Runs on files of one's own, at both scales, from the command line to the report."""

import json

import pytest
from pipeline_samples import FEW_STEPS, comparisons, texts, write_lines

from rlhw import cli
from rlhw.pipeline import report, stages
from rlhw.preferences import read_jsonl

FULL = ["run", "--scale", "full", "--device", "cpu", "--model", "tiny", "--context", "160", *FEW_STEPS]
TINY = ["run", "--clone.posts", "72", *FEW_STEPS]


@pytest.fixture(autouse=True)
def few_samples(monkeypatch):
    """A report shows fifty posts and holds out prompts where two hundred were compared: more than these runs have."""
    monkeypatch.setattr(report, "SAMPLES", 3)
    monkeypatch.setattr(stages, "ENOUGH", 50)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    strange = {"prompt": "zebra", "first": "Qubits", "second": "quarks", "choice": "tie"}
    return {
        "texts": write_lines(folder / "texts.jsonl", texts(120)),
        "few": write_lines(folder / "few.jsonl", texts(8)),
        "data": write_lines(folder / "data.jsonl", [*comparisons(60), strange]),
        "here": str(folder),
    }


def test_full_scale_on_the_cpu_with_files_of_ones_own(files, tmp_path, capsys):
    out = tmp_path / "run"
    full = [
        *FULL,
        "--evaluate.each",
        "3",
        "--clone.patience",
        "1",
        "--clone.steps",
        "20",
        "--clone.measure-every",
        "10",
    ]
    assert cli.main([*full, "--texts", files["texts"], "--data", files["data"], "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "On the CPU a run of this scale takes about" in said
    assert (
        "data: 61 comparisons; 0 replaced by a later label of the same annotator; 0 too long for context=160, 1 with words"
        in said
    )
    assert f"report: {out / 'report.html'}" in said
    summary = json.loads((out / "summary.json").read_text(encoding="utf8"))
    assert summary["judge"] == "learned"
    assert summary["cloning_gap"] is None, "no teacher is known"
    assert summary["held_out_nats"] > 0
    assert summary["reward_share"] is None
    assert 0 <= summary["reward_accuracy"] <= 1
    assert {"ppo_share", "grpo_share", "dpo_share"} <= summary.keys()
    assert "facts_right" not in summary["policies"]["clone"]
    train, held_out = (read_jsonl(out / "compare" / f"{name}.jsonl") for name in ("comparisons", "held_out"))
    assert len(train) + len(held_out) == 60
    assert not {one.prompt for one in train} & {one.prompt for one in held_out}
    done = {
        stage: json.loads((out / stage / "done.json").read_text(encoding="utf8"))
        for stage in ("clone", "ppo", "grpo", "dpo")
    }
    assert done["clone"]["best_step"] in (10, 20)
    for stage in ("ppo", "grpo", "dpo"):
        found = done[stage]["held_out"]
        assert f"{stage}: on 3 held-out posts reward {found['reward']:.2f}, KL {found['kl']:.2f} nats, J" in said
        assert found["objective"] == pytest.approx(found["reward"] - 0.05 * found["kl"], abs=1e-6)
    page = (out / "report.html").read_text(encoding="utf8")
    assert page.count("<dt>reference, ") == 3
    assert page.count("<dt>ppo, ") == 3
    assert "The reward shown is the learned one" in page
    assert "It agrees with" in page
    capsys.readouterr()
    assert cli.main([*full, "--texts", files["texts"], "--data", files["data"], "--out", str(out), "--resume"]) == 0
    assert (out / "report.html").read_text(encoding="utf8") == page
    assert "data:" not in capsys.readouterr().out, "what is done is not done again"


def test_the_small_forum_with_comparisons_of_a_file(files, tmp_path, capsys):
    out = tmp_path / "run"
    assert cli.main([*TINY, "--data", files["data"], "--out", str(out), "--until", "reward"]) == 0
    assert "61 comparisons; 0 replaced by a later label of the same annotator; 0 too long" in capsys.readouterr().out
    done = {stage: json.loads((out / stage / "done.json").read_text(encoding="utf8")) for stage in ("clone", "reward")}
    assert done["clone"]["cloning_gap"] > 0, "the teacher is known here"
    held_out = read_jsonl(out / "compare" / "held_out.jsonl")
    assert len(done["reward"]["curve"]) == 2 * ((60 - len(held_out)) // 8)


def refused(arguments: list[str], out, capsys) -> str:
    """What a run says that ends with exit code 2: one line."""
    assert cli.main([*arguments, "--out", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if line.startswith("rlhw: ")]
    assert len(lines) == 1
    assert said[-1] == lines[0]
    return lines[0]


def test_settings_that_cannot_be_are_refused_before_anything_is_written(files, tmp_path, capsys):
    wrong = {
        "texts must name posts with summaries": [*FULL, "--texts", "", "--data", files["data"]],
        "data and gold: the gold reward": [*FULL, "--texts", files["texts"], "--data", "simulated"],
        "the small forum alone": [*FULL, "--texts", files["texts"], "--data", files["data"], "--gold"],
        "grpo.answers must be 2 or more": [*TINY, "--grpo.answers", "1"],
        "compare.temperature must be above 0": [*TINY, "--compare.temperature", "0"],
        "beta must be above 0 and finite": [*TINY, "--beta", "inf"],
    }
    for sentence, arguments in wrong.items():
        assert sentence in refused(arguments, tmp_path / "run", capsys)
        assert list(tmp_path.iterdir()) == []


# What would be found only after hours of training at full scale, or end in a traceback.
LATE = {
    "comparisons that are not there": (FULL, {"texts": "texts"}, ["--data", "nothing.jsonl"], "nothing.jsonl"),
    "texts that are not there": (FULL, {"data": "data"}, ["--texts", "nothing.jsonl"], "nothing.jsonl"),
    "too few texts to hold out any": (FULL, {"texts": "few", "data": "data"}, [], "texts"),
    "a context longer than the model's": (FULL, {"texts": "texts", "data": "data"}, ["--context", "600"], "context"),
    "one answer to compare": (TINY, {}, ["--compare.prompts", "16", "--compare.answers", "1"], "compare.answers"),
    "one post to measure on": (TINY, {}, ["--compare.prompts", "16", "--evaluate.posts", "1"], "evaluate.posts"),
    "a seed that torch cannot take": (TINY, {}, ["--compare.prompts", "16", "--seed", "5000000000"], "seed"),
    "training without end": (TINY, {}, ["--compare.prompts", "16", "--dpo.epochs", "inf"], "dpo.epochs"),
    "posts that are not asked for": (TINY, {"texts": "texts"}, ["--compare.prompts", "16"], "texts"),
    "batches of none": (TINY, {}, ["--compare.prompts", "16", "--reward.size", "0"], "size"),
}


@pytest.mark.parametrize("case", LATE)
def test_what_cannot_end_well_is_refused_at_the_start(case, files, tmp_path, capsys):
    start, given, change, named = LATE[case]
    arguments = [*start, *(word for name, file in given.items() for word in (f"--{name}", files[file])), *change]
    assert named in refused(arguments, tmp_path / "run", capsys)
    assert not [path for path in tmp_path.rglob("*") if path.name == "done.json" or path.name.startswith("step_")]
