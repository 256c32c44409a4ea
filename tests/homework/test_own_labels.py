"""Labels as text and the run card: what is read, what is refused, and a card that a real run makes."""

import json
import re

import numpy as np
import pytest

from rlhw import exercises
from rlhw.exercises import labels
from rlhw.exercises.hw2_own_labels import sample
from rlhw.exercises.hw2_run_card import card_of
from rlhw.homework import own_run
from rlhw.labelling import Session
from rlhw.pipeline import jobs
from rlhw.preferences import read_jsonl
from rlhw.tiny_tldr import Teacher, sample_post


def test_what_the_widget_wrote_is_read(tmp_path):
    """A session writes the file; its text counts, and `read_jsonl` reads the same from it."""
    rng, pairs = np.random.default_rng(0), [(f"post {n}", f'"one" {n}\\', f"other\u2028 {n}") for n in range(32)]
    session = Session(pairs, tmp_path / "my_labels.jsonl", "me", rng=rng)
    state = session.reply({"kind": "hello"})
    while state["pair"]:
        choice = "first" if rng.random() < 0.5 else "second"
        state = session.reply({"kind": "choose", "turn": state["turn"], "choice": choice, "seconds": 1.5})
    text = (tmp_path / "my_labels.jsonl").read_text(encoding="utf8")
    assert labels.read(text).comparisons == tuple(read_jsonl(tmp_path / "my_labels.jsonl"))
    assert exercises.verdict("hw2-own-labels", text).earned == 6
    assert exercises.verdict("hw2-own-labels", text.replace("\n", "\r\n")).earned == 6


def test_refused_lines_are_counted_by_reason():
    text = "\n".join(['{"prompt": "a"', "first,second", sample(1), sample(1).replace('"first"', '"left"', 2), "", "[]"])
    found = labels.read(text)
    assert len(found.comparisons) == 1
    assert found.refused[labels.BROKEN] == 1
    assert found.refused[labels.NO_OBJECT] == 1
    assert sum(found.refused.values()) == 4
    assert "1 labels: 1 first" in labels.report(text)


def test_the_caps_hold():
    assert len(labels.read("\n".join(["{}"] * labels.MOST_LINES)).comparisons) == 0  # that many are read
    with pytest.raises(ValueError, match="at most"):
        labels.read("\n".join(["{}"] * (labels.MOST_LINES + 1)))
    with pytest.raises(ValueError, match="at most"):
        labels.read(" " * (labels.MOST_CHARACTERS + 1))


def test_the_fingerprint_is_of_a_set():
    lines = sample().splitlines()
    spaced = [json.dumps(json.loads(line), indent=None, sort_keys=True) for line in reversed(lines)]
    one, other = (labels.fingerprint(labels.read("\n".join(text)).comparisons) for text in (lines, spaced + lines[:3]))
    assert one == other
    changed = "\n".join(lines).replace('"second"', '"tie"', 1).replace('"choice": "first"', '"choice": "second"', 1)
    assert labels.fingerprint(labels.read(changed).comparisons) != one


@pytest.mark.parametrize(
    ("text", "points"),
    [(sample(40), 6), (sample(12), 2), (sample(40, prompts=3), 4), (sample(40, choice=lambda n: "first"), 4)],
)
def test_partial_credit(text, points):
    assert exercises.verdict("hw2-own-labels", text).earned == points


def test_no_points_for_a_high_number():
    """A good reward model and a bad one are worth the same; so are good and bad policies."""
    for accuracy, loss in ((1.0, 0.1), (0.0, 9.0)):
        answer = (sample(), json.dumps(card_of(accuracy=accuracy, validation_loss=loss)))
        assert exercises.verdict("hw2-run-card", answer).earned == 6


def test_warm_ups_are_those_of_the_jobs(monkeypatch):
    """The trainings themselves say how long their learning rate rises."""
    import inspect

    for name, warmup in own_run.WARMUP.items():
        assert re.findall(r"warmup=(\d+)", inspect.getsource(getattr(jobs, name))) == [str(warmup)], name


def test_a_fifth_of_the_prompts_is_held_back():
    found = labels.read(sample(90, prompts=45)).comparisons
    train, held_out = own_run.hold_back(list(found), 0.2, 0)
    assert (len(train), len(held_out)) == (72, 18)
    assert not {one.prompt for one in train} & {one.prompt for one in held_out}
    assert own_run.hold_back(list(found)[::-1], 0.2, 0)[1] == held_out[::-1]
    assert own_run.hold_back(list(found), 0.2, 1)[1] != held_out
    with pytest.raises(ValueError, match="label more prompts"):
        own_run.hold_back(list(found[:2]), 0.2, 0)


def test_labels_that_cannot_be_used(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text(sample(30, choice=lambda n: "first"), encoding="utf8")
    with pytest.raises(ValueError, match="one-sided"):
        own_run.own_run(path, tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        own_run.own_run(tmp_path / "none.jsonl", tmp_path / "run")
    tied = set(own_run.hold_back(list(labels.read(sample()).comparisons), 0.2, 0)[1])
    lines = zip(sample().splitlines(), labels.read(sample()).comparisons, strict=True)
    text = "\n".join(json.dumps({**json.loads(line), "choice": "tie"}) if one in tied else line for line, one in lines)
    path.write_text(text, encoding="utf8")
    with pytest.raises(ValueError, match="all ties"):
        own_run.own_run(path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_command_line_says_what_is_wrong_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["own_run", str(tmp_path / "none.jsonl")])
    with pytest.raises(SystemExit, match=r"own_run: .*none\.jsonl"):
        own_run.main()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (json.dumps([json.loads(line) for line in sample().splitlines()]), "No line is a JSON object"),
        (
            "\n".join(json.dumps(json.loads(line), indent=1) for line in sample().splitlines()),
            "No line is a JSON object",
        ),
        (sample().replace("}\n", "},\n"), "a comma behind each"),
        (sample(90, 90).replace('"choice": "first"', '"choice": "A"'), "Many lines are JSON and no label"),
    ],
    ids=["an array", "spread over lines", "commas", "another name for one side"],
)
def test_the_hint_names_what_was_pasted(text, sentence):
    result = exercises.verdict("hw2-own-labels", text)
    assert not result.passed
    assert sentence in result.message


@pytest.mark.slow
def test_a_real_run_makes_a_card_that_passes(tmp_path):
    """From a file of labels to points, and once more from the same folder; a run of few steps is found out."""
    from rlhw.pipeline.settings import GRPO, PPO, Clone, Evaluate, Reward

    rng, teacher, lines = np.random.default_rng(1), Teacher(), []
    while len(lines) < 40:
        post = sample_post(rng)
        first, second = teacher.sample(post, rng), teacher.sample(post, rng)
        if first != second:
            choice = "first" if len(first) < len(second) else "second"
            lines.append({"prompt": post.text, "first": first, "second": second, "choice": choice, "annotator": "me"})
    path = tmp_path / "my_labels.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf8")
    small = {
        "clone": Clone(posts=40, steps=2, size=8), "ppo": PPO(rollouts=4, prompts=4, epochs=1),
        "grpo": GRPO(rollouts=4, prompts=4, answers=4, epochs=1), "max_new_tokens": 10,
        "evaluate": Evaluate(posts=8, answers=4, samples=16, most=64),
    }  # fmt: skip
    said = []
    card = own_run.own_run(path, tmp_path / "run", say=said.append, **small)
    text = path.read_text(encoding="utf8")
    assert exercises.verdict("hw2-run-card", (text, card)).earned == 6
    again = own_run.own_run(path, tmp_path / "run", say=said.append, **small)
    assert again == card == (tmp_path / "run" / "run_card.json").read_text(encoding="utf8").strip()
    other = text.replace('"annotator": "me"', '"annotator": "you"')
    assert not exercises.verdict("hw2-run-card", (other, card)).parts["your labels"]
    short = own_run.own_run(path, tmp_path / "short", say=said.append, **small | {"reward": Reward(epochs=2.0, size=8)})
    result = exercises.verdict("hw2-run-card", (text, short), part="training and objectives")
    assert not result.passed
    assert "no more steps than its warm-up" in result.message
