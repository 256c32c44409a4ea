"""What a training runs on: every row of a batch on one process, numbers of each step, and a GPU that is not there."""

import gc
import os
import weakref

import accelerate
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import random_batch, random_wins
from torch import nn

from rlhw import cli
from rlhw.batches import PLAIN, Plain
from rlhw.pipeline import host as module
from rlhw.pipeline.host import Host, host, numbers_of

quick = settings(derandomize=True, deadline=None, database=None, max_examples=200)


def hosts(world: int) -> list[Host]:
    return [Host(PLAIN, torch.device("cpu"), rank, world) for rank in range(world)]


def check_rows(mine, count: int, world: int) -> None:
    """Each row once, in order; every process has equally many."""
    parts = [list(range(count))[mine(one, count)] for one in hosts(world)]
    assert [row for part in parts for row in part] == list(range(count))
    assert {len(part) for part in parts} == {count // world}


@quick
@given(st.integers(1, 9), st.integers(1, 50))
def test_all_ranks_together_have_each_row_once(world, each):
    check_rows(Host.mine, world * each, world)


MUTANTS = {
    "every fourth": lambda one, n: slice(one.rank, n, one.world),
    "the last takes one more": lambda one, n: slice(
        one.rank * (n // one.world) - (one.rank + 1 == one.world), (one.rank + 1) * (n // one.world)
    ),
    "all have all": lambda one, n: slice(0, n),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_other_ways_to_share_are_found(mutant):
    with pytest.raises(AssertionError):
        check_rows(MUTANTS[mutant], 12, 4)


def test_parts_that_belong_together_stay_together():
    batch, wins = random_batch(6, 2), random_wins(6, 2)
    tokens = [one.share((batch, wins, wins[:, 0])) for one in hosts(2)]
    assert [len(part[0].prompts) for part in tokens] == [3, 3]
    assert torch.equal(torch.cat([part[0].responses for part in tokens]), batch.responses)
    assert torch.equal(torch.cat([part[1] for part in tokens]), wins)
    assert torch.equal(torch.cat([part[2] for part in tokens]), wins[:, 0])
    alone = [one.share(batch) for one in hosts(2)]
    assert torch.equal(torch.cat([part.prompts for part in alone]), batch.prompts)


@pytest.mark.parametrize("count", [2, 4, 5])
def test_rows_that_cannot_be_shared_equally_are_refused(count):
    with pytest.raises(
        ValueError, match=rf"^size and prompts must be multiples of the 3 processes, .*; got {count}\.$"
    ):
        hosts(3)[0].mine(count)


def test_numbers_are_those_of_seed_and_step():
    def drawn(seed: int, step: int) -> tuple:
        generator = torch.Generator().manual_seed(99)
        torch.rand(step, generator=generator)
        numbers_of(generator, seed, step)
        return tuple(torch.rand(4, generator=generator).tolist())

    places = [(seed, step) for seed in range(6) for step in range(6)]
    first = [drawn(*place) for place in places]
    assert first == [drawn(*place) for place in places]
    assert len(set(first)) == len(places), (
        "a mutant, seed + step, would give 11 different rows of numbers instead of 36"
    )


def test_on_the_cpu_it_is_plain_torch(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    here = host("cpu")
    assert (here.engine, here.rank, here.world, here.main) == (PLAIN, 0, 1, True)
    model = nn.Linear(2, 2)
    assert here.wrap(model) is model
    here.wait()


@pytest.mark.usefixtures("own_precision")
@pytest.mark.parametrize("learns", [True, False])
def test_a_model_that_nobody_uses_any_more_leaves_the_memory(learns, monkeypatch):
    """The control: accelerate's engine keeps whatever it prepared."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    here = host("cpu", "bf16")

    def left(wrap):
        model = wrap(nn.Linear(2, 2))
        assert model(torch.ones(1, 2)).dtype == torch.float32
        found = weakref.ref(model)
        del model
        gc.collect()
        return found()

    assert left(lambda model: here.wrap(model, learns)) is None
    assert left(here.accelerator.prepare_model) is not None


@pytest.mark.parametrize("command", ["run", "train"])
def test_a_gpu_that_is_not_there_is_one_line_and_nothing_is_written(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    out = str(tmp_path / "run")
    what = ["run"] if command == "run" else ["train", "bc", "--model", "tiny", "--data", "forum"]
    assert cli.main([*what, "--device", "cuda", "--out", out]) == 2
    said = capsys.readouterr().err
    assert said.startswith("rlhw: ")
    assert said.count("\n") == 1
    assert "cuda" in said
    assert "GPU" in said
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"^device: cuda was asked for, and torch finds no GPU here; use --device cpu"):
        host("cuda")


@pytest.mark.parametrize("told", [None, "true"])
def test_accelerate_is_not_told_of_shards_and_the_environment_stays(told, monkeypatch):
    """A stub of its engine looks at what it would see: its own shards are DDP on the CPU, its scaler forgets our optimizers."""
    seen = []

    class Engine(Plain):
        device, process_index, num_processes = torch.device("cpu"), 0, 1

        def __init__(self, **what) -> None:
            seen.append((os.environ.get("ACCELERATE_USE_FSDP"), what))

    monkeypatch.setattr(accelerate, "Accelerator", Engine)
    monkeypatch.delenv("ACCELERATE_USE_FSDP", raising=False)
    if told:
        monkeypatch.setenv("ACCELERATE_USE_FSDP", told)
    here = host("cpu", "bf16")
    assert seen[0][0] is None
    assert os.environ.get("ACCELERATE_USE_FSDP") == told
    scaler, group = seen[0][1]["kwargs_handlers"]
    assert (seen[0][1]["mixed_precision"], scaler.enabled) == ("bf16", False)
    assert group.timeout.total_seconds() > 6 * 3600, "a report at full scale takes longer than torch's ten minutes"
    assert here.words == "device: CPU, one process; models are called in bf16."
    assert here.shards is None, "one process has nothing to share"


def test_fp16_gets_a_loss_scale(monkeypatch):
    class Engine(Plain):
        device, process_index, num_processes = torch.device("cpu"), 0, 1

        def __init__(self, **what) -> None:
            assert what["mixed_precision"] == "fp16"

    monkeypatch.setattr(accelerate, "Accelerator", Engine)
    monkeypatch.setattr(module, "chosen", lambda asked, device: "fp16")
    here = host("cpu", "fp16")
    assert here.loss_scale is here.engine
    assert isinstance(here.engine.engine, Engine)
    assert here.words == "device: CPU, one process; models are called in fp16 with a loss scale."
