"""Chapter 10's two columns: our DPO and TRL's take the same steps on the same pairs, and the names in its table are TRL's own."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

STEPS, PAGE = 3, Path(__file__).resolve().parents[2] / "book" / "10_scaling_out.md"


@pytest.fixture(scope="module")
def pairs(tiny):
    """The teacher's summary of each of eight posts, and that of another post; TRL joins the texts before it tokenises them."""
    from benchmarks.tiny_runs import demonstrations

    data = demonstrations(8, 1, "train", 3, tiny[1])
    texts = [summaries[0] for summaries in data.summaries]
    return [
        {"prompt": post.text, "chosen": f" {texts[n]}", "rejected": f" {texts[n - 1]}"}
        for n, post in enumerate(data.posts)
    ]


@pytest.fixture(scope="module")
def tiny():
    from rlhw.language_model import load

    return load("tiny")


def test_dpo_takes_the_same_steps(tiny, pairs):
    """The first loss is ln 2 on both sides whatever the data; the next two have the gradient in them, and β."""
    from benchmarks.side_by_side import dpo_ours, dpo_trl
    from benchmarks.speed_trl import quiet_folder

    model, tokenizer = tiny
    ours = dpo_ours(copy.deepcopy(model), model, tokenizer, pairs, STEPS)
    with quiet_folder() as folder:
        theirs = dpo_trl(copy.deepcopy(model), copy.deepcopy(model), tokenizer, pairs, STEPS, folder)
    assert ours[0] == pytest.approx(np.log(2), abs=1e-6)
    assert np.allclose(ours, theirs, atol=2e-4, rtol=0)
    # The control: pairs the other way round leave the same ln 2 and another way from there.
    swapped = [{"prompt": p["prompt"], "chosen": p["rejected"], "rejected": p["chosen"]} for p in pairs]
    other = dpo_ours(copy.deepcopy(model), model, tokenizer, swapped, STEPS)
    assert abs(other[-1] - theirs[-1]) > 2e-3


def test_grpo_runs_on_both_sides(tiny, pairs):
    """Samples differ, so do losses: both take their steps, and both losses are finite and not all the same."""
    from benchmarks.side_by_side import grpo_ours, grpo_trl
    from benchmarks.speed_trl import quiet_folder

    model, tokenizer = tiny
    prompts = [pair["prompt"] for pair in pairs[:4]]

    def score(prompt: str, answer: str) -> float:
        return float(len(set(answer.split())))

    ours = grpo_ours(copy.deepcopy(model), model, tokenizer, prompts, score, 2)
    with quiet_folder() as folder:
        theirs = grpo_trl(copy.deepcopy(model), tokenizer, prompts, score, 2, folder)
    assert (len(ours), len(theirs)) == (2, 4)
    assert np.isfinite([*ours, *theirs]).all()
    assert len(set(theirs)) > 1


def test_what_trl_does_by_default_with_the_answers_of_vllm():
    """The page says: above 3 an answer is dropped, not capped."""
    from trl import GRPOConfig

    text = PAGE.read_text(encoding="utf8")
    fields = GRPOConfig.__dataclass_fields__
    assert fields["vllm_importance_sampling_correction"].default is True
    assert f'its default mode, `"{fields["vllm_importance_sampling_mode"].default}"`, drops' in text
    assert f"ratio is above {fields['vllm_importance_sampling_clip_max'].default:g} " in text


def test_names_in_the_table_are_those_of_trl():
    """Each name in the middle column is a field of the configuration in its heading, and the last column states its default."""
    from dataclasses import MISSING

    from trl import DPOConfig, GRPOConfig

    def default(field):
        return field.default_factory() if field.default is MISSING else field.default

    text = PAGE.read_text(encoding="utf8")
    kinds = {"DPO": DPOConfig.__dataclass_fields__, "GRPO": GRPOConfig.__dataclass_fields__}
    for title, fields in kinds.items():
        (table,) = re.findall(rf"\| {title} \| TRL's .*\n((?:\|.*\n)+)", text)
        rows = [line.strip("| \n").split(" | ") for line in table.splitlines()[1:]]
        found = {}
        for row in rows:
            names = re.findall(r"`(\w+)`", row[1])
            stated = re.findall(r"`([^`]*)`", row[2]) if len(row) > 2 else []
            assert [name for name in names if name not in fields] == []
            found |= dict(zip(names, stated, strict=True)) if stated else {}
        assert len(found) >= 5
        assert found == {name: repr(default(fields[name])) for name in found}
