"""DPO, IPO and KTO beside TRL's own trainers: same tokens, same losses, same gradients, and DPO's first step."""

import copy
import functools
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from tiny_models import texts_alone
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from benchmarks.trl_parity import (
    LONGEST,
    RECORDS,
    records,
    secluded,
    small_gpt2,
    tokenizer,
    trainer_settings,
    trl_figures,
)
from rlhw.batches import Batch, collate
from rlhw.dpo import (
    DPOConfig,
    dpo_loss,
    implicit_reward,
    ipo_loss,
    kto_loss,
    kto_pair_loss,
    reference_logprobs,
    train_dpo,
)
from rlhw.logprobs import sequence_logprobs

SEEDS, BETA, BOUND = range(3), 0.3, 1e-5
# TRL 1.16 asks transformers by a name that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing. is deprecated:FutureWarning")


@dataclass(frozen=True, eq=False)
class Case:
    """The same texts for both sides; `trainer` is TRL's, `inputs` what it made of them, `batch` ours: chosen first."""

    policy: nn.Module
    reference: nn.Module
    batch: Batch
    trainer: object
    inputs: dict[str, Tensor]


def policies(seed: int) -> tuple[nn.Module, nn.Module]:
    """A reference, and a policy some way from it."""
    reference = small_gpt2(GPT2LMHeadModel, seed)
    policy, generator = copy.deepcopy(reference), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return policy, reference


def trained_by(make, policy, reference, settings, data):
    """TRL's trainer on copies of our models, and its only batch."""
    from datasets import Dataset

    copies = copy.deepcopy(policy), copy.deepcopy(reference)
    trainer = make(*copies, settings, train_dataset=Dataset.from_list(data), processing_class=tokenizer())
    return trainer, dict(next(iter(trainer.get_train_dataloader())))


def dpo_case(seed, folder):
    from trl import DPOConfig as TrlConfig
    from trl import DPOTrainer

    texts, models = records(seed, "chosen", "rejected"), policies(seed)
    settings = TrlConfig(**trainer_settings(folder), beta=BETA, max_grad_norm=1.0)
    return Case(*models, collate(texts, tokenizer(), LONGEST), *trained_by(DPOTrainer, *models, settings, texts))


def kto_case(seed, folder):
    """Each text stands alone, with its label; the chosen ones first. Away from a policy, random answers become less likely:
    with every second seed policy and reference change places, so that TRL's reference point is above 0 in some cases.
    """
    from trl import KTOConfig, KTOTrainer

    texts, models = records(seed, "chosen", "rejected"), policies(seed)[:: -1 if seed % 2 == 0 else 1]
    single = [
        {"prompt": text["prompt"], "completion": text[kind], "label": kind == "chosen"}
        for kind in ("chosen", "rejected")
        for text in texts
    ]
    settings = trainer_settings(folder) | {"per_device_train_batch_size": len(single)}
    trained = trained_by(KTOTrainer, *models, KTOConfig(**settings, beta=BETA), single)
    return Case(*models, collate(texts, tokenizer(), LONGEST), *trained)


@pytest.fixture(scope="module")
def cases():
    with secluded() as folder:
        yield {
            "dpo": [dpo_case(seed, folder) for seed in SEEDS],
            "kto": [kto_case(seed, folder) for seed in SEEDS],
        }


def theirs(case, kind="sigmoid", smoothing=0.0, rows=slice(None)):
    """TRL's loss of this kind and its gradient, over these pairs."""
    trainer = case.trainer
    if kind != "kto":
        trainer.loss_types, trainer.loss_weights, trainer.label_smoothing = [kind], [1.0], smoothing
    inputs = {name: value.view(2, RECORDS, -1)[:, rows].flatten(0, 1) for name, value in case.inputs.items()}
    inputs = {name: value.squeeze(-1) if name == "label" else value for name, value in inputs.items()}
    loss = trainer.compute_loss(trainer.model, inputs)
    return loss.detach(), torch.autograd.grad(loss, list(trainer.model.parameters()))


def ours(case, loss, per_token=False):
    """Our loss of the first answers over the second ones, and its gradient."""
    policy = copy.deepcopy(case.policy)
    lengths = case.batch.response_mask.sum(-1) if per_token else 1
    logprobs, ref_logprobs = (
        sequence_logprobs(model, case.batch) / lengths for model in (policy, case.reference.requires_grad_(False))
    )
    value = loss(*logprobs.unbind(1), *ref_logprobs.unbind(1), BETA).mean()
    return value.detach(), torch.autograd.grad(value, list(policy.parameters()))


def apart(one, other) -> tuple[float, float]:
    """Greatest differences of the losses and of any weight's gradient."""
    gradients = zip(one[1], other[1], strict=True)
    return abs(float(one[0] - other[0])), max(float((a - b).abs().max()) for a, b in gradients)


def test_trl_reads_the_tokens_that_we_do(cases):
    for case in cases["dpo"] + cases["kto"]:
        texts = [(k, tokens.tolist(), tokens[p:].tolist()) for _, k, tokens, p in texts_alone(case.batch)]
        ordered = [text for k in (0, 1) for text in texts if text[0] == k]
        for row, real, answer, (_, tokens, completion) in zip(
            case.inputs["input_ids"],
            case.inputs["attention_mask"],
            case.inputs["completion_mask"],
            ordered,
            strict=True,
        ):
            assert row[real.bool()].tolist() == tokens
            assert row[answer.bool()].tolist() == completion


def smoothed(case, share=0.2):
    """TRL smooths in its loss `aot`, which sorts the pairs of a batch apart: one pair at a time there is nothing to sort."""
    found = [theirs(case, "aot", share, rows=slice(i, i + 1)) for i in range(RECORDS)]
    gradients = zip(*(gradient for _, gradient in found), strict=True)
    return sum(loss for loss, _ in found) / RECORDS, [sum(parts) / RECORDS for parts in gradients]


@functools.cache
def their_kl(case):
    """TRL's estimate of the reference point, as its trainer logs it."""
    trainer = case.trainer
    theirs(case, "kto")
    return torch.tensor(trainer._metrics["train" if trainer.model.training else "eval"]["kl"][-1])


def kto_around_their_kl(case):
    """Our `kto_loss` around TRL's own estimate, which takes each prompt with another prompt's answer."""
    kl = their_kl(case)

    def loss(chosen, rejected, ref_chosen, ref_rejected, beta, wrong=lambda ratios, kinds, kl: (ratios, kinds, kl)):
        ratios, kinds = torch.cat([chosen - ref_chosen, rejected - ref_rejected]), torch.arange(2 * RECORDS) < RECORDS
        return kto_loss(*wrong(ratios, kinds, kl), beta)

    return loss, kl


def swapped(loss):
    return lambda c, r, p, q, beta: loss(r, c, q, p, beta)


PARITY = {
    "dpo": (lambda case: ours(case, dpo_loss), theirs),
    "dpo, smoothed": (lambda case: ours(case, partial(dpo_loss, label_smoothing=0.2)), smoothed),
    "dpo, robust": (
        # (1 - s) L(h) - s L(-h), over 1 - 2s: a smoothing by a negative share.
        lambda case: ours(case, partial(dpo_loss, label_smoothing=-0.2 / 0.6)),
        lambda case: theirs(case, "robust", 0.2),
    ),
    "ipo, of means over tokens": (
        lambda case: ours(case, ipo_loss, per_token=True),
        lambda case: theirs(case, "ipo"),
    ),
    "kto": (lambda case: ours(case, kto_around_their_kl(case)[0]), lambda case: theirs(case, "kto")),
}
MUTANTS = {
    "dpo": {
        "chosen and rejected swapped": lambda case: ours(case, swapped(dpo_loss)),
        "means over tokens": lambda case: ours(case, dpo_loss, per_token=True),
        "reference forgotten": lambda case: ours(case, lambda c, r, p, q, beta: dpo_loss(c, r, 0 * p, 0 * q, beta)),
        "smoothed": lambda case: ours(case, partial(dpo_loss, label_smoothing=0.1)),
    },
    "dpo, smoothed": {"not smoothed": lambda case: ours(case, dpo_loss)},
    "dpo, robust": {"smoothed": lambda case: ours(case, partial(dpo_loss, label_smoothing=0.2))},
    "ipo, of means over tokens": {
        "sums": lambda case: ours(case, ipo_loss),
        "chosen and rejected swapped": lambda case: ours(case, swapped(ipo_loss), per_token=True),
    },
    "kto": {
        "kinds exchanged": lambda case: ours(
            case, partial(kto_around_their_kl(case)[0], wrong=lambda ratios, kinds, kl: (ratios, ~kinds, kl))
        ),
        "reference point forgotten": lambda case: ours(
            case, partial(kto_around_their_kl(case)[0], wrong=lambda ratios, kinds, kl: (ratios, kinds, 0 * kl))
        ),
        "our estimate of the reference point": lambda case: ours(case, kto_pair_loss),
    },
}


def of_kind(cases, name):
    return cases["kto" if name == "kto" else "dpo"]


@pytest.fixture(scope="module")
def trl_s(cases):
    """TRL's losses and gradients, computed once for the right forms and the wrong ones."""
    return {name: [figures(case) for case in of_kind(cases, name)] for name, (_, figures) in PARITY.items()}


@pytest.mark.parametrize("name", PARITY)
def test_ours_is_trl_s(cases, trl_s, name):
    mine, _ = PARITY[name]
    for case, figures in zip(of_kind(cases, name), trl_s[name], strict=True):
        assert max(apart(mine(case), figures)) < BOUND


@pytest.mark.parametrize(("name", "slip"), [(name, slip) for name, slips in MUTANTS.items() for slip in slips])
def test_a_slip_is_seen(cases, trl_s, name, slip):
    both = zip(of_kind(cases, name), trl_s[name], strict=True)
    found = [apart(MUTANTS[name][slip](case), figures) for case, figures in both]
    assert max(min(pair) for pair in found) > 10 * BOUND, found


def test_the_reference_points_are_not_special(cases):
    points = [float(kto_around_their_kl(case)[1]) for case in cases["kto"]]
    assert min(points) == 0.0 < max(points), points


def test_pairs_through_train_dpo_take_trl_s_first_step():
    """The loss that DPOTrainer.train logs at step 1, and the weights after one step of plain gradient descent."""
    with secluded() as folder:
        case = dpo_case(0, folder)
        _, figures = trl_figures(case.trainer)
    ref_logprobs = reference_logprobs(case.reference, [case.batch])
    wins = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).expand(RECORDS, 2, 2)
    policy = copy.deepcopy(case.policy)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    before = [parameter.detach().clone() for parameter in policy.parameters()]
    rewards = implicit_reward(sequence_logprobs(policy, case.batch).detach(), ref_logprobs, BETA)
    config = DPOConfig(beta=BETA, max_grad_norm=1e9, micro_batch=3)
    step = next(train_dpo(policy, [(case.batch, wins, ref_logprobs)], optimizer, config))
    assert step["loss"] == pytest.approx(figures.loss, abs=BOUND)
    assert step["loss"] == pytest.approx(figures.first_step, abs=1e-4)
    for old, new, slope in zip(before, policy.parameters(), figures.gradient, strict=True):
        assert ((old - new) / 0.1 - slope).abs().max() < 1e-4
    logged = next(entry for entry in case.trainer.state.log_history if "rewards/margins" in entry)
    assert step["accuracy"] == pytest.approx(logged["rewards/accuracies"], abs=1e-6)
    assert step["margin"] == pytest.approx(logged["rewards/margins"], abs=1e-4)
    assert step["margin"] == pytest.approx(float((rewards[:, 0] - rewards[:, 1]).mean()), abs=1e-5)
