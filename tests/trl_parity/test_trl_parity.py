"""Cloning and reward learning beside TRL's own trainers: same tokens, same losses, same gradients, same first step."""

import socket
from dataclasses import replace

import pytest
from huggingface_hub import constants
from tiny_models import texts_alone
from torch.nn.functional import pad

from benchmarks import trl_parity
from benchmarks.trl_parity import BOUNDS, LONGEST, MEANINGS, cloning_figures, differences, reward_figures, tokenizer
from rlhw import cards
from rlhw.batches import Batch, collate

SEEDS = range(5)


@pytest.fixture(scope="module")
def pairs():
    """TRL's figures cost most of the time: they are computed once for all tests."""
    with trl_parity.secluded() as folder:
        yield [trl_parity.cases(seed, folder) for seed in SEEDS]


def of_kind(pairs, kind):
    return [both[kind] for both in pairs]


def rows(tokens, mask) -> list[list[int]]:
    return [row[real].tolist() for row, real in zip(tokens, mask, strict=True)]


def test_the_cloner_reads_and_learns_the_tokens_that_trl_does(pairs):
    for case in of_kind(pairs, "cloning"):
        texts = [(tokens.tolist(), p) for _, _, tokens, p in texts_alone(case.batch)]
        assert len({p for _, p in texts}) > 2 < len({len(tokens) - p for tokens, p in texts}), "the lengths are uneven"
        assert rows(case.inputs["input_ids"], case.inputs["attention_mask"].bool()) == [tokens for tokens, _ in texts]
        labels = case.inputs["labels"]
        assert rows(labels, labels != -100) == [tokens[p:] for tokens, p in texts]


def test_the_reward_model_reads_the_tokens_that_trl_does(pairs):
    for case in of_kind(pairs, "reward"):
        texts = [(k, tokens.tolist()) for _, k, tokens, _ in texts_alone(case.batch)]
        chosen_first = [tokens for k in (0, 1) for other, tokens in texts if other == k]
        assert rows(case.inputs["input_ids"], case.inputs["attention_mask"].bool()) == chosen_first


@pytest.mark.parametrize("name", MEANINGS)
def test_ours_is_trl_s(pairs, name):
    apart = [trl_parity.measure(both)[name] for both in pairs]
    assert max(apart) < BOUNDS[name.partition("_")[2]], f"{MEANINGS[name]}: {apart}"


def prompt_in_the_loss(case, seed):
    """All words but the first are the answer."""
    texts = [
        (record["prompt"] + record["completion"]).split(" ", 1) for record in trl_parity.records(seed, "completion")
    ]
    return collate([{"prompt": first, "completion": rest} for first, rest in texts], tokenizer(), LONGEST)


def eos_left_out(case, seed):
    return replace(case.batch, response_mask=pad(case.batch.response_mask[..., 1:], (0, 1)))


@pytest.mark.parametrize("mutant", [prompt_in_the_loss, eos_left_out])
def test_the_cloner_s_slips_are_seen(pairs, mutant):
    for seed, case in zip(SEEDS, of_kind(pairs, "cloning"), strict=True):
        apart = differences(cloning_figures(case.model, mutant(case, seed)), case.theirs)
        assert all(apart[name] > bound for name, bound in BOUNDS.items()), apart


def with_read(model, read):
    other = trl_parity.RewardModel(model.trunk, read)
    other.score = model.score
    return other


def chosen_and_rejected_swapped(case):
    batch = case.batch
    answers = batch.responses.flip(1), batch.response_mask.flip(1)
    return case.model, Batch(batch.prompts, batch.prompt_mask, *answers)


def read_at_a_pad(case):
    return with_read(case.model, lambda scores, mask: scores[..., -1]), case.batch


@pytest.mark.parametrize("mutant", [chosen_and_rejected_swapped, read_at_a_pad])
def test_the_reward_model_s_slips_are_seen(pairs, mutant):
    for case in of_kind(pairs, "reward"):
        apart = differences(reward_figures(*mutant(case)), case.theirs)
        assert all(apart[name] > bound for name, bound in BOUNDS.items()), apart


def test_padding_with_the_end_of_sequence_changes_no_cloning_but_moves_trl_s_reward():
    """Where padding is the end of sequence, transformers' classifier, and so TRL, reads the token before it; we do not."""
    with trl_parity.secluded() as folder:
        cloning, reward = (make(0, folder, pad="<eos>") for make in (trl_parity.cloning_case, trl_parity.reward_case))
    apart = differences(cloning_figures(cloning.model, cloning.batch), cloning.theirs)
    assert all(apart[name] < bound for name, bound in BOUNDS.items()), apart

    def before_the_end(scores, mask):
        return scores.gather(-1, mask.sum(-1, keepdim=True) - 2).squeeze(-1)

    apart = differences(reward_figures(with_read(reward.model, before_the_end), reward.batch), reward.theirs)
    assert all(apart[name] < bound for name, bound in BOUNDS.items()), apart
    apart = differences(reward_figures(reward.model, reward.batch), reward.theirs)
    assert all(apart[name] > bound for name, bound in BOUNDS.items()), apart


def test_the_trainers_keep_to_themselves(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    asked, offline = [], constants.is_offline_mode()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **how: asked.append(address))
    with trl_parity.secluded() as folder:
        assert constants.is_offline_mode(), "TRL sends telemetry otherwise"
        trl_parity.cases(0, folder)
    assert (list(tmp_path.iterdir()), folder.exists(), asked) == ([], False, [])
    assert constants.is_offline_mode() == offline
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("difference", "status"), [(1e-6, 0), (5e-5, 1)])
def test_the_benchmark_says_whether_the_bounds_are_met(tmp_path, monkeypatch, capsys, difference, status):
    monkeypatch.setattr(cards, "FOLDER", tmp_path)
    monkeypatch.setattr(trl_parity, "cases", lambda seed, folder: None)
    monkeypatch.setattr(trl_parity, "measure", lambda both: dict.fromkeys(MEANINGS, difference))
    assert trl_parity.main() == status
    assert ("SHORT" in capsys.readouterr().out) == bool(status)
    assert cards.read("trl_parity")["metrics"]["reward_first_step"]["met"]
