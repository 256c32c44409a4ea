"""The GPU's benchmarks, without one: both sides do the same, what is kept is not done again, and a card says what was found."""

import gc
import json
import weakref
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import gpu, gpu_cost, gpu_options, gpu_run, gpu_sampling, gpu_training, speed_setup
from benchmarks.gpu import Work
from benchmarks.speed import Comparison, disagreements
from benchmarks.speed_setup import Clock, Run
from benchmarks.speed_trl import quiet_folder
from benchmarks.tiny_runs import parts
from rlhw import cards, decoding_step
from rlhw.batches import Batch
from rlhw.decoding_step import attend
from rlhw.language_model import generate

TOY = replace(gpu.toy(), bf16=False, first_loss=1e-4, held_out_loss=0.02)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Cards and what is kept go into a folder of the test's."""
    monkeypatch.setattr(cards, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(gpu, "KEPT", tmp_path / "kept")
    return tmp_path


def test_without_a_gpu_nothing_is_claimed(here, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(["--only", "copy"]) == 0
    assert "nothing is claimed" in capsys.readouterr().out
    assert not list(here.iterdir())
    with pytest.raises(SystemExit):
        gpu.main(["--only", "nothing"])
    assert "there are copy, check, sampling_8, sampling_16, dpo, reward, run_clone" in capsys.readouterr().err


@pytest.mark.slow
def test_every_step_runs_toy_sized(here, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 0
    said = capsys.readouterr().out
    assert "VOID" not in said
    assert all(f"stage {name}:" in said for name in gpu.STAGES)
    assert not list(here.iterdir())


def test_the_plan_fits_into_a_device_call(tmp_path):
    every = gpu.works(gpu.toy(), range(5), gpu.COUNTS, tmp_path, tmp_path)
    assert sum(work.minutes for work in every.values()) <= 13
    assert {work.card for work in every.values()} == set(gpu.MODULES) == set(gpu.TITLES)


def test_cloning_is_trls():
    data = gpu_training.demonstrations(TOY, 0)
    ours = gpu_training.our_cloning(TOY, data)
    with quiet_folder() as folder:
        theirs = gpu_training.trl_cloning(TOY, data, folder)
    assert disagreements(ours, theirs, TOY) == []
    assert float(ours.witnesses["first-step loss"]) == pytest.approx(
        float(theirs.witnesses["first-step loss"]), abs=1e-5
    )
    backwards = gpu_training.our_cloning(TOY, data, order=parts(data.train, data.size)[::-1])
    assert any(fault.startswith("first-step loss") for fault in disagreements(backwards, theirs, TOY)), (
        "another first batch"
    )


def test_sampling_follows_one_law_on_all_sides(monkeypatch):
    found = gpu_sampling.sampled(48, TOY, range(1))
    assert found["faults"] == []
    assert found["weights"] == 4 * sum(p.numel() for p in TOY.model().parameters())
    monkeypatch.setattr(gpu_sampling, "generate", partial(generate, temperature=0.5))
    assert any("log-probability a token" in fault for fault in gpu_sampling.sampled(48, TOY, range(1))["faults"])


def test_the_check_of_captured_steps_finds_what_is_wrong(monkeypatch):
    found = gpu_sampling.checked(TOY.model(), TOY)
    assert found["exact"] < 1e-12
    assert 0 < found["rounded"] < 0.05
    assert all(entry["met"] for entry in gpu_sampling.check_entries(found).values())
    assert not any(entry["met"] for entry in gpu_sampling.check_entries({"exact": 1e-8, "rounded": 0.06}).values())
    monkeypatch.setattr(decoding_step, "attend", lambda query, *rest: attend(2 * query, *rest))
    with pytest.raises(AssertionError, match="weights changed: none; captured gives other tokens"):
        gpu_sampling.checked(TOY.model(), TOY)


def test_operations_are_those_that_torch_counts():
    model = gpu.random_gpt2(vocab_size=40, n_positions=32, n_embd=8, n_layer=3, n_head=2, attn_implementation="eager")
    p, r = 7, 5
    tokens, true = torch.arange(p + r)[None], torch.ones(1, p + r, dtype=torch.bool)
    batch = Batch(tokens[:, :p], true[:, :p], tokens[:, None, p:], true[:, None, p:])
    assert gpu_cost.useful_tokens(batch) == 12
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(tokens, logits_to_keep=r)
    # The counter takes all columns for each token; a causal model needs those up to its own.
    unseen = 4 * 3 * 8 * (12 * 12 - 12 * 13 / 2)
    assert gpu_cost.forward_operations(model, batch) == counter.get_total_flops() - unseen
    assert gpu_cost.forward_operations(model, batch, head=False) == counter.get_total_flops() - unseen - 2 * 40 * 8 * r


def test_peaks_by_name():
    names = {"NVIDIA H100 80GB HBM3": 989e12, "NVIDIA H100 PCIe": 756e12, "NVIDIA H200": 989e12, "NVIDIA L4": 121e12}
    names |= {"NVIDIA A100-SXM4-40GB": 312e12}
    # No bfloat16, or no data sheet looked up.
    names |= dict.fromkeys(("Tesla T4", "NVIDIA L40S", "NVIDIA H100 NVL", "NVIDIA H200 NVL"))
    assert {name: gpu_cost.peak_of(name) for name in names} == names


def test_ppo_is_counted_as_often_as_it_goes_through_a_rollout():
    """Against what torch counts in the whole run, where nothing is padding; the CPU's attention it does not count."""
    lengths = {"prompts": range(8, 9), "answers": range(8, 9), "words": range(gpu.EOS)}
    data = speed_setup.rollouts(replace(TOY, answers=partial(gpu.random_answers, **lengths)), 0)
    _, operations = gpu_training.work("ppo", TOY.model(), data)
    with FlopCounterMode(display=False) as counter:
        gpu_training.ppo_update(TOY, data)
    assert 0.9 < counter.get_total_flops() / operations < 1


def test_nothing_of_one_side_is_left_while_the_other_runs(tmp_path, monkeypatch):
    """Ours exchanges the call of its model, which then holds itself: without a collection it would count as TRL's memory."""
    left, there = [], []

    def ours(setup, data):
        model = gpu_training.speed_ours._fresh(replace(setup, bf16=True), data.start)
        left.append(weakref.ref(model))
        return Run(1, clock(), {})

    def theirs(setup, data, folder):
        there.append(left[-1]() is not None)
        return Run(1, clock(), {})

    def clock():
        found = Clock("cpu")
        with found:
            return found

    one = Comparison("", "", gpu_training.demonstrations, ours, theirs)
    monkeypatch.setitem(gpu_training.COMPARISONS, "cloning", one)
    gc.disable()
    try:
        gpu_training.compared("cloning", TOY, range(2), tmp_path)
    finally:
        gc.enable()
    assert there == [True, False, False], "the first one warms up, and is the control"


def test_models_are_copies_of_one_draw():
    one, other = TOY.model(), TOY.model()
    for own, same in zip(one.parameters(), other.parameters(), strict=True):
        assert own is not same
        assert torch.equal(own, same)
    with torch.no_grad():
        next(one.parameters()).zero_()
    assert next(TOY.model().parameters()).any()


def test_rows_by_length_are_the_same_rows_with_less_padding():
    batch, lengths = TOY.answers(3, 64, 1), []
    batch = replace(batch, prompts=torch.arange(64)[:, None].expand_as(batch.prompts).contiguous())
    for pieces in (gpu_options.by_length(batch, 4, 8, seed=0), [batch.rows(slice(i, i + 4)) for i in range(0, 64, 4)]):
        assert sorted(int(row[0]) for part in pieces for row in part.prompts) == list(range(64))
        lengths.append(sum(len(part.prompts) * int(part.prompt_mask.sum(1).max()) for part in pieces))
        assert all(int(row[0]) < 32 for part in pieces[:8] for row in part.prompts), "only inside its window"
    assert lengths[0] < lengths[1]


def training(ratio, *faults):
    found = {"tokens": [1000] * 5, "operations": [1e12] * 5, "faults": list(faults)}
    found |= {
        "seconds_ours": [0.01] * 5,
        "seconds_theirs": [0.01 * ratio] * 5,
        "mb_ours": [1.0] * 5,
        "mb_theirs": [2.0] * 5,
    }
    return found


def test_training_entries():
    made = gpu_training.entries("dpo", training(2.0), 1e15)
    assert (made["dpo"]["value"], made["dpo"]["met"]) == (2.0, True)
    assert made["dpo_ours"]["value"] == pytest.approx(1e5)
    assert made["dpo_mfu_ours"]["value"] == pytest.approx(0.1)
    assert made["dpo_memory_theirs"]["value"] == 2.0
    assert not gpu_training.entries("reward", training(1.4), None)["reward"]["met"]
    assert "bound" not in gpu_training.entries("grpo", training(1.4), None)["grpo"]
    assert "grpo_mfu_ours" not in gpu_training.entries("grpo", training(1.4), None)


def sampling(captured=900.0):
    rates = {"plain": 300.0, "captured": captured, "dynamic": 100.0, "static_plain": 80.0, "static_compiled": 500.0}
    found = {name: [rate] * 5 for name, rate in rates.items()} | {
        "faults": [],
        "left_out": {},
        "length": [110.0] * 5,
        "prompt": 100.0,
    }
    return found | {"step_plain": [0.01] * 5, "step_captured": [0.001] * 5, "weights": 2e8, "layers": 12, "width": 768}


def test_sampling_entries():
    made = gpu_sampling.entries(64, sampling(), 2e12)
    assert (made["over_dynamic_64"]["value"], made["over_dynamic_64"]["met"]) == (9.0, True)
    assert made["over_static_64"]["value"] == pytest.approx(1.8), "the better of the two"
    assert not gpu_sampling.entries(64, sampling(700.0), 2e12)["over_dynamic_64"]["met"]
    each, once = 2e8 + 64 * 110 * 36864, 2e8 + (16 * 100 + 64 * 10) * 36864
    assert made["floor_captured_64"]["value"] == pytest.approx(each / 2e12 / 0.001)
    assert made["floor_once_captured_64"]["value"] == pytest.approx(once / 2e12 / 0.001)


def test_a_static_setting_that_fails_is_left_out_and_said(monkeypatch):
    def theirs(setup, data, cache, compiled, steps):
        if compiled:
            raise RuntimeError("no compiler here")
        return gpu_sampling.ours(setup, data, data.model, steps)

    monkeypatch.setattr(gpu_sampling, "theirs", theirs)
    found = gpu_sampling.sampled(8, TOY, range(1))
    assert found["left_out"] == {"static_compiled": "RuntimeError: no compiler here"}
    found |= {name: 5 * values for name, values in found.items() if isinstance(values, list) and len(values) == 1}
    assert "no compiler here" in gpu_sampling.entries(8, found, 1e9)["over_static_8"]["note"]


def test_what_is_kept_is_not_done_again_and_a_card_waits_for_all(here, capsys):
    done = []

    def work(card, name, found):
        return Work(card, 0.1, lambda: done.append(name) or found)

    every = {"copy": work("gpu_sampling", "copy", {"rate": 2e12})}
    every |= {f"sampling_{count}": work("gpu_sampling", count, sampling()) for count in (64, 128)}
    device = "NVIDIA H100 80GB HBM3"
    assert gpu.measure({name: every[name] for name in ("copy", "sampling_64")}, every, device)
    assert not (here / "results").exists()
    assert gpu.measure(every, every, device)
    assert done == ["copy", 64, 128]
    found = cards.read("gpu_sampling")
    assert found["title"].startswith("Sampling on one NVIDIA H100 80GB HBM3: ")
    assert "captured over generate, dynamic cache: 9 (bound: >= 8, median of 5 seeds) met" in capsys.readouterr().out
    assert gpu.measure(every, every, "another card")
    assert len(done) == 6, "another card is measured anew"


def test_what_fails_is_told_and_the_rest_is_done(here, capsys):
    def fails():
        raise RuntimeError("no such kernel")

    every = {"dpo": Work("gpu", 0.1, lambda: training(2.0)), "reward": Work("gpu", 0.1, fails)}
    every["copy"] = Work("gpu_sampling", 0.1, lambda: {"rate": 2e12})
    assert not gpu.measure(every, every, "a card")
    said = capsys.readouterr().out
    assert "FAILED: reward" in said
    assert "no such kernel" in said
    assert cards.names() == ["gpu_sampling"], "no card of which a step is missing"


def test_a_void_comparison_writes_no_card_and_a_short_one_fails(here, capsys):
    def with_dpo(found):
        every = {"dpo": Work("gpu", 0.1, lambda: found)}
        return gpu.measure(every, every, f"device {found['faults']} {found['seconds_theirs']}")

    assert not with_dpo(training(2.0, "first-step loss: apart"))
    assert not (here / "results").exists()
    assert not with_dpo(training(1.2))
    assert cards.read("gpu")["metrics"]["dpo"]["met"] is False
    assert with_dpo(training(2.0))


def test_a_whole_run_is_told_stage_by_stage(tmp_path):
    settings = gpu_run.toy(tmp_path)
    before = (tmp_path / "data.jsonl").stat().st_mtime_ns
    assert gpu_run.toy(tmp_path) == settings
    assert (tmp_path / "data.jsonl").stat().st_mtime_ns == before, "made once"
    found = gpu_run.stage(settings, "clone")
    trained = json.loads((settings.out / "clone" / "done.json").read_text(encoding="utf8"))["seconds"]
    assert found["seconds"] > trained + 0.05, "loading and evaluation too"
    assert gpu_run.stage(settings, "clone")["seconds"] > trained, "and whole, however much an earlier try left"
    made = gpu_run.entries({name: {"seconds": 60.0, "mb": 5.0} for name in gpu.STAGES})
    assert made["minutes"]["value"] == len(gpu.STAGES)
    assert made["clone_memory"]["value"] == 5.0
