"""Laws of losses that fit a policy to votes: the implicit reward, DPO, IPO and KTO.

All log-probabilities are of whole answers. The world is one prompt with a few answers, so that the policy that is best for
a reward, π*(y) ∝ π_ref(y) exp(r(y)/β), is known exactly, and a population of votes is a sum over all pairs of answers.
"""

from collections.abc import Callable, Iterator

import numpy as np

from rlhw.laws.oracles import Array, TorchFunction, assert_close, gradient_of, log_probabilities_of


def worlds(seed: int = 20) -> Iterator[tuple[Array, Array, float, np.random.Generator]]:
    """Log-probabilities "K" of all answers under a reference, their rewards "K", and β; with the generator."""
    rng = np.random.default_rng(seed)
    for answers, beta in ((2, 0.5), (3, 0.15), (5, 1.7)):
        ref = log_probabilities_of(1.5 * rng.standard_normal(answers))
        yield ref, 1.0 + 1.2 * rng.standard_normal(answers), beta, rng


def best_policy(ref: Array, rewards: Array, beta: float) -> Array:
    """log π*: that of the policy that no other beats at E[r] - β KL(π‖π_ref)."""
    return log_probabilities_of(ref + rewards / beta)


def pairs_of_answers(seed: int = 21) -> Iterator[tuple[tuple[Array, ...], float, np.random.Generator]]:
    """Log-probabilities of chosen, rejected, and of both under the reference: of several shapes, none of them special; β."""
    rng = np.random.default_rng(seed)
    for shape, beta in (((6,), 0.1), ((2, 3), 0.9), ((4,), 2.5)):
        yield tuple(-6.0 + 1.5 * rng.standard_normal((4, *shape))), beta, rng


def surprise(margin: Array) -> Array:
    """-log sigmoid, in extended precision."""
    return np.logaddexp(0.0, -np.asarray(margin, dtype=np.longdouble)).astype(float)


def sigmoid(x: Array) -> Array:
    return np.exp(-surprise(x))


def ratios_of(four: tuple[Array, ...]) -> tuple[Array, Array]:
    """log π/π_ref of the chosen answers and of the rejected ones."""
    chosen, rejected, ref_chosen, ref_rejected = four
    return chosen - ref_chosen, rejected - ref_rejected


def pull_on_answers(loss: Callable, logprobs: Array, ref: Array, votes: Array, beta: float) -> Array:
    """The gradient "K", with respect to each answer's log-probability, of the loss of all votes "K K" together."""
    i, j = np.nonzero(~np.eye(len(ref), dtype=bool))
    inputs = logprobs[i], logprobs[j], ref[i], ref[j], beta
    pull = np.zeros(len(ref))
    for argument, answers in ((0, i), (1, j)):
        np.add.at(pull, answers, gradient_of(loss, *inputs, weights=votes[i, j], argument=argument))
    return pull


def check_implicit_reward(implicit_reward: Callable) -> None:
    """β log π/π_ref: 0 at the reference; of π* it is the reward less one number, J* = β log E_ref[exp(r/β)]."""
    for ref, rewards, beta, rng in worlds():
        law = "the reference has the implicit reward zero, one number an answer"
        assert_close(implicit_reward(ref, ref, beta), np.zeros(len(ref)), law)
        implied = implicit_reward(best_policy(ref, rewards, beta), ref, beta)
        law = "of the policy that is best for a reward, the implicit reward is that reward but for one shift"
        assert_close(implied[:, None] - implied, rewards[:, None] - rewards, law)
        log_z = np.logaddexp.reduce((ref + rewards / beta).astype(np.longdouble)).astype(float)
        law = "the shift is J*, β times the log of the mean of exp(r/β) under the reference"
        assert_close(implied, rewards - beta * log_z, law)
        policy, weights = log_probabilities_of(rng.standard_normal(len(ref))), rng.standard_normal(len(ref))
        gradient = gradient_of(implicit_reward, policy, ref, beta, weights=weights)
        law = "the gradient with respect to a log-probability is β"
        assert_close(gradient, beta * weights, law, tolerance=1e-7)


def check_dpo_loss(dpo_loss: Callable) -> None:
    """Bradley-Terry of the implicit rewards: ln 2 at the reference, blind to shifts, stationary at π*; smoothing; gradient."""
    for four, beta, rng in pairs_of_answers():
        chosen, rejected, ref_chosen, ref_rejected = four
        law = "at the reference the loss is ln 2, that of a coin"
        assert_close(dpo_loss(*four[2:], *four[2:], beta), np.full(chosen.shape, np.log(2.0)), law)
        better, worse = ratios_of(four)
        margin, loss = beta * (better - worse), dpo_loss(*four, beta)
        law = "the loss is minus the log-sigmoid of the chosen answer's implicit reward less the rejected one's"
        assert_close(loss, surprise(margin), law)
        swapped = dpo_loss(rejected, chosen, ref_rejected, ref_chosen, beta)
        law = "the probabilities of the vote and of its opposite sum to one"
        assert_close(np.exp(-loss) + np.exp(-swapped), np.ones(loss.shape), law)
        shift = 3.0 * rng.standard_normal(loss.shape)
        law = "a number added to both answers of a prompt changes nothing"
        assert_close(dpo_loss(chosen + shift, rejected + shift, *four[2:], beta), loss, law)
        smoothed = dpo_loss(*four, beta, 0.2)
        assert_close(
            smoothed, 0.8 * loss + 0.2 * swapped, "smoothing takes that share of the votes the wrong way round"
        )
        weights = rng.standard_normal(loss.shape)
        slope = -beta * weights * (0.8 * sigmoid(-margin) - 0.2 * sigmoid(margin))
        for argument, expected in ((0, slope), (1, -slope)):
            gradient = gradient_of(dpo_loss, *four, beta, 0.2, weights=weights, argument=argument)
            law = "the gradient is -β times the probability of the other vote, and its opposite for the rejected answer"
            assert_close(gradient, expected, law, tolerance=1e-7)
    _stationary_at_the_best_policy(dpo_loss)
    far = np.array([-3000.0, 0.0]), np.array([0.0, -3000.0]), np.zeros(2), np.zeros(2)
    assert_close(dpo_loss(*far, 1.0), np.array([3000.0, 0.0]), "answers of probability zero are no danger")
    gradient = gradient_of(dpo_loss, *far, 1.0, weights=np.ones(2))
    assert_close(gradient, np.array([-1.0, 0.0]), "the gradient far out is minus one or zero", tolerance=1e-5)


def _stationary_at_the_best_policy(dpo_loss: Callable) -> None:
    """With votes in the shares σ(Δr/τ) and β_dpo = β/τ the gradient is zero at π*, whichever pairs are judged how often."""
    for ref, rewards, beta, rng in worlds():
        tau, judged = 0.6, rng.random((len(ref), len(ref)))
        votes = (judged + judged.T) * sigmoid((rewards[:, None] - rewards) / tau)
        pull = pull_on_answers(dpo_loss, best_policy(ref, rewards, beta), ref, votes, beta / tau)
        law = (
            "with votes drawn as σ(Δr/τ) and β/τ for β, nothing pulls at the policy that is best for the reward r at β"
        )
        assert_close(pull, np.zeros(len(ref)), law, tolerance=1e-7)


def check_ipo_loss(ipo_loss: Callable) -> None:
    """(h - 1/(2β))²: one pair is best at h = 1/(2β), a population with preference p at h = (p - ½)/β; gradient; shifts."""
    for four, beta, rng in pairs_of_answers(seed=22):
        chosen, rejected, ref_chosen, ref_rejected = four
        better, worse = ratios_of(four)
        h, loss = better - worse, ipo_loss(*four, beta)
        assert_close(loss, (h - 1 / (2 * beta)) ** 2, "the loss is the square of the log-ratios' gap less 1/(2β)")
        shift = 3.0 * rng.standard_normal(h.shape)
        law = "a number added to both answers of a prompt changes nothing"
        assert_close(ipo_loss(chosen + shift, rejected + shift, *four[2:], beta), loss, law)
        at_best = ref_chosen + worse + 1 / (2 * beta), *four[1:]
        law = "a pair has its least loss, zero, where the log-ratios are 1/(2β) apart"
        assert_close(ipo_loss(*at_best, beta), np.zeros(h.shape), law)
        weights, share = rng.standard_normal(h.shape), rng.random(h.shape)
        for argument, sign in ((0, 1.0), (1, -1.0)):
            gradient = gradient_of(ipo_loss, *four, beta, weights=weights, argument=argument)
            law = "the gradient is that of the square, and its opposite for the rejected answer"
            assert_close(gradient, sign * weights * 2 * (h - 1 / (2 * beta)), law, tolerance=1e-6)
        settled = ref_chosen + worse + (share - 0.5) / beta
        for_it = gradient_of(ipo_loss, settled, *four[1:], beta, weights=share)
        against = gradient_of(
            ipo_loss, rejected, settled, ref_rejected, ref_chosen, beta, weights=1 - share, argument=1
        )
        law = "where a share p of the votes is for an answer, its pull is zero at the gap (p - ½)/β"
        assert_close(for_it + against, np.zeros(h.shape), law, tolerance=1e-6)


def check_kto_loss(kto_loss: Callable) -> None:
    """1 - σ(β (log-ratio - kl)), the other way round for an undesirable answer; ½ at the reference; kl is a constant."""
    rng = np.random.default_rng(23)
    for beta, kl in ((0.1, 2.5), (1.3, 0.4)):
        ratios, desirable = 2.0 * rng.standard_normal((2, 4)), rng.random((2, 4)) < 0.5
        desirable[:, :2] = [True, False]
        start = kto_loss(np.zeros((2, 4)), desirable, np.array(0.0), beta)
        assert_close(start, np.full((2, 4), 0.5), "at the reference the loss is one half for either kind of answer")
        lead = np.where(desirable, 1.0, -1.0) * beta * (ratios - kl)
        loss = kto_loss(ratios, desirable, np.array(kl), beta)
        law = "the loss is 1 - σ(β (log-ratio - kl)) for a desirable answer, 1 - σ(β (kl - log-ratio)) for another"
        assert_close(loss, sigmoid(-lead), law)
        law = "the loss of an answer that is desirable and of one that is not sum to one"
        assert_close(kto_loss(ratios, ~desirable, np.array(kl), beta) + loss, np.ones((2, 4)), law)
        weights = rng.standard_normal((2, 4))
        slope = np.where(desirable, -beta, beta) * weights * sigmoid(lead) * sigmoid(-lead)
        gradient = gradient_of(kto_loss, ratios, desirable, np.array(kl), beta, weights=weights)
        assert_close(gradient, slope, "the gradient of an answer's loss is ∓β σ (1 - σ)", tolerance=1e-7)
        if isinstance(kto_loss, TorchFunction):  # central differences know no constants
            still = gradient_of(kto_loss, ratios, desirable, np.array(kl), beta, weights=weights, argument=2)
            assert_close(still, np.array(0.0), "no gradient flows through the reference point kl", tolerance=0.0)
    far, kinds = np.array([3000.0, -3000.0, 3000.0, -3000.0]), np.array([True, True, False, False])
    law = "log-ratios of thousands are no danger"
    assert_close(kto_loss(far, kinds, np.array(1.0), 1.0), np.array([0.0, 1.0, 1.0, 0.0]), law)


def check_kto_pair_loss(kto_pair_loss: Callable) -> None:
    """The mean of KTO's loss of both answers, around the mean log-ratio of all answers, at least 0 and a constant."""
    signs = set()
    for four, beta, rng in pairs_of_answers(seed=24):
        for lift in (2.0, -2.0):
            raised = four[0] + lift, four[1] + lift, *four[2:]
            better, worse = ratios_of(raised)
            mean = np.mean([better, worse])
            signs.add(bool(mean > 0))
            law = "at the reference the loss is one half"
            assert_close(kto_pair_loss(*four[2:], *four[2:], beta), np.full(better.shape, 0.5), law)
            up, down = (sigmoid(beta * (ratios - max(mean, 0.0))) for ratios in (better, worse))
            law = "the loss is half of 1 - σ for the chosen answer and half of σ for the rejected, around the mean log-ratio or 0"
            assert_close(kto_pair_loss(*raised, beta), (1 - up + down) / 2, law)
            if not isinstance(kto_pair_loss, TorchFunction):  # central differences know no constants
                continue
            weights = rng.standard_normal(better.shape)
            for argument, slope in ((0, -up * (1 - up)), (1, down * (1 - down))):
                gradient = gradient_of(kto_pair_loss, *raised, beta, weights=weights, argument=argument)
                law = "each answer is pulled by its own term alone: the reference point stands still"
                assert_close(gradient, weights * beta * slope / 2, law, tolerance=1e-9)
    assert signs == {True, False}, "the cases must hold means on both sides of zero; yours cannot be judged."
