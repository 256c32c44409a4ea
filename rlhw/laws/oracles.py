"""The oracles: gradients by differences, sums over all sequences, probabilities by definition, and how to compare."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from jaxtyping import Float

Array = np.ndarray
TOLERANCE = 1e-9


def numerical_gradient(f: Callable[[Array], float], x: Array, step: float = 1e-6) -> Array:
    """Gradient of a scalar function by central differences, (f(x + h e_i) - f(x - h e_i)) / 2h, error O(h²).

    x must be float64: in float32 the difference drowns in rounding, so that raises TypeError.

    >>> numerical_gradient(lambda x: float(x @ x), np.array([1.0, -2.0])).round(6)
    array([ 2., -4.])
    """
    if x.dtype != np.float64:
        raise TypeError(f"x must be a float64 array; got {x.dtype}. Use x.astype(float).")
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (f(up) - f(down)) / (2 * step)
    return gradient


def enumerate_sequences(symbols: int, length: int) -> Iterator[tuple[int, ...]]:
    """All `symbols ** length` sequences, in lexicographic order: the sum over them is an exact expectation.

    >>> list(enumerate_sequences(2, 2))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return product(range(symbols), repeat=length)


class TorchFunction:
    """A function of tensors that is called with arrays, and gives its automatic gradient: see `as_numpy`."""

    def __init__(self, fn: Callable) -> None:
        self.fn = fn

    def __call__(self, *inputs: object, **settings: object) -> Array:
        return self.fn(*map(_tensor, inputs), **settings).detach().numpy()

    def gradient(self, *inputs: object, weights: Array, argument: int) -> Array:
        """Of Σ weights · outputs with respect to one of the inputs."""
        tensors = [_tensor(value) for value in inputs]

        def total(leaf: object) -> object:
            return (self.fn(*tensors[:argument], leaf, *tensors[argument + 1 :]) * _tensor(weights)).sum()

        return torch_gradient(total, inputs[argument])


def as_numpy(fn: Callable) -> TorchFunction:
    """Dress a function of torch tensors as one of arrays: tensors go in (numbers as float64), an array comes out.

    With it the laws hold torch implementations as they hold numpy ones, and `gradient_of` takes its gradient from a
    backward pass. What is no array (a margin, a name) goes in as it is. torch is imported on the first call.
    """
    return TorchFunction(fn)


def _tensor(value: object) -> object:
    import torch

    if not isinstance(value, np.ndarray):
        return value
    return torch.tensor(value, dtype=torch.float64 if value.dtype.kind == "f" else None)


def torch_gradient(fn: Callable, x: Array) -> Array:
    """The autograd gradient of a scalar torch function at x (float64), as an array: zero where the function is cut off
    from x. torch is imported when called.
    """
    import torch

    leaf = torch.as_tensor(x, dtype=torch.float64).clone().requires_grad_()
    value = fn(leaf)
    if value.requires_grad:
        value.backward()
    return np.zeros_like(x) if leaf.grad is None else leaf.grad.numpy()


def gradient_of(fn: Callable, *inputs: object, weights: Array, argument: int = 0) -> Array:
    """The gradient of Σ weights · fn(*inputs) with respect to one input: what a backward pass of this very function gives
    where it is dressed by `as_numpy`, central differences where it is a function of arrays.
    """
    if isinstance(fn, TorchFunction):
        return fn.gradient(*inputs, weights=weights, argument=argument)

    def total(x: Array) -> float:
        return float(np.sum(weights * fn(*inputs[:argument], x, *inputs[argument + 1 :])))

    return numerical_gradient(total, inputs[argument])


def assert_close(got: object, expected: object, law: str, tolerance: float = TOLERANCE) -> None:
    """AssertionError "<law>; yours …" unless shapes agree and each entry is within `tolerance` · max(1, |expected|)."""
    got, expected = np.asarray(got), np.asarray(expected, dtype=float)
    assert got.dtype.kind in "fiu", f"{law}; yours gives {got.dtype} values instead of numbers."
    assert got.shape == expected.shape, f"{law}; yours has shape {got.shape} instead of {expected.shape}."
    assert np.all(np.isfinite(got)), f"{law}; yours has an entry that is not finite."
    gap = np.abs(got - expected) - tolerance * np.maximum(1.0, np.abs(expected))
    if gap.size and gap.max() > 0:
        where = np.unravel_index(int(gap.argmax()), gap.shape)
        place = f" at index {tuple(int(i) for i in where)}" if where else ""
        raise AssertionError(f"{law}; yours differs{place}: {got[where]:.6g} instead of {expected[where]:.6g}.")


def precision_of(values: Array) -> float:
    """The tolerance for results of this type: 1e-9 in float64, 1e-5 in float32, which many libraries take for losses."""
    return 1e-5 if values.dtype == np.float32 else TOLERANCE


def policies(seed: int = 0) -> Iterator[tuple[Float[Array, " A"], np.random.Generator]]:
    """Logits that are not special: 2 to 5 arms, uncentred, some steep; with the generator for what else is drawn."""
    rng = np.random.default_rng(seed)
    for arms in (2, 3, 3, 4, 5):
        for scale in (0.3, 2.0):
            yield scale * rng.standard_normal(arms) + rng.normal(), rng


def probabilities_of(logits: Float[Array, " A"]) -> Float[Array, " A"]:
    """Softmax by its definition, in extended precision: the oracle of every law about a policy."""
    weights = np.exp(np.asarray(logits, dtype=np.longdouble))
    return (weights / weights.sum()).astype(float)


def log_probabilities_of(logits: Float[Array, "*N V"]) -> Float[Array, "*N V"]:
    """Log-softmax over the last axis, in extended precision: finite where a probability underflows."""
    z = np.asarray(logits, dtype=np.longdouble)
    z = z - z.max(axis=-1, keepdims=True)
    return (z - np.log(np.exp(z).sum(axis=-1, keepdims=True))).astype(float)


def expected_value(logits: Float[Array, " A"], values: Float[Array, " A *N"]) -> Float[Array, "*N"]:
    """Σ_y p_y values_y, by enumeration."""
    return np.asarray(sum(p * v for p, v in zip(probabilities_of(logits), values, strict=True)))
