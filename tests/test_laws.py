"""The oracles are right, and the laws accept what others have written: scipy, torch and its automatic gradient."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from rlhw import laws


def test_numerical_gradient_of_a_polynomial():
    x = np.array([[0.7, -1.3], [0.4, 2.1]])

    def f(x):
        return float(x[0, 0] ** 3 + 2 * x[0, 1] * x[1, 0] - x[1, 1] ** 2)

    expected = np.array([[3 * 0.7**2, 2 * 0.4], [2 * -1.3, -2 * 2.1]])
    before = x.copy()
    np.testing.assert_allclose(laws.numerical_gradient(f, x), expected, atol=1e-8)
    np.testing.assert_array_equal(x, before)


def gradient_error(differences, step):
    x = np.array([0.3, -0.2])
    exact = np.exp(x.sum()) * np.ones(2)
    return np.abs(differences(lambda x: float(np.exp(x.sum())), x, step) - exact).max()


def forward_differences(f, x, step):
    return np.array([(f(x + step * e) - f(x)) / step for e in np.eye(len(x))])


def test_central_differences_converge_with_order_two_and_forward_ones_do_not():
    def order(differences):
        return np.log2(gradient_error(differences, 0.02) / gradient_error(differences, 0.01))

    assert abs(order(laws.numerical_gradient) - 2) < 0.01
    assert abs(order(forward_differences) - 1) < 0.01


@pytest.mark.parametrize("dtype", [np.float32, int])
def test_numerical_gradient_refuses_what_is_not_float64(dtype):
    with pytest.raises(TypeError, match=r"x must be a float64 array; got .*astype\(float\)"):
        laws.numerical_gradient(lambda x: float(x @ x), np.array([1, 2], dtype=dtype))


def test_a_float32_difference_would_be_wrong():
    x, h = np.array([1.7], dtype=np.float32), np.float32(1e-6)
    naive = float((np.square(x + h) - np.square(x - h))[0] / (2 * h))
    assert abs(naive - 3.4) > 0.01
    np.testing.assert_allclose(laws.numerical_gradient(lambda x: float(x @ x), x.astype(float)), [3.4], atol=1e-6)


@pytest.mark.parametrize(("symbols", "length"), [(2, 0), (2, 3), (3, 3), (4, 2)])
def test_enumerate_sequences(symbols, length):
    sequences = list(laws.enumerate_sequences(symbols, length))
    assert len(set(sequences)) == len(sequences) == symbols**length
    assert sequences == sorted(sequences)
    assert all(len(sequence) == length and set(sequence) <= set(range(symbols)) for sequence in sequences)


def test_a_sum_over_all_sequences_is_an_exact_expectation():
    p = np.array([0.2, 0.5, 0.3])
    weights = {sequence: np.prod(p[list(sequence)]) for sequence in laws.enumerate_sequences(3, 4)}
    assert sum(weights.values()) == pytest.approx(1, abs=1e-12)
    mean = sum(weight * sum(sequence) for sequence, weight in weights.items())
    assert mean == pytest.approx(4 * (0.5 + 2 * 0.3), abs=1e-12)


def test_expected_value_and_probabilities_by_hand():
    logits = np.log([1.0, 2.0, 5.0])
    np.testing.assert_allclose(laws.probabilities_of(logits), [1 / 8, 2 / 8, 5 / 8], rtol=1e-15)
    np.testing.assert_allclose(laws.expected_value(logits, np.array([8.0, 4.0, 1.6])), 3.0, rtol=1e-15)
    np.testing.assert_allclose(laws.expected_value(logits, 8 * np.eye(3)), [1, 2, 5], rtol=1e-15)


def test_policies_are_not_special():
    cases = [logits for logits, _ in laws.policies()]
    assert {len(logits) for logits in cases} == {2, 3, 4, 5}
    assert all(len(np.unique(logits)) == len(logits) for logits in cases)
    assert all(abs(logits.mean()) > 1e-3 for logits in cases), "centred logits would hide a forgotten shift"


REFUSED_PAIRS = {
    "a shape": (np.zeros(1), np.zeros(3), "L; yours has shape (1,) instead of (3,)."),
    "a scalar for a vector": (0.0, np.zeros(2), "L; yours has shape () instead of (2,)."),
    "not finite": (np.array([0.0, np.nan]), np.zeros(2), "L; yours has an entry that is not finite."),
    "infinite": (np.array([np.inf, 0.0]), np.zeros(2), "L; yours has an entry that is not finite."),
    "truth values": (np.array([True]), np.ones(1), "L; yours gives bool values instead of numbers."),
    "the worst place of a matrix": (
        np.array([[0.0, 0.1], [0.7, 0.0]]),
        np.zeros((2, 2)),
        "L; yours differs at index (1, 0): 0.7 instead of 0.",
    ),
    "a number has no place": (2.5, 2.0, "L; yours differs: 2.5 instead of 2."),
    "a hair too much": (np.array([1.0 + 3e-9]), np.ones(1), "L; yours differs at index (0,): 1 instead of 1."),
}


@pytest.mark.parametrize("case", REFUSED_PAIRS)
def test_assert_close_says_what_differs(case):
    got, expected, sentence = REFUSED_PAIRS[case]
    with pytest.raises(AssertionError) as caught:
        laws.assert_close(got, expected, "L")
    assert str(caught.value) == sentence


def test_a_laxer_comparison_would_let_these_through():
    assert np.allclose(np.zeros(1), np.zeros(3))
    assert not np.abs(np.nan - 0.0) > laws.TOLERANCE
    assert np.allclose(1.0 + 3e-9, 1.0)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (np.array([1.0 + 5e-10]), np.ones(1)),
        (np.array([1e6 * (1 + 5e-10)]), np.array([1e6])),
        (np.array([3, 4]), np.array([3.0, 4.0])),
        (np.array([1.0], dtype=np.float32), np.ones(1)),
        (np.zeros((0, 2)), np.zeros((0, 2))),
        (2.0, 2.0),
    ],
)
def test_assert_close_accepts_what_is_close(got, expected):
    laws.assert_close(got, expected, "L")


SCIPY = {
    "check_softmax": scipy.special.softmax,
    "check_log_softmax": scipy.special.log_softmax,
    "check_entropy": lambda z: float(scipy.stats.entropy(scipy.special.softmax(z))),
    "check_sample_actions": lambda z, u: (u[:, None] >= np.cumsum(scipy.special.softmax(z))[:-1]).sum(axis=1),
    "check_leave_one_out": lambda r: np.array([np.mean(np.delete(r, n)) for n in range(len(r))]),
    "check_greedy": lambda q, n: scipy.stats.rankdata(-q, method="min").__eq__(1) / np.sum(q == max(q)),
    "check_regret": lambda means, y: np.array([sum(max(means) - means[y[: t + 1]]) for t in range(len(y))]),
}


@pytest.mark.parametrize("law", SCIPY)
def test_the_laws_accept_other_peoples_functions(law):
    getattr(laws, law)(SCIPY[law])


def torch_versions():
    import torch

    def log_p(z, action):
        return torch.log_softmax(z, -1)[action]

    def gradient(objective):
        return lambda z, *rest: laws.torch_gradient(lambda leaf: objective(leaf, *map(torch.as_tensor, rest)), z)

    return {
        "check_softmax": laws.as_numpy(lambda z: torch.softmax(z, -1)),
        "check_log_softmax": laws.as_numpy(lambda z: torch.log_softmax(z, -1)),
        "check_entropy": laws.as_numpy(lambda z: torch.distributions.Categorical(logits=z).entropy()),
        "check_score": gradient(log_p),
        "check_cloning_gradient": gradient(lambda z, q: -torch.nn.functional.cross_entropy(z, q)),
        "check_exact_gradient": gradient(lambda z, r: torch.softmax(z, -1) @ r),
        "check_weighted_scores": lambda z, actions, weights: np.array(
            [
                w * laws.torch_gradient(lambda leaf, y=y: log_p(leaf, y), z)
                for y, w in zip(actions, weights, strict=True)
            ]
        ),
    }


TORCH = [
    "check_softmax", "check_log_softmax", "check_entropy", "check_score",
    "check_cloning_gradient", "check_exact_gradient", "check_weighted_scores",
]  # fmt: skip


@pytest.mark.parametrize("law", TORCH)
def test_the_laws_accept_torch_and_its_gradients(law):
    getattr(laws, law)(torch_versions()[law])


def test_the_laws_reject_torch_along_the_wrong_sign():
    import torch

    with pytest.raises(AssertionError, match=r"softmax is exp\(z_i\) over the sum of exp\(z_j\); yours differs"):
        laws.check_softmax(laws.as_numpy(lambda z: torch.softmax(-z, -1)))


def test_as_numpy_hands_in_tensors_and_leaves_what_is_no_array():
    import torch

    seen = []

    def fn(*arguments, scale):
        seen.extend(arguments)
        return (arguments[0] * scale).requires_grad_()

    inputs = np.array([1.0, 2.0], dtype=np.float32), np.array([0, 1]), np.array([True, False]), 3, 0.5, "k1"
    out = laws.as_numpy(fn)(*inputs, scale=2.0)
    assert isinstance(out, np.ndarray)
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, [2.0, 4.0])
    assert [tensor.dtype for tensor in seen[:3]] == [torch.float64, torch.int64, torch.bool]
    assert seen[3:] == [3, 0.5, "k1"]


def scaled_dot(x, y, power):
    return (x**power * y).sum(-1)


@pytest.mark.parametrize("argument", [0, 1])
def test_gradient_of_either_argument_by_autograd_and_by_differences(argument):
    rng = np.random.default_rng(0)
    x, y, weights = rng.uniform(1, 2, (3, 4)), rng.uniform(1, 2, (3, 4)), rng.standard_normal(3)
    expected = weights[:, None] * (3 * x**2 * y if argument == 0 else x**3)
    for fn, tolerance in ((laws.as_numpy(scaled_dot), 1e-12), (scaled_dot, 1e-7)):
        got = laws.gradient_of(fn, x, y, 3, weights=weights, argument=argument)
        np.testing.assert_allclose(got, expected, atol=tolerance)


def test_a_function_that_is_cut_off_has_a_gradient_of_zero():
    cut = laws.as_numpy(lambda x, y: scaled_dot(x.detach(), y, 2))
    gradient = laws.gradient_of(cut, np.ones((2, 2)), np.ones((2, 2)), weights=np.ones(2))
    np.testing.assert_array_equal(gradient, np.zeros((2, 2)))
    wholly = laws.as_numpy(lambda x: x.detach().sum(-1))
    np.testing.assert_array_equal(laws.gradient_of(wholly, np.ones((2, 2)), weights=np.ones(2)), np.zeros((2, 2)))


def test_log_probabilities_of_stays_finite_and_agrees_with_scipy():
    rows = np.random.default_rng(1).standard_normal((2, 3, 4)) * 5
    np.testing.assert_allclose(laws.log_probabilities_of(rows), scipy.special.log_softmax(rows, -1), rtol=1e-12)
    far = laws.log_probabilities_of(np.array([0.0, -5000.0, -np.inf]))
    np.testing.assert_array_equal(far, [0.0, -5000.0, -np.inf])
    with np.errstate(divide="ignore"):
        assert np.isneginf(np.log(scipy.special.softmax([0.0, -5000.0]))[1]), "the plain form loses it"


def test_the_two_gradients_agree():
    import torch

    x = np.array([[0.3, -1.2], [0.8, 0.1]])
    automatic = laws.torch_gradient(lambda x: torch.logsumexp(x @ x.T, dim=(0, 1)), x)
    numerical = laws.numerical_gradient(lambda x: float(scipy.special.logsumexp(x @ x.T)), x)
    np.testing.assert_allclose(automatic, numerical, atol=1e-8)
    assert np.abs(automatic).min() > 0.01, "a gradient of zero would agree with anything"
