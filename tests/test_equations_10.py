"""Chapter 10: means over processes, bytes and operations that are counted, and numbers of sixteen bits as torch rounds them."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from rlhw.scaling import (
    cache_bytes,
    decode_floor,
    global_mean,
    operations_a_token,
    ring_bytes,
    spacing,
    state_bytes,
    truncated_weights,
)

PARAMETERS = 124_439_808
SIXTEEN = {8: torch.bfloat16, 11: torch.float16}


def shares(seed=10):
    """Gradients of the answers of each process, three numbers an answer, counts unequal."""
    rng = np.random.default_rng(seed)
    for counts in ((1, 3), (4, 2, 7), (5, 1, 1, 2)):
        yield [rng.normal(size=(count, 3)) + count for count in counts]


def sums_and_counts(parts):
    return np.array([part.sum(0) for part in parts]), np.array([float(len(part)) for part in parts])


@pytest.mark.equation("eq-example-ranks", way="enumeration")
def test_example_ranks(equation):
    parts = [[Fraction(6)], [Fraction(1), Fraction(2), Fraction(3)]]

    def check(whole, of_means):
        assert whole == sum(sum(part) for part in parts) / 4
        assert of_means == sum(sum(part) / len(part) for part in parts) / 2

    equation.holds(check, 3, 4)
    equation.rejects("both means the same", check, 4, 4)
    equation.rejects("means summed", check, 3, 8)


@pytest.mark.equation("eq-mean-count", way="enumeration")
def test_mean_count(equation):
    """What DDP does, a mean over processes, with losses divided before by a number of one's choice."""

    def check(divisor):
        for parts in shares():
            sums, counts = sums_and_counts(parts)
            whole = np.concatenate(parts).mean(0)
            averaged = np.mean([total / divisor(n, counts) for total, n in zip(sums, counts, strict=True)], axis=0)
            np.testing.assert_allclose(averaged, whole, rtol=1e-12)
            np.testing.assert_allclose(global_mean(sums, counts), whole, rtol=1e-12)

    equation.holds(check, lambda n, counts: counts.mean())
    equation.rejects("its own count", check, lambda n, counts: n)
    equation.rejects("the count of all", check, lambda n, counts: counts.sum())
    equation.rejects("the largest count", check, lambda n, counts: counts.max())


@pytest.mark.equation("eq-rank-means", way="enumeration")
def test_rank_means(equation):
    def check(formula):
        for parts in shares():
            sums, counts = sums_and_counts(parts)
            means = sums / counts[:, None]
            off = np.mean([part.mean(0) for part in parts], axis=0) - np.concatenate(parts).mean(0)
            cov = np.array([np.cov(counts, means[:, j], bias=True)[0, 1] for j in range(3)])
            np.testing.assert_allclose(formula(cov, counts), off, rtol=1e-10)

    equation.holds(check, lambda cov, counts: -cov / counts.mean())
    equation.rejects("sign", check, lambda cov, counts: cov / counts.mean())
    equation.rejects("over the count of all", check, lambda cov, counts: -cov / counts.sum())
    equation.rejects("sample covariance", check, lambda cov, n: -cov / n.mean() * len(n) / (len(n) - 1))


@pytest.mark.equation("eq-accumulate", way="enumeration")
def test_accumulate(equation):
    """A least-squares loss in torch: gradients of pieces of 4, 4 and 2 rows add up in .grad."""
    generator = torch.Generator().manual_seed(1)
    rows, goals = (torch.randn(10, k, generator=generator, dtype=torch.float64) for k in (3, 1))

    def gradient(divide):
        weights = torch.ones(3, 1, dtype=torch.float64, requires_grad=True)
        for piece in (slice(0, 4), slice(4, 8), slice(8, 10)):
            losses = (rows[piece] @ weights - goals[piece]) ** 2
            (losses.sum() / divide(len(losses), 10, 3)).backward()
        return weights.grad

    def check(divide):
        assert torch.allclose(
            gradient(divide), 2 * rows.T @ (rows.sum(1, keepdim=True) - goals) / 10, atol=1e-12, rtol=0
        )

    equation.holds(check, lambda mine, count, pieces: count)
    equation.rejects("mean of the means", check, lambda mine, count, pieces: mine * pieces)
    equation.rejects("sum of the means", check, lambda mine, count, pieces: mine)


@pytest.mark.equation("eq-state-bytes", way="enumeration")
def test_state_bytes(equation):
    """Deal out P parameters one by one and count the bytes on the fullest process."""
    shared = {"ddp": "", "zero1": "m", "zero2": "mg", "fsdp": "mgw"}
    cost = {"w": 4, "g": 4, "m": 8}

    def check(formula):
        for parameters, processes in ((24, 1), (24, 4), (60, 5)):
            for method, letters in shared.items():
                held = [
                    sum(
                        size
                        for n in range(parameters)
                        for k, size in cost.items()
                        if k not in letters or n % processes == rank
                    )
                    for rank in range(processes)
                ]
                assert max(held) == pytest.approx(formula(parameters, processes, method))

    equation.holds(check, state_bytes)
    equation.rejects(
        "ZeRO-1 shares the gradients", check, lambda p, w, m: state_bytes(p, w, "zero2" if m == "zero1" else m)
    )
    equation.rejects("one moment", check, lambda p, w, m: state_bytes(p, w, m, moments=4.0))
    equation.rejects("FSDP keeps the weights", check, lambda p, w, m: state_bytes(p, w, "zero2" if m == "fsdp" else m))


@pytest.mark.equation("eq-example-states", way="closed form")
def test_example_states(equation):
    """The number of parameters is that of the model's own tensors, made without memory."""
    with torch.device("meta"):
        counted = sum(p.numel() for p in GPT2LMHeadModel(GPT2Config()).parameters())

    def check(parameters, factors, gigabytes):
        assert parameters == counted
        for factor, method, stated in zip(factors, ("ddp", "zero1", "zero2", "fsdp"), gigabytes, strict=True):
            assert state_bytes(counted, 8, method) == factor * counted
            assert abs(factor * counted / 1e9 - stated) < 5e-3

    equation.holds(check, PARAMETERS, (16, 9, 5.5, 2), (1.99, 1.12, 0.68, 0.25))
    equation.rejects("four processes", check, PARAMETERS, (16, 10, 7, 4), (1.99, 1.24, 0.87, 0.50))
    equation.rejects(
        "the head counted twice", check, PARAMETERS + 768 * 50257, (16, 9, 5.5, 2), (2.61, 1.47, 0.9, 0.33)
    )


@pytest.mark.equation("eq-ring", way="enumeration")
def test_ring(equation):
    """Send numbers round a ring until everybody has the sum of all, and count what one process has sent."""

    def sent(processes, length):
        rng = np.random.default_rng(processes)
        vectors = rng.normal(size=(processes, length))
        pieces = [list(np.split(v.copy(), processes)) for v in vectors]
        total = 0
        for step in range(2 * (processes - 1)):
            moving = [(w, (w - step) % processes) for w in range(processes)]
            values = [pieces[w][k].copy() for w, k in moving]
            for (w, k), value in zip(moving, values, strict=True):
                after = pieces[(w + 1) % processes]
                after[k] = after[k] + value if step < processes - 1 else value
            total += len(values[0])
        for mine in pieces:
            np.testing.assert_allclose(np.concatenate(mine), vectors.sum(0), rtol=1e-12)
        return total

    def check(formula):
        for processes in (1, 2, 3, 6):
            assert sent(processes, 12) == pytest.approx(formula(12, processes))

    equation.holds(check, ring_bytes)
    equation.rejects("each to each", check, lambda size, w: size * (w - 1))
    equation.rejects("half of the way", check, lambda size, w: size * (w - 1) / w)
    equation.rejects("twice the size", check, lambda size, w: 2.0 * size)


def rounded(value, bits):
    return float(torch.tensor(value, dtype=torch.float64).to(SIXTEEN[bits]))


@pytest.mark.equation("eq-ratio-error", way="enumeration")
def test_ratio_error(equation):
    """Torch rounds; no pair is further off than the bound, and some come near it."""
    rng = np.random.default_rng(3)
    pairs = [(old, old + delta) for old in -(10 ** rng.uniform(-1, 1.9, 400)) for delta in rng.normal(0, 0.15, 5)]
    pairs = [(old, new) for old, new in pairs if new < 0]

    def check(bound):
        for bits in SIXTEEN:
            shares = [
                abs(rounded(new, bits) - rounded(old, bits) - (new - old)) / bound(old, new, bits) for old, new in pairs
            ]
            assert 0.8 < max(shares) <= 1 + 1e-9

    equation.holds(check, lambda old, new, m: (spacing(old, m) + spacing(new, m)) / 2)
    equation.rejects("one rounding", check, lambda old, new, m: spacing(old, m) / 2)
    equation.rejects("two gaps", check, lambda old, new, m: spacing(old, m) + spacing(new, m))
    equation.rejects("the gap above 1", check, lambda old, new, m: 2.0 ** (1 - m))


@pytest.mark.equation("eq-example-ratio", way="enumeration")
def test_example_ratio(equation):
    def check(true, kept, old, new):
        assert (rounded(-30.05, 8), rounded(-30.07, 8)) == (old, new)
        assert abs(true - math.exp(-30.07 + 30.05)) < 5e-4
        assert abs(kept - math.exp(rounded(-30.07, 8) - rounded(-30.05, 8))) < 5e-4

    equation.holds(check, 0.980, 0.882, -30.0, -30.125)
    equation.rejects("turned round", check, 1.020, 1.133, -30.0, -30.125)
    equation.rejects("half a gap", check, 0.980, 0.939, -30.0, -30.0625)


@pytest.mark.equation("eq-swallowed", way="enumeration")
def test_swallowed(equation):
    """Weights of all sizes, powers of two among them, from both sides; a change twice as large is not lost everywhere."""
    rng = np.random.default_rng(4)
    weights = [*(rng.normal(size=300) * 2.0 ** rng.integers(-8, 6, 300)), 1.0, -2.0, 0.25, 4.0]

    def check(share):
        for bits in SIXTEEN:
            for start in weights:
                theta = rounded(start, bits)
                for sign in (-1.0, 1.0):
                    assert rounded(theta + sign * share(bits) * abs(theta), bits) == theta

    equation.holds(check, lambda m: 2.0 ** -(m + 1))
    equation.rejects("one bit less", check, lambda m: 2.0**-m)
    equation.rejects("the gap above 1", check, lambda m: 2.0 ** -(m - 1))
    assert rounded(1 + 2**-9, 8) == 1.0 < rounded(1 + 2**-7, 8)


@pytest.mark.equation("eq-flush", way="enumeration")
def test_flush(equation):
    def check(limit):
        below = limit * np.array([1.0, -1.0, 0.999, 0.3, 1e-3])
        above = limit * np.array([1.001, -1.001, 2.0])
        assert [rounded(g, 11) for g in below] == [0.0] * 5
        assert all(rounded(g, 11) != 0.0 for g in above)

    equation.holds(check, 2.0**-25)
    equation.rejects("the smallest number itself", check, 2.0**-24)
    equation.rejects("the smallest normal number", check, 2.0**-14)
    equation.rejects("half of that", check, 2.0**-26)


@pytest.mark.equation("eq-loss-scale", way="finite difference")
def test_loss_scale(equation):
    """The gradient of a small network's loss, by central differences, against the scaled backward pass."""
    generator = torch.Generator().manual_seed(5)
    rows = torch.randn(6, 4, generator=generator, dtype=torch.float64)

    def loss(theta):
        return (rows @ theta).tanh().exp().mean()

    start = torch.randn(4, generator=generator, dtype=torch.float64)
    steps = 1e-5 * torch.eye(4, dtype=torch.float64)
    known = torch.stack([(loss(start + h) - loss(start - h)) / 2e-5 for h in steps])

    def check(unscale):
        theta = start.clone().requires_grad_()
        (2.0**16 * loss(theta)).backward()
        assert torch.allclose(unscale(theta.grad, 2.0**16), known, atol=1e-8, rtol=0)

    equation.holds(check, lambda g, c: g / c)
    equation.rejects("not divided", check, lambda g, c: g)
    equation.rejects("divided twice", check, lambda g, c: g / c**2)


@pytest.mark.equation("eq-example-cache", way="enumeration")
def test_example_cache(equation):
    """Bytes of the tensors of a cache that transformers fills, two texts of five tokens, scaled up; weights by counting."""
    from transformers import DynamicCache

    cache, config = DynamicCache(), GPT2Config()
    heads = config.n_head
    for layer in range(config.n_layer):
        pair = torch.zeros(2, 2, heads, 5, config.n_embd // heads, dtype=torch.bfloat16)
        cache.update(pair[0], pair[1], layer)
    there = sum(x.numel() * x.element_size() for part in cache.layers for x in (part.keys, part.values))

    def check(token, cached, weights):
        assert token * 10 == there
        assert token == cache_bytes(12, 768, 1)
        assert abs(cached - token * 64 * 512 / 1e9) < 5e-3
        assert abs(weights - 2 * PARAMETERS / 1e9) < 5e-3

    equation.holds(check, 36_864, 1.21, 0.25)
    equation.rejects("values forgotten", check, 18_432, 0.60, 0.25)
    equation.rejects("float32", check, 73_728, 2.42, 0.50)


@pytest.mark.equation("eq-decode-floor", way="enumeration")
def test_decode_floor(equation):
    """A memory in slow motion: each byte takes its time, one after the other; the least time of a step that needs all of them."""

    def reading(weights, cache, rate):
        clock = 0.0
        for _ in range(weights):
            clock += 1 / rate
        for _ in range(cache):
            clock += 1 / rate
        return clock

    def check(floor):
        for weights, cache, rate in ((40, 10, 8.0), (7, 90, 0.5)):
            assert reading(weights, cache, rate) == pytest.approx(floor(weights, cache, rate))

    equation.holds(check, decode_floor)
    equation.rejects("cache forgotten", check, lambda w, c, r: w / r)
    equation.rejects("the larger of both", check, lambda w, c, r: max(w, c) / r)


def decoding_operations(layers, width, tokens, texts):
    """Torch's own counter over one decoding step of a GPT-2 with a filled cache, and the parameters that multiply."""
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import DynamicCache

    config = GPT2Config(
        n_layer=layers, n_embd=width, n_head=2, vocab_size=20, n_positions=64, attn_implementation="eager"
    )
    model, cache = GPT2LMHeadModel(config).eval(), DynamicCache()
    with torch.no_grad():
        model(torch.zeros(texts, tokens - 1, dtype=torch.long), past_key_values=cache, use_cache=True)
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(texts, 1, dtype=torch.long), past_key_values=cache, use_cache=True)
    matrices = sum(p.numel() for name, p in model.transformer.named_parameters() if p.dim() == 2 and "wpe" not in name)
    return counter.get_total_flops(), matrices


@pytest.mark.equation("eq-intensity", way="enumeration")
def test_intensity(equation):
    """Operations by torch's counter over bytes of 16-bit tensors; never more than the number of texts."""

    def check(formula):
        for layers, width, tokens, texts in ((2, 8, 6, 1), (2, 8, 12, 3), (1, 16, 30, 7)):
            operations, parameters = decoding_operations(layers, width, tokens, texts)
            read = 2 * parameters + 2 * 2 * layers * texts * tokens * width
            assert operations / read == pytest.approx(formula(parameters, layers, width, tokens, texts), rel=1e-12)
            assert operations / read <= texts

    equation.holds(check, lambda p, ly, d, t, n: (2 * p * n + 4 * ly * d * t * n) / (2 * p + 4 * ly * d * t * n))
    equation.rejects("attention is free", check, lambda p, ly, d, t, n: 2 * p * n / (2 * p + 4 * ly * d * t * n))
    equation.rejects("the cache is free", check, lambda p, ly, d, t, n: (2 * p * n + 4 * ly * d * t * n) / (2 * p))
    equation.rejects("weights read for each text", check, lambda p, ly, d, t, n: 1.0)


@pytest.mark.equation("eq-decode-limit", way="closed form")
def test_decode_limit(equation):
    weights, layers, width, tokens, rate = 2.0 * PARAMETERS, 12, 768, 512, 1e12
    counts = [2**power for power in range(40)]
    bound = np.array([n / decode_floor(weights, cache_bytes(layers, width, tokens, n), rate) for n in counts])

    def check(limit):
        assert np.all(np.diff(bound) > -1e-9 * bound[1:])
        assert np.all(bound <= limit * (1 + 1e-9))
        assert bound[-1] == pytest.approx(limit, rel=1e-6)

    equation.holds(check, rate / (2 * layers * width * tokens * 2))
    equation.rejects("without the values", check, rate / (layers * width * tokens * 2))
    equation.rejects("the weights' limit", check, rate / weights)


@pytest.mark.equation("eq-operations", way="enumeration")
def test_operations(equation):
    """Torch's own counter over a forward and a backward pass of a small GPT-2; it counts all pairs, causal or not: c = T."""
    from torch.utils.flop_counter import FlopCounterMode

    def check(formula):
        for layers, width, length in ((1, 8, 5), (2, 16, 12)):
            config = GPT2Config(
                n_layer=layers, n_embd=width, n_head=2, vocab_size=30, n_positions=16, attn_implementation="eager"
            )
            model = GPT2LMHeadModel(config).eval()
            with FlopCounterMode(display=False) as counter:
                model(torch.arange(length)[None]).logits.sum().backward()
            matrices = sum(
                p.numel() for name, p in model.transformer.named_parameters() if p.dim() == 2 and "wpe" not in name
            )
            assert counter.get_total_flops() / length == pytest.approx(
                formula(matrices, layers, width, length), rel=1e-12
            )

    equation.holds(check, operations_a_token)
    equation.rejects("a forward pass", check, lambda p, ly, d, c: operations_a_token(p, ly, d, c, training=False))
    equation.rejects("attention forgotten", check, lambda p, ly, d, c: 6.0 * p)
    equation.rejects("half of the attention", check, lambda p, ly, d, c: 6.0 * p + 6.0 * ly * d * c)


def two_laws(seed=6):
    rng = np.random.default_rng(seed)
    for k in (3, 5, 8):
        yield rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k)), rng.normal(size=k)


@pytest.mark.equation("eq-stale", way="enumeration")
def test_stale(equation):
    def check(mean, divergence):
        for pi, mu, _ in two_laws():
            rho = pi / mu
            assert float(mu @ rho) == pytest.approx(mean, abs=1e-12)
            assert -float(mu @ np.log(rho)) == pytest.approx(divergence(pi, mu), abs=1e-12)

    def kl(p, q):
        return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))

    equation.holds(check, 1.0, lambda pi, mu: kl(mu, pi))
    equation.rejects("turned round", check, 1.0, kl)
    equation.rejects("sign", check, 1.0, lambda pi, mu: -kl(mu, pi))
    equation.rejects("mean ratio of 0", check, 0.0, lambda pi, mu: kl(mu, pi))


@pytest.mark.equation("eq-truncated", way="enumeration")
def test_truncated(equation):
    def check(weight):
        for pi, mu, f in two_laws():
            for limit in (0.6, 1.0, 2.5):
                sampled = float(mu @ (truncated_weights(np.log(pi / mu), limit) * f))
                assert sampled == pytest.approx(float(pi @ (weight(pi / mu, limit) * f)), abs=1e-12)

    equation.holds(check, lambda rho, c: np.minimum(1, c / rho))
    equation.rejects("no bias", check, lambda rho, c: np.ones_like(rho))
    equation.rejects("capped at C", check, lambda rho, c: np.minimum(rho, c))
    equation.rejects("masked", check, lambda rho, c: (rho <= c).astype(float))


@pytest.mark.equation("eq-same-seed", way="simulation", false_alarm=1e-6)
def test_same_seed(equation):
    """8,000 means of W = 3 processes with n = 4 answers each: the variance has a standard error of sqrt(2/8000), 5 of them."""
    rng, sigma, n, processes = np.random.default_rng(7), 1.7, 4, 3
    one = rng.normal(0, sigma, size=(8000, n)).mean(1)
    each = rng.normal(0, sigma, size=(8000, processes, n)).mean((1, 2))
    copies = np.mean([one] * processes, axis=0)

    def check(same, different):
        for seen, stated in ((copies, same), (each, different)):
            assert abs(seen.var() / stated - 1) < 5 * math.sqrt(2 / 8000)

    equation.holds(check, sigma**2 / n, sigma**2 / (n * processes))
    equation.rejects("copies count", check, sigma**2 / (n * processes), sigma**2 / (n * processes))
    equation.rejects("processes forgotten", check, sigma**2 / n, sigma**2 / n)


@pytest.mark.parametrize(
    ("bits", "dtype", "largest", "smallest"),
    [(24, torch.float32, 3.4e38, 1.4e-45), (8, torch.bfloat16, 3.4e38, 9.2e-41), (11, torch.float16, 65504.0, 6.0e-8)],
)
def test_formats(bits, dtype, largest, smallest):
    """The table of formats: gap above 1, largest and smallest number, by torch.finfo."""
    info = torch.finfo(dtype)
    assert spacing(1.0, bits) == info.eps == 2.0 ** (1 - bits)
    assert info.max == pytest.approx(largest, rel=0.01)
    assert info.smallest_normal * info.eps == pytest.approx(smallest, rel=0.01)


def test_the_pipelines_estimate():
    """Its bytes of state are those of the formula and 2 more for autocast's copy, on one process."""
    from rlhw.pipeline.memory import config_of, estimate, parameters_of
    from rlhw.pipeline.settings import FULL

    config = config_of("gpt2")
    count = parameters_of(config)
    states = {stage: state for stage, (state, _) in estimate(FULL, config).items()}
    assert count == PARAMETERS
    assert states["clone"] == states["reward"] == states["dpo"] == state_bytes(count) + 2 * count
    assert states["grpo"] == state_bytes(count) + 2 * count + 12 * count
    assert states["ppo"] in (
        2 * (state_bytes(count) + 2 * count) + 12 * count,
        state_bytes(count) + 2 * count + 12 * count,
    )
