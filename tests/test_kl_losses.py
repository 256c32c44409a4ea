"""KL of sequences on a table that can be enumerated: as a sum over tokens, and k1, k2, k3 as values and as losses."""

import numpy as np
import pytest
import torch

from rlhw.laws import numerical_gradient
from rlhw.logprobs import kl_estimate, response_logprobs
from rlhw.tabular_lm import TabularLM, enumerate_answers

PROMPTS = torch.tensor([[0], [2]])
# Answers end at symbol 1 or after three tokens: their lengths differ, and the mask counts.
ANSWERS = enumerate_answers(PROMPTS, torch.ones_like(PROMPTS, dtype=torch.bool), vocab_size=3, length=3, eos_id=1)


def tables():
    generator = torch.Generator().manual_seed(3)
    return tuple(TabularLM(3, 4, generator=generator).double() for _ in range(2))


def token_logprobs(policy, reference):
    """log π and log π_ref of every token of every answer, "B K R"; 0 under the mask."""
    with torch.no_grad():
        ref = response_logprobs(reference, ANSWERS)
    return response_logprobs(policy, ANSWERS), ref


def gradient(value, policy):
    (slope,) = torch.autograd.grad(value, policy.table, retain_graph=True)
    return slope


def mean_under(logprobs, values):
    """Σ_y π(y|x) values(x, y), the mean over the prompts; the probabilities are held fast, as samples are."""
    return (logprobs.sum(-1).exp().detach() * values).sum(1).mean()


def divergences(policy, reference):
    """KL(π‖π_ref) and KL(π_ref‖π) of whole answers, by their definition."""
    p, q = (part.sum(-1) for part in token_logprobs(policy, reference))
    return (p.exp() * (p - q)).sum(1).mean(), (q.exp() * (q - p)).sum(1).mean()


@torch.no_grad()
def conditional_divergences(policy, reference):
    """Σ over all prefixes that do not end an answer, of π's chance to get there times the KL of the next token's laws."""
    total = 0.0
    for prompt in PROMPTS[:, 0].tolist():
        prefixes = [((prompt,), 1.0)]
        while prefixes:
            prefix, reach = prefixes.pop()
            laws = [torch.log_softmax(model(torch.tensor([prefix])).logits[0, -1], 0) for model in (policy, reference)]
            total += reach * float((laws[0].exp() * (laws[0] - laws[1])).sum())
            onward = [(s, float(laws[0][s].exp())) for s in (0, 2)] if len(prefix) < 3 else []
            prefixes += [((*prefix, symbol), reach * chance) for symbol, chance in onward]
    return total / len(PROMPTS)


@torch.no_grad()
def test_the_kl_of_answers_is_the_sum_of_expected_conditional_token_kls():
    policy, reference = tables()
    exact = float(divergences(policy, reference)[0])
    assert conditional_divergences(policy, reference) == pytest.approx(exact, abs=1e-12)
    # The wrong law of prefixes: those that the reference would write.
    p, q = token_logprobs(policy, reference)
    from_reference = float(mean_under(q, kl_estimate(p, q, "k3").sum(-1)))
    assert abs(from_reference - exact) > 0.05


@torch.no_grad()
def test_as_values_k1_and_k3_have_the_kl_as_their_mean_and_k2_has_not():
    """Of whole answers and summed over tokens alike."""
    policy, reference = tables()
    p, q = token_logprobs(policy, reference)
    exact = float(divergences(policy, reference)[0])
    for kind in ("k1", "k3"):
        assert float(mean_under(p, kl_estimate(p.sum(-1), q.sum(-1), kind))) == pytest.approx(exact, abs=1e-12)
        assert float(mean_under(p, kl_estimate(p, q, kind).sum(-1))) == pytest.approx(exact, abs=1e-12)
        upside_down = float(mean_under(p, kl_estimate(q.sum(-1), p.sum(-1), kind)))
        assert abs(upside_down - exact) > 0.1
    for values in (kl_estimate(p.sum(-1), q.sum(-1), "k2"), kl_estimate(p, q, "k2").sum(-1)):
        assert abs(float(mean_under(p, values)) - exact) > 0.05


@torch.no_grad()
def test_k3_upside_down_gives_chi_square_less_the_kl():
    policy, reference = tables()
    p, q = (part.sum(-1) for part in token_logprobs(policy, reference))
    chi_square = float((p.exp() * ((p - q).exp() - 1)).sum(1).mean())
    exact = float(divergences(policy, reference)[0])
    assert float(mean_under(p[..., None], kl_estimate(q, p, "k3"))) == pytest.approx(chi_square - exact, abs=1e-12)


@pytest.fixture
def slopes():
    """The losses' gradients on the table, and the two that they are held against."""
    policy, reference = tables()
    p, q = token_logprobs(policy, reference)
    losses = {f"answers, {kind}": kl_estimate(p.sum(-1), q.sum(-1), kind) for kind in ("k1", "k2", "k3")}
    losses |= {f"tokens, {kind}": kl_estimate(p, q, kind).sum(-1) for kind in ("k1", "k2", "k3")}
    to_go = kl_estimate(p, q, "k1").detach().flip(-1).cumsum(-1).flip(-1)
    losses["score times KL-to-go"] = (p * to_go).sum(-1)
    found = {name: gradient(mean_under(p, loss), policy) for name, loss in losses.items()}
    forward, backward = divergences(policy, reference)
    return found | {"KL(π‖ref)": gradient(forward, policy), "KL(ref‖π)": gradient(backward, policy)}


def off(one, other) -> float:
    """The distance of two gradients as a share of the second."""
    return float((one - other).norm() / other.norm())


def test_as_losses_k1_does_nothing_k2_descends_the_kl_and_k3_the_other_kl(slopes):
    assert slopes["answers, k1"].abs().max() < 1e-12
    assert slopes["tokens, k1"].abs().max() < 1e-12
    assert off(slopes["answers, k2"], slopes["KL(π‖ref)"]) < 1e-12
    assert off(slopes["answers, k3"], slopes["KL(ref‖π)"]) < 1e-12
    assert off(slopes["score times KL-to-go"], slopes["KL(π‖ref)"]) < 1e-12
    assert off(slopes["KL(ref‖π)"], slopes["KL(π‖ref)"]) > 0.1, "the two KLs pull differently"


def test_summed_over_tokens_k2_and_k3_are_gradients_of_neither(slopes):
    for kind in ("k2", "k3"):
        for exact in ("KL(π‖ref)", "KL(ref‖π)"):
            assert off(slopes[f"tokens, {kind}"], slopes[exact]) > 0.05, (kind, exact)


def test_the_exact_gradients_are_central_differences(slopes):
    policy, reference = tables()
    table = policy.table.detach().clone()
    direction = torch.randn(table.shape, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    for number, name in enumerate(("KL(π‖ref)", "KL(ref‖π)")):

        def along(step, number=number):
            policy.table.data = table + float(step[0]) * direction
            return divergences(policy, reference)[number].item()

        slope = numerical_gradient(along, np.zeros(1))[0]
        assert float((slopes[name] * direction).sum()) == pytest.approx(slope, abs=1e-7)
