"""One weighted step: its gradient is weight × score by central differences, and cloning's and REINFORCE's are special cases."""

import numpy as np
import pytest
import torch
from small_models import gpt2, random_batch

from rlhw.behavior_cloning import CloningConfig, train_bc
from rlhw.laws import numerical_gradient
from rlhw.logprobs import sequence_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers
from rlhw.weighted_update import weighted_step, weighted_surrogate

QUESTION = torch.tensor([[1]])
ANSWERS = enumerate_answers(QUESTION, torch.ones_like(QUESTION, dtype=torch.bool), 3, 2, eos_id=2)


def table(seed: int = 0) -> TabularLM:
    return TabularLM(3, 3, generator=torch.Generator().manual_seed(seed)).double()


def moved(step, weights: torch.Tensor) -> np.ndarray:
    """The table's change over one step of plain gradient ascent with rate 0.5."""
    model = table()
    before = model.table.detach().clone()
    step(model, torch.optim.SGD(model.parameters(), lr=0.5), ANSWERS, weights)
    return (model.table.detach() - before).numpy()


def check_direction(step):
    """The change is 0.5 times the gradient of the mean of w log π, by central differences on the table."""
    weights = torch.tensor(np.random.default_rng(1).normal(size=ANSWERS.responses.shape[:2]))

    def objective(values):
        model = table()
        with torch.no_grad():
            model.table.copy_(torch.as_tensor(values))
            return float((weights * sequence_logprobs(model, ANSWERS)).mean())

    slope = numerical_gradient(objective, table().table.detach().numpy())
    np.testing.assert_allclose(moved(step, weights), 0.5 * slope, atol=1e-8)


def by_hand(change):
    """A step whose surrogate is changed in one way."""

    def step(model, optimizer, batch, weights):
        optimizer.zero_grad()
        (-change(sequence_logprobs(model, batch), weights)).backward()
        optimizer.step()

    return step


def no_clip(*arguments):
    return weighted_step(*arguments, max_grad_norm=1e9)


def test_a_step_goes_along_weight_times_score():
    check_direction(no_clip)


@pytest.mark.parametrize(
    "change",
    [
        lambda logs, weights: -(weights * logs).mean(),
        lambda logs, weights: (weights * logs).sum(),
        lambda logs, weights: (weights * logs).sum() / weights.sum(),
        lambda logs, weights: logs.mean(),
        lambda logs, weights: (weights * logs.exp()).mean(),
    ],
    ids=["downhill", "sum for mean", "divided by the weights", "weights forgotten", "probability for its log"],
)
def test_a_wrong_step_is_rejected(change):
    with pytest.raises(AssertionError):
        check_direction(by_hand(change))


def test_with_weight_one_it_is_cloning():
    batch, ends = random_batch(4, 2), []
    for clip in (1.0, 0.05):
        for train in ("cloning", "weighted"):
            model = gpt2().double()
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
            if train == "cloning":
                figures = next(train_bc(model, [batch], optimizer, CloningConfig(max_grad_norm=clip)))
                ends.append((figures["grad_norm"], model))
            else:
                ones = torch.ones(4, 2, dtype=torch.double)
                ends.append((weighted_step(model, optimizer, batch, ones, max_grad_norm=clip), model))
    for (first_norm, first), (second_norm, second) in (ends[:2], ends[2:]):
        assert first_norm == pytest.approx(second_norm, abs=1e-12)
        for a, b in zip(first.parameters(), second.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_with_the_policys_own_law_and_weight_one_it_goes_nowhere():
    law = sequence_logprobs(table(), ANSWERS).detach().exp()
    assert np.abs(moved(no_clip, law)).max() < 1e-15, "E[g] = 0"
    assert np.abs(moved(no_clip, law**2)).max() > 1e-3


def test_no_gradient_flows_into_the_weights():
    logs = torch.tensor([-1.0, -2.0], requires_grad=True)
    weighted_surrogate(logs, torch.exp(logs)).backward()
    torch.testing.assert_close(logs.grad, torch.exp(logs.detach()) / 2)


def test_bad_input_changes_nothing():
    with pytest.raises(ValueError, match=r"weights must be one an answer, \(1, 7\)"):
        moved(no_clip, torch.ones(1, 6, dtype=torch.double))
    model = table()
    before = model.table.detach().clone()
    with pytest.raises(FloatingPointError, match="that step was not taken"):
        weighted_step(
            model, torch.optim.SGD(model.parameters(), lr=1.0), ANSWERS, torch.full((1, 7), torch.nan).double()
        )
    assert torch.equal(model.table, before)
