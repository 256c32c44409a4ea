"""DPO's loop: its figures by hand, batches in parts and over ranks, π* and IPO's optimum by enumeration, resuming."""

import copy
import math
from functools import partial
from itertools import islice

import pytest
import torch
from small_models import gpt2, on_ranks, random_batch, random_wins

from rlhw import checkpoint, dpo
from rlhw.batches import shuffled
from rlhw.dpo import DPOConfig, dpo_loss, ipo_loss, kto_pair_loss, reference_logprobs, train_dpo
from rlhw.evaluation import tilted
from rlhw.logprobs import masked_mean, response_logprobs, sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers

LOSSES = {"dpo": dpo_loss, "smoothed": partial(dpo_loss, label_smoothing=0.1), "ipo": ipo_loss}


def three_batches():
    """(batch, wins, reference log-probabilities), 7 prompts with 3 answers each."""
    reference, batches = gpt2(1).double(), [random_batch(7, 3, seed) for seed in range(3)]
    return [
        (batch, random_wins(7, 3, seed), reference_logprobs(reference, [batch])) for seed, batch in enumerate(batches)
    ]


def after_steps(data, config, policy=None, **more):
    """All parameters after AdamW's steps on these data, and the figures of the last one."""
    policy = policy or gpt2().double()
    *_, figures = train_dpo(policy, data, torch.optim.AdamW(policy.parameters(), lr=1e-2), config, **more)
    return torch.cat([parameter.detach().flatten() for parameter in policy.parameters()]), figures


def figures_by_hand(policy, batch, wins, ref_logprobs, beta):
    """Vote by vote: the loss weighed within its prompt; accuracy, margin and change of the chosen weighed over all votes."""
    change = (sequence_logprobs(policy, batch).detach() - ref_logprobs).tolist()
    rows, loss = [], 0.0
    for prompt, counts in enumerate(wins.tolist()):
        own = [(n, beta * (change[prompt][i] - change[prompt][j]), change[prompt][i])
               for i, row in enumerate(counts) for j, n in enumerate(row) if i != j]  # fmt: skip
        loss += sum(n * math.log1p(math.exp(-margin)) for n, margin, _ in own) / sum(n for n, _, _ in own) / len(wins)
        rows += own
    votes = sum(n for n, _, _ in rows)
    return {
        "loss": loss,
        "accuracy": sum(n * (0.5 if margin == 0 else margin > 0) for n, margin, _ in rows) / votes,
        "margin": sum(n * margin for n, margin, _ in rows) / votes,
        "chosen": sum(n * chosen for n, _, chosen in rows) / votes,
        "prompts": len(wins),
    }


def test_the_figures_are_those_of_a_loop_over_the_votes_before_the_step():
    batch, wins, ref_logprobs = three_batches()[0]
    policy = gpt2().double()
    expected = figures_by_hand(policy, batch, wins, ref_logprobs, beta=0.3)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.05)
    figures = next(train_dpo(policy, [(batch, wins, ref_logprobs)], optimizer, DPOConfig(beta=0.3)))
    assert set(figures) == {*expected, "grad_norm"}
    assert {name: figures[name] for name in expected} == pytest.approx(expected, abs=1e-10)
    after = figures_by_hand(policy, batch, wins, ref_logprobs, beta=0.3)
    assert after["loss"] < figures["loss"] - 1e-4, "the step goes down"
    swapped = figures_by_hand(policy, batch, wins.mT, ref_logprobs, beta=0.3)
    assert all(abs(after[name] - swapped[name]) > 1e-3 for name in ("loss", "accuracy", "margin", "chosen"))


def test_at_the_reference_the_loss_is_ln_2_and_nothing_is_agreed_with():
    batch, wins, _ = three_batches()[0]
    policy = gpt2().double()
    data = [(batch, wins, sequence_logprobs(policy, batch).detach())]
    figures = next(train_dpo(policy, data, torch.optim.SGD(policy.parameters(), lr=0.1), DPOConfig(beta=0.3)))
    got = [figures[name] for name in ("loss", "accuracy", "margin", "chosen")]
    assert got == pytest.approx([math.log(2), 0.5, 0.0, 0.0], abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_in_parts_gives_the_same_steps(name):
    data, loss = three_batches(), LOSSES[name]
    whole, figures = after_steps(data, DPOConfig(beta=0.3), loss=loss)
    for micro_batch in (1, 3, 100):
        parts, others = after_steps(data, DPOConfig(beta=0.3, micro_batch=micro_batch), loss=loss)
        assert (parts - whole).abs().max() < 1e-10
        assert others == pytest.approx(figures, abs=1e-9)


def test_only_kto_s_reference_point_makes_parts_another_step():
    """Stated in its docstring: the point is the mean over what goes through the model at once."""
    data = three_batches()
    whole, _ = after_steps(data, DPOConfig(beta=0.3), loss=kto_pair_loss)
    same, _ = after_steps(data, DPOConfig(beta=0.3, micro_batch=7), loss=kto_pair_loss)
    parts, _ = after_steps(data, DPOConfig(beta=0.3, micro_batch=3), loss=kto_pair_loss)
    assert torch.equal(same, whole)
    assert (parts - whole).abs().max() > 1e-4


def test_two_ranks_with_unequal_shares_give_the_steps_of_one_process():
    data = three_batches()
    whole, figures = after_steps(data, DPOConfig(beta=0.3))

    def job(rows, micro_batch):
        policy, own = gpt2().double(), [(batch.rows(rows), wins[rows], ref[rows]) for batch, wins, ref in data]
        return lambda engine: after_steps(own, DPOConfig(beta=0.3, micro_batch=micro_batch), policy, engine=engine)

    for parts, others in on_ranks([job(slice(0, 2), None), job(slice(2, 7), 2)]):
        assert (parts - whole).abs().max() < 1e-10
        assert others == pytest.approx(figures, abs=1e-9)
    alone, _ = after_steps([(b.rows(slice(0, 2)), w[:2], r[:2]) for b, w, r in data], DPOConfig(beta=0.3))
    assert (alone - whole).abs().max() > 1e-4


def test_reference_logprobs_keep_the_order_and_carry_no_gradient():
    reference, batches = gpt2(1).double(), [random_batch(5, 2, seed=4), random_batch(3, 2, seed=5)]
    got = reference_logprobs(reference, batches)
    assert not got.requires_grad
    torch.testing.assert_close(got, torch.cat([sequence_logprobs(reference, batch) for batch in batches]).detach())


# Two prompts; answers of one to three tokens, that end at symbol 1: their lengths differ, so a mean is not a sum.
PROMPTS = torch.tensor([[0], [2]])
ANSWERS = enumerate_answers(PROMPTS, torch.ones_like(PROMPTS, dtype=torch.bool), vocab_size=3, length=3, eos_id=1)
COUNT = ANSWERS.responses.shape[1]
NOBODY_OVER_ITSELF = 1 - torch.eye(COUNT, dtype=torch.double)


def distance(policy, best) -> float:
    """Total variation from the best policy, of the worse prompt."""
    return float((sequence_logprobs(policy, ANSWERS).detach().exp() - torch.as_tensor(best)).abs().sum(1).max() / 2)


def fitted(wins, beta, loss=dpo_loss, steps=200):
    """A table trained from the reference on expected votes over all pairs of answers; with the reference."""
    reference = TabularLM(3, 4, generator=torch.Generator().manual_seed(2)).double()
    policy = copy.deepcopy(reference)
    ref_logprobs = reference_logprobs(reference, [ANSWERS])
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.1)
    list(train_dpo(policy, [(ANSWERS, wins, ref_logprobs)] * steps, optimizer, DPOConfig(beta, 1e9), loss=loss))
    return policy, reference


def best_for(reference, rewards, beta):
    return tilted(sequence_logprobs(reference, ANSWERS).detach().exp().numpy(), rewards.numpy(), beta)


def rewards_of_answers():
    return torch.randn(len(PROMPTS), COUNT, generator=torch.Generator().manual_seed(7), dtype=torch.double)


def test_dpo_on_expected_votes_ends_at_the_policy_that_is_best_for_the_reward(monkeypatch):
    """Votes in the shares σ(Δr/τ), β_dpo = β/τ: π* at β. The mean over an answer's tokens ends elsewhere."""
    rewards, tau, beta = rewards_of_answers(), 0.8, 0.4
    wins = torch.sigmoid((rewards[:, :, None] - rewards[:, None, :]) / tau) * NOBODY_OVER_ITSELF
    policy, reference = fitted(wins, beta / tau)
    best = best_for(reference, rewards, beta)
    assert distance(policy, best) < 1e-4
    assert distance(reference, best) > 0.2, "it had a way to go"
    assert distance(fitted(wins.mT, beta / tau)[0], best) > 0.2, "chosen and rejected were exchanged"

    def averaged(model, batch):
        return masked_mean(response_logprobs(model, batch), batch.response_mask)

    monkeypatch.setattr(dpo, "sequence_logprobs", averaged)
    assert distance(fitted(wins, beta / tau)[0], best) > 0.05


def test_ipo_on_expected_votes_ends_where_log_ratios_are_the_preference_less_a_half_over_beta():
    """Preferences ½ + s_i - s_j, which a policy can meet in all pairs at once: log π/π_ref = s/β up to a shift."""
    strengths, beta = torch.rand(2, COUNT, generator=torch.Generator().manual_seed(8), dtype=torch.double) / 2, 0.2
    wins = (0.5 + strengths[:, :, None] - strengths[:, None, :]) * NOBODY_OVER_ITSELF
    assert (wins >= 0).all()
    policy, reference = fitted(wins, beta, loss=ipo_loss)
    best = best_for(reference, strengths, beta)
    assert distance(policy, best) < 1e-4
    assert distance(reference, best) > 0.1
    assert distance(fitted(wins, beta)[0], best) > 0.02, "DPO takes the log-odds of the preference"


def test_where_all_agree_ipo_stops_and_dpo_runs_on():
    """One vote, never contradicted: IPO's gap is 1/(2β); DPO's grows with every step."""
    wins = torch.zeros(2, COUNT, COUNT, dtype=torch.double)
    wins[:, 3, 8] = 1.0

    def gap(loss, steps):
        policy, reference = fitted(wins, 0.25, loss=loss, steps=steps)
        change = (sequence_logprobs(policy, ANSWERS) - sequence_logprobs(reference, ANSWERS)).detach()
        return float((change[:, 3] - change[:, 8]).mean())

    assert gap(ipo_loss, 200) == pytest.approx(2.0, abs=1e-3)
    assert gap(dpo_loss, 200) - 1 > gap(dpo_loss, 100) > 4.0


def test_a_run_that_was_broken_off_goes_on_bit_for_bit(tmp_path):
    batch, wins, ref_logprobs = three_batches()[0]
    data = partial(shuffled, (batch, wins, ref_logprobs), 3, 5)

    def start():
        policy = gpt2().double()
        return policy, torch.optim.AdamW(policy.parameters(), lr=1e-2)

    def run(policy, optimizer, first, steps):
        return list(train_dpo(policy, islice(data(start=first), steps), optimizer, DPOConfig(beta=0.3)))

    policy, optimizer = start()
    whole = run(policy, optimizer, 0, 6)
    half, optimizer = start()
    run(half, optimizer, 0, 2)
    checkpoint.save(tmp_path, 2, model=half, optimizer=optimizer)
    resumed, optimizer = start()
    step, _ = checkpoint.load(checkpoint.latest(tmp_path), model=resumed, optimizer=optimizer)
    assert run(resumed, optimizer, step, 4) == whole[2:]
    assert all(torch.equal(one, other) for one, other in zip(policy.parameters(), resumed.parameters(), strict=True))
    elsewhere, optimizer = start()
    assert run(elsewhere, optimizer, 0, 4) != whole[2:]


def test_a_loss_that_is_not_finite_stops_before_the_step():
    batch, wins, ref_logprobs = three_batches()[0]
    policy = gpt2().double()
    spoiled = ref_logprobs.clone()
    spoiled[4, 1] = math.nan
    data = [(batch, wins, ref_logprobs), (batch, wins, spoiled)]
    steps = train_dpo(policy, data, torch.optim.Adam(policy.parameters(), lr=0.01), DPOConfig(beta=0.3))
    next(steps)
    before = copy.deepcopy(policy.state_dict())
    with pytest.raises(FloatingPointError, match="the loss of step 2 is nan: that step was not taken"):
        next(steps)
    assert all(torch.equal(tensor, before[name]) for name, tensor in policy.state_dict().items())


def train_on(*data):
    policy = gpt2().double()
    return list(train_dpo(policy, data, torch.optim.SGD(policy.parameters(), lr=0.1), DPOConfig(beta=0.3)))


def votes_with(value, place):
    batch, wins, ref_logprobs = three_batches()[0]
    wins[place] = value
    return batch, wins, ref_logprobs


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: DPOConfig(beta=0.0), "beta must be above 0 and finite; got 0.0"),
        (lambda: DPOConfig(beta=-0.1), "beta must be above 0 and finite; got -0.1"),
        (lambda: DPOConfig(beta=math.inf), "beta must be above 0 and finite; got inf"),
        (lambda: DPOConfig(beta=math.nan), "beta must be above 0 and finite; got nan"),
        (lambda: DPOConfig(beta=0.1, max_grad_norm=0.0), "max_grad_norm must be above 0 and micro_batch 1 or more"),
        (lambda: DPOConfig(beta=0.1, micro_batch=0), "micro_batch 1 or more, or None"),
        (lambda: reference_logprobs(gpt2(), []), "batches is empty: there is no answer to look at"),
        (lambda: train_on(), "data is empty: there are no votes to learn from"),
        (lambda: train_on(votes_with(-1.0, (2, 0, 1))), "wins: prompt 2 has a count of votes that is negative"),
        (lambda: train_on(votes_with(math.nan, (2, 0, 1))), "wins: prompt 2 has a count .* not finite"),
        (lambda: train_on(votes_with(1.0, (3, 1, 1))), "wins: prompt 3 has votes of a candidate over itself"),
        (lambda: train_on(votes_with(0.0, (1,))), "wins: prompt 1 has no votes; leave it out, or mend its votes"),
    ],
)
def test_bad_input_gets_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_the_numbers_of_the_docstrings():
    one = torch.tensor([-2.0], dtype=torch.double)
    assert float(dpo_loss(one, one, one, one, 0.1)) == pytest.approx(math.log(2), abs=1e-15)
    assert float(kto_pair_loss(one, one, one, one, 0.1)) == 0.5
    grid = torch.linspace(-9, 9, 180001, dtype=torch.double)
    zero = torch.zeros_like(grid)
    population = 0.7 * ipo_loss(grid, zero, zero, zero, 0.1) + 0.3 * ipo_loss(zero, grid, zero, zero, 0.1)
    assert float(grid[population.argmin()]) == pytest.approx((0.7 - 0.5) / 0.1, abs=1e-4)
    assert float(grid[ipo_loss(grid, zero, zero, zero, 0.1).argmin()]) == pytest.approx(5.0, abs=1e-4)
