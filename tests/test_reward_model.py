"""Reward models: scores against one run a text, fits whose answer is known, frozen blocks counted by hand."""

import copy
import math
from itertools import islice

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from small_models import gpt2, llama, on_ranks, padded, random_batch, random_wins
from transformers import GPT2Config, GPT2Model

from rlhw import reward_model
from rlhw.batches import Batch, shuffled
from rlhw.calibration import pair_accuracy
from rlhw.reward_model import (
    RewardConfig,
    RewardModel,
    freeze,
    last_token,
    pairwise_loss,
    score_batches,
    sum_of_tokens,
    train_reward_model,
)
from rlhw.tabular_lm import TabularTrunk, enumerate_answers


def model_of(trunk, read, seed=0):
    torch.manual_seed(seed)
    return RewardModel(trunk, read)


TRUNKS = {"gpt2": lambda: gpt2().transformer.double(), "llama": lambda: llama().model.double()}


@torch.no_grad()
def one_text_at_a_time(model, batch):
    """Prompt and answer joined, without padding, through the trunk; then the head on the answer's tokens, in a loop."""
    rows = []
    for prompt, prompt_mask, answers, masks in zip(*vars(batch).values(), strict=True):
        row = []
        for answer, mask in zip(answers, masks, strict=True):
            text = torch.cat([prompt[prompt_mask], answer[mask]])
            scores = model.score(model.trunk(text[None]).last_hidden_state[0])[:, 0][-int(mask.sum()) :]
            row.append(float(scores.sum()) if model.read is sum_of_tokens else float(scores[-1]))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.double)


def check_scores(trunk, make):
    """The scores are those of one text at a time, whatever padding, garbage and company it comes with."""
    batch = random_batch(5, 3)
    for read in (sum_of_tokens, last_token):
        model = make(TRUNKS[trunk](), read)
        scores = score_batches(model, [batch])
        torch.testing.assert_close(scores, one_text_at_a_time(model, batch), rtol=0, atol=1e-10)
        wider = padded(batch, 3, 2, fill=-7)
        torch.testing.assert_close(score_batches(model, [wider]), scores, rtol=0, atol=1e-10)
        apart = score_batches(model, [batch.rows([4]), batch.rows([0, 3, 1, 2])])
        torch.testing.assert_close(apart, scores[[4, 0, 3, 1, 2]], rtol=0, atol=1e-10)
        answers = Batch(
            batch.prompts, batch.prompt_mask, batch.responses[:, [2, 0, 1]], batch.response_mask[:, [2, 0, 1]]
        )
        torch.testing.assert_close(score_batches(model, [answers]), scores[:, [2, 0, 1]], rtol=0, atol=1e-10)


class Wrong(RewardModel):
    """A reward model with its reading of the states replaced."""

    def __init__(self, trunk, read, change):
        super().__init__(trunk, read)
        self.change = change

    def forward(self, batch):
        return self.change(self, reward_model.response_states(self.trunk, batch), batch.response_mask)


def scored(model, states, mask):
    return model.read(model.score(states).squeeze(-1), mask)


WRONG_READS = {
    "before the token": lambda m, states, mask: scored(m, states[:, :, :-1], mask),
    "padding scored too": lambda m, states, mask: scored(m, states[:, :, 1:], torch.ones_like(mask)),
    "mean over the tokens": lambda m, states, mask: (
        scored(m, states[:, :, 1:], mask) / (mask.sum(-1) if m.read is sum_of_tokens else 1)
    ),
    "prompt's last state as well": lambda m, states, mask: scored(m, states[:, :, 1:] + states[:, :, :1], mask),
    "first token": lambda m, states, mask: scored(m, states[:, :, 1:2], mask[:, :, :1]),
}


@pytest.mark.parametrize("trunk", TRUNKS)
def test_scores_are_those_of_one_text_at_a_time(trunk):
    check_scores(trunk, model_of)


@pytest.mark.parametrize("name", WRONG_READS)
def test_a_wrong_reading_is_rejected(name):
    with pytest.raises(AssertionError):
        check_scores("gpt2", lambda trunk, read: Wrong(trunk, read, WRONG_READS[name]))


def test_the_head_starts_as_stiennon_et_al_have_it():
    # Chi-square on 4,000 weights: false alarm 1e-6. A deviation of 1/√D is caught at width 1, that of nn.Linear too.
    torch.manual_seed(0)
    heads = [RewardModel(TabularTrunk(3, 1), last_token).score.weight.flatten() for _ in range(1000)]
    weights = torch.cat(heads).detach().double().numpy()
    assert len(weights) == 4000

    def chance(variance):
        statistic = (weights**2).sum() / variance
        return 2 * min(stats.chi2(4000).cdf(statistic), stats.chi2(4000).sf(statistic))

    assert chance(1 / 5) > 1e-6
    assert chance(1 / 4) < 1e-6
    assert chance(1 / 12) < 1e-6


def nine_answers():
    prompts = torch.tensor([[0], [2]])
    return enumerate_answers(prompts, torch.ones_like(prompts, dtype=torch.bool), 3, 2)


def fitted(model, data, steps, **optimizer):
    *_, figures = train_reward_model(
        model, data * steps, torch.optim.SGD(model.parameters(), **optimizer), RewardConfig(max_grad_norm=1e9)
    )
    return figures


@pytest.mark.parametrize("read", [sum_of_tokens, last_token])
def test_the_reward_behind_exact_votes_is_recovered_up_to_a_shift_for_each_prompt(read):
    """Votes in the shares σ((gold_i - gold_j)/τ) have gold/τ + c(x) as their best fit, and nothing else."""
    generator, tau = torch.Generator().manual_seed(1), 0.7
    gold = torch.randn(2, 9, generator=generator, dtype=torch.double)
    wins = torch.sigmoid((gold[:, :, None] - gold[:, None, :]) / tau) * (1 - torch.eye(9))
    model = model_of(TabularTrunk(3, 3).double(), read).double()
    figures = fitted(model, [(nine_answers(), wins)], 160, lr=30.0, momentum=0.8)
    difference = tau * score_batches(model, [nine_answers()]) - gold
    assert (difference - difference.mean(1, keepdim=True)).abs().max() < 1e-6
    probabilities = torch.sigmoid((gold[:, :, None] - gold[:, None, :]).abs() / tau)[:, *torch.triu_indices(9, 9, 1)]
    assert figures["accuracy"] == pytest.approx(float(probabilities.mean()), abs=1e-9), "the annotator's own accuracy"
    entropy = -(probabilities * probabilities.log() + (1 - probabilities) * (1 - probabilities).log()).mean()
    assert figures["loss"] == pytest.approx(float(entropy), abs=1e-9)
    without_tau = score_batches(model, [nine_answers()]) - gold
    assert (without_tau - without_tau.mean(1, keepdim=True)).abs().max() > 0.1


def test_the_fit_is_that_of_scikit_learn():
    """A linear head on one-hot prefixes, a penalty on its weights: logistic regression on differences of features."""
    batch, penalty = random_batch(40, 2, longest_prompt=2, longest_answer=2), 0.05
    batch = Batch(batch.prompts % 3, batch.prompt_mask, batch.responses % 3, batch.response_mask)
    first_wins = torch.rand(40, generator=torch.Generator().manual_seed(0)) < 0.6
    wins = torch.stack([torch.tensor([[0.0, w], [1 - w, 0.0]]) for w in first_wins.double().tolist()]).double()
    model = model_of(TabularTrunk(3, 4).double(), sum_of_tokens).double()
    fitted(model, [(batch, wins)], 110, lr=4.0, momentum=0.7, weight_decay=penalty)

    states = reward_model.response_states(model.trunk, batch)[:, :, 1:]
    features = (states * batch.response_mask[..., None]).sum(2)
    differences, labels = (features[:, 0] - features[:, 1]).numpy(), first_wins.long().numpy()
    regression = LogisticRegression(C=1 / (penalty * 40), fit_intercept=False, tol=1e-12, max_iter=10_000)
    regression.fit(differences, labels)
    np.testing.assert_allclose(model.score.weight.detach().numpy(), regression.coef_, atol=1e-6)
    assert np.abs(regression.coef_).max() > 0.1
    flipped = LogisticRegression(C=1 / (penalty * 40), fit_intercept=False, tol=1e-12).fit(differences, 1 - labels)
    assert np.abs(model.score.weight.detach().numpy() - flipped.coef_).max() > 0.1


def after_steps(data, config, model=None, **more):
    """All parameters after AdamW's steps on these data, and the figures of the last one."""
    model = model or model_of(TRUNKS["gpt2"](), sum_of_tokens)
    *_, figures = train_reward_model(model, data, torch.optim.AdamW(model.parameters(), lr=1e-2), config, **more)
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), figures


def three_batches():
    return [(random_batch(7, 3, seed), random_wins(7, 3, seed)) for seed in range(3)]


def test_a_batch_in_parts_gives_the_same_steps():
    whole, figures = after_steps(three_batches(), RewardConfig())
    assert set(figures) == {"loss", "accuracy", "grad_norm", "prompts"}
    for micro_batch in (1, 3, 100):
        parts, others = after_steps(three_batches(), RewardConfig(micro_batch=micro_batch))
        assert (parts - whole).abs().max() < 1e-10
        assert others == pytest.approx(figures, abs=1e-10)
    # The control: the mean of the means of 3, 3 and 1 prompts is another loss.
    model = model_of(TRUNKS["gpt2"](), sum_of_tokens)
    batch, wins = three_batches()[2]
    losses = pairwise_loss(score_batches(model, [batch]), wins)
    assert abs(float(torch.stack([part.mean() for part in losses.split(3)]).mean() - losses.mean())) > 1e-3


def test_the_loss_and_the_accuracy_are_those_before_the_step():
    model, (batch, wins) = model_of(TRUNKS["gpt2"](), sum_of_tokens), three_batches()[0]
    scores = score_batches(model, [batch])
    figures = next(train_reward_model(model, [(batch, wins)], torch.optim.SGD(model.parameters(), 0.1), RewardConfig()))
    assert figures["loss"] == pytest.approx(float(pairwise_loss(scores, wins).mean()), abs=1e-12)
    assert figures["accuracy"] == pytest.approx(pair_accuracy(scores, wins), abs=1e-12)
    assert figures["prompts"] == 7.0
    assert abs(float(pairwise_loss(score_batches(model, [batch]), wins).mean()) - figures["loss"]) > 1e-4


def test_two_ranks_with_unequal_shares_give_the_steps_of_one_process():
    data = three_batches()
    whole, figures = after_steps(data, RewardConfig())

    def job(rows, micro_batch):
        model, own = model_of(TRUNKS["gpt2"](), sum_of_tokens), [(batch.rows(rows), wins[rows]) for batch, wins in data]
        return lambda engine: after_steps(own, RewardConfig(micro_batch=micro_batch), model, engine=engine)

    for parts, others in on_ranks([job(slice(0, 2), None), job(slice(2, 7), 2)]):
        assert (parts - whole).abs().max() < 1e-10
        assert others == pytest.approx(figures, abs=1e-10)
    alone, _ = after_steps([(batch.rows(slice(0, 2)), wins[:2]) for batch, wins in data], RewardConfig())
    assert (alone - whole).abs().max() > 1e-4


def test_a_score_that_is_not_a_number_stops_the_loop_before_the_step():
    model = model_of(gpt2().transformer, last_token)
    data = islice(shuffled((random_batch(8, 2), random_wins(8, 2)), 4, seed=0), 5)
    steps = train_reward_model(model, data, torch.optim.Adam(model.parameters(), lr=0.01), RewardConfig())
    next(steps)
    model.score.register_forward_hook(lambda module, inputs, output: output * math.nan)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(FloatingPointError, match="the loss of step 2 is nan: that step was not taken"):
        next(steps)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def share_of_blocks(config, frozen):
    """By hand: a GPT-2 block has 12 D² + 13 D parameters; embeddings, last norm and a head of D beside them."""
    width, block = config.n_embd, 12 * config.n_embd**2 + 13 * config.n_embd
    rest = (config.vocab_size + config.n_positions + 2) * width
    return (rest + (config.n_layer - frozen) * block) / (rest + config.n_layer * block)


@pytest.mark.parametrize(
    ("share", "layers", "frozen"), [(0.7, 12, 8), (0.75, 12, 9), (0.7, 2, 1), (0.0, 3, 0), (1.0, 3, 3)]
)
def test_the_first_blocks_are_frozen(share, layers, frozen):
    with torch.device("meta"):
        trunk = GPT2Model(GPT2Config(n_layer=layers))
    assert freeze(trunk, share) == pytest.approx(share_of_blocks(trunk.config, frozen), abs=1e-12)
    assert [not any(p.requires_grad for p in block.parameters()) for block in trunk.h] == (
        [True] * frozen + [False] * (layers - frozen)
    )
    assert trunk.wte.weight.requires_grad
    assert trunk.ln_f.weight.requires_grad


def test_the_numbers_in_the_text_are_right():
    with torch.device("meta"):
        trunk = GPT2Model(GPT2Config())
    assert round(freeze(trunk, 9 / 12), 2) == 0.49
    # The slip of the slice: with two layers `[:-int(0.3 · 2)]` is `[:-0]`, which freezes nothing.
    assert list(range(2))[: -int(0.3 * 2)] == []
    assert math.floor(0.29 * 100) == 28


def test_freezing_binds_the_right_blocks_of_other_models_and_can_be_redone():
    model = model_of(llama().model, last_token)
    freeze(model, 0.7)
    assert [block.mlp.up_proj.weight.requires_grad for block in model.trunk.layers] == [False, False, True]
    assert model.score.weight.requires_grad
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    list(train_reward_model(model, [(random_batch(4, 2), random_wins(4, 2).float())], optimizer, RewardConfig()))
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith(("trunk.layers.0.", "trunk.layers.1.")) for name in changed)
    assert {"score.weight", "trunk.layers.2.mlp.up_proj.weight", "trunk.embed_tokens.weight"} <= changed
    assert freeze(model, 0.0) == 1.0


def no_data():
    model = model_of(TabularTrunk(3, 3), last_token)
    return train_reward_model(model, [], torch.optim.SGD(model.parameters()), RewardConfig())


def no_votes():
    model = model_of(TabularTrunk(3, 3), last_token)
    return train_reward_model(
        model, [(nine_answers(), torch.zeros(2, 9, 9))], torch.optim.SGD(model.parameters()), RewardConfig()
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: list(no_data()), "data is empty: there are no votes to learn from"),
        (lambda: list(no_votes()), "wins: prompt 0 has no votes; leave it out, or mend its votes"),
        (lambda: score_batches(model_of(TabularTrunk(3, 3), last_token), []), "batches is empty"),
        (
            lambda: last_token(torch.zeros(1, 2, 4), torch.zeros(1, 2, 4, dtype=torch.bool)),
            "mask has an answer of no token",
        ),
        (lambda: freeze(gpt2(), 1.2), "share must be from 0 to 1; got 1.2"),
        (lambda: freeze(model_of(TabularTrunk(3, 3), last_token)), "model has no list of num_hidden_layers blocks"),
        (lambda: RewardConfig(max_grad_norm=-1.0), "max_grad_norm must be above 0 and micro_batch 1 or more"),
        (lambda: RewardConfig(micro_batch=0), "micro_batch 1 or more"),
    ],
)
def test_bad_input_gets_one_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
