"""The schedule against torch's LambdaLR and by hand, early stopping on a curve that is known, the guard of a step."""

import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

from rlhw.batches import PLAIN
from rlhw.training import EarlyStopping, guarded_step, warmup_decay


def check_schedule(schedule):
    """By its corners, and its way down against torch's own cosine."""
    factor = schedule(4, 20, 0.1)
    assert [factor(step) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0], abs=1e-12)
    assert factor(12) == pytest.approx(0.55, abs=1e-12)
    assert factor(20) == factor(1000) == pytest.approx(0.1, abs=1e-12)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    cosine = CosineAnnealingLR(optimizer, T_max=16, eta_min=0.1)
    for step in range(4, 21):
        assert factor(step) == pytest.approx(cosine.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        cosine.step()
    assert schedule(0, 3, 0.0)(0) == 1.0


def from_zero(warmup, total, floor):
    return lambda step: step / warmup if step < warmup else warmup_decay(warmup, total, floor)(step)


WRONG_SCHEDULES = {
    "first step at rate zero": from_zero,
    "a line down": lambda w, n, f: lambda t: min((t + 1) / max(w, 1), 1.0) * max(1 - max(t - w, 0) / (n - w), f),
    "floor forgotten": lambda w, n, f: warmup_decay(w, n, 0.0),
    "cosine comes up again": lambda w, n, f: (
        lambda t: warmup_decay(w, n, f)(t) if t <= n else f + (1 - f) * (1 + math.cos(math.pi * (t - w) / (n - w))) / 2
    ),
    "warm-up counted in the decay": lambda w, n, f: lambda t: warmup_decay(w, n + w, f)(t),
}


def test_schedule():
    check_schedule(warmup_decay)


@pytest.mark.parametrize("name", WRONG_SCHEDULES)
def test_a_wrong_schedule_is_rejected(name):
    with pytest.raises((AssertionError, ZeroDivisionError)):
        check_schedule(WRONG_SCHEDULES[name])


def test_lambda_lr_takes_it():
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.5)
    schedule = LambdaLR(optimizer, warmup_decay(2, 4))
    rates = []
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.25, 0.5, 0.5, 0.25, 0.0], abs=1e-12)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: warmup_decay(10, 10), "warmup must be from 0 to total - 1; got warmup=10, total=10"),
        (lambda: warmup_decay(-1, 10), "warmup must be from 0"),
        (lambda: warmup_decay(1, 10, 1.5), "floor must be from 0 to 1; got 1.5"),
        (lambda: EarlyStopping(patience=0), "patience must be 1 or more; got 0"),
        (lambda: EarlyStopping(patience=2).restore(nn.Linear(1, 1)), "restore: there is no best model yet"),
    ],
)
def test_bad_input_gets_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


CURVE = [0.9, 0.7, 0.8, 0.6, math.nan, 0.65, 0.61, 0.1]


def test_stopping_early_gives_the_weights_of_the_least_loss():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    stopping, seen = EarlyStopping(patience=3), []
    for step, loss in enumerate(CURVE):
        with torch.no_grad():
            model[1].weight.fill_(float(step))
            model[0].bias.fill_(float(step))
        seen.append(stopping.over(loss, model))
        if seen[-1]:
            break
    assert seen == [False] * 6 + [True]
    assert (stopping.best, stopping.waited) == (0.6, 3)
    stopping.restore(model)
    assert (model[1].weight == 3.0).all()
    assert (model[0].bias == 6.0).all(), "what is frozen is not copied"
    assert set(stopping.weights) == {"1.weight", "1.bias"}


def test_a_copy_of_the_name_only_would_move_on():
    model = nn.Linear(1, 1)
    stopping, names_only = EarlyStopping(patience=1), dict(model.named_parameters())
    stopping.over(1.0, model)
    before = model.weight.item()
    with torch.no_grad():
        model.weight += 1
    assert names_only["weight"].item() == before + 1
    stopping.restore(model)
    assert model.weight.item() == before


def test_a_first_loss_that_is_not_a_number_is_no_best():
    stopping = EarlyStopping(patience=2)
    assert not stopping.over(math.nan, nn.Linear(1, 1))
    assert stopping.best is None
    assert stopping.over(math.inf, nn.Linear(1, 1))


@pytest.mark.parametrize(("loss", "scale", "name"), [(math.nan, 1.0, "loss"), (1.0, math.inf, "gradient's norm")])
def test_a_guarded_step_changes_nothing_when_something_is_not_finite(loss, scale, name):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0)
    before = model.weight.detach().clone()

    def step(loss, scale):
        for parameter in model.parameters():
            parameter.grad = scale * torch.ones_like(parameter)
        return guarded_step(optimizer, model, torch.tensor(loss), 12, max_grad_norm=0.5, engine=PLAIN)

    with pytest.raises(FloatingPointError, match=f"the {name} of step 12 is (nan|inf): that step was not taken"):
        step(loss, scale)
    assert torch.equal(model.weight, before)
    assert not optimizer.state
    assert step(1.0, 2.0) == pytest.approx(2 * 3**0.5, rel=1e-6)
    assert not torch.equal(model.weight, before)
