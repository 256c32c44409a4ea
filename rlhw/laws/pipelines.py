"""Laws of what joins the formulas: text to masks, sampling to scoring, a group to its advantages, a loss to the critic.

They are of the same kind as those of `rlhw.laws`, and are imported from here: their mutants are the patients of
`rlhw.clinic`. torch is imported when a law is called.
"""

from collections.abc import Callable

import numpy as np

from rlhw.laws.language_models import END, SYMBOLS, flat_logprobs, small_batch, small_gpt2
from rlhw.laws.oracles import Array, assert_close

TEXTS = (("ab", "b"), ("bba", ""), ("a", "aab"))


class _Letters:
    """A tokenizer of two letters; its end mark is also what fills the empty places, as people set it for GPT-2."""

    eos_token_id = pad_token_id = 2

    def __call__(self, text: str, **settings: bool) -> dict[str, list[int]]:
        return {"input_ids": ["ab".index(letter) for letter in text]}


def check_collate(collate: Callable) -> None:
    """(records, tokenizer, max_length) -> a batch whose masks mark the prompt's tokens on the left, and as actions the answer's
    tokens with the end mark, no more and no less.
    """
    records = [{"prompt": prompt, "completion": answer} for prompt, answer in TEXTS]
    batch = collate(records, _Letters(), 20)
    for row, (prompt, answer) in enumerate(TEXTS):
        actions = batch.responses[row, 0][batch.response_mask[row, 0]].tolist()
        expected = [*_Letters()(answer)["input_ids"], 2]
        law = "no token of the prompt is a target: the answer's tokens and its end mark are"
        assert len(actions) <= len(expected), f"{law}; yours learns {actions} where the answer is {expected}."
        law = "the end mark is a token of the answer, also where padding has the same number: it is learned"
        assert actions == expected, f"{law}; yours learns {actions} where the answer is {expected}."
        given = batch.prompts[row][batch.prompt_mask[row]].tolist()
        law = "the prompt is given whole"
        assert given == _Letters()(prompt)["input_ids"], f"{law}; yours gives {given}."


def _every_answer(prompt: object) -> tuple:
    """All answers of at most two tokens to one prompt "P": END alone, END second, or cut; four tensors."""
    import torch

    pairs = [(first, second) for first in range(SYMBOLS) for second in range(SYMBOLS) if first != END]
    tokens = torch.tensor([(END, 0), *pairs])
    mask = torch.ones_like(tokens, dtype=torch.bool)
    mask[0, 1] = False
    return prompt[None], torch.ones_like(prompt[None], dtype=torch.bool), tokens[None], mask[None]


def check_all_answers(sequence_logprobs: Callable) -> None:
    """fn(model, four tensors) -> "B K", log-probabilities of whole answers: those of all answers to a prompt sum to one."""
    import torch

    for prompt in (torch.tensor([1, 4]), torch.tensor([5])):
        with torch.no_grad():
            total = sequence_logprobs(small_gpt2(), *_every_answer(prompt)).exp().sum()
        assert_close(float(total), 1.0, "the probabilities of all answers to a prompt sum to one")


def check_collect(collect: Callable) -> None:
    """fn(policy, reference, prompts, prompt_mask, k, max_new_tokens, eos_id, generator) -> (responses, mask, logprobs,
    ref_logprobs), all "B K R": the first are the policy's own, the second those of the reference, a model of its own.
    """
    import torch

    policy, (prompts, prompt_mask, _, _) = small_gpt2(), small_batch()
    reference = _another_gpt2(0.0)
    settings = {"k": 3, "max_new_tokens": 4, "eos_id": END, "generator": torch.Generator().manual_seed(21)}
    with torch.no_grad():
        responses, mask, logprobs, ref_logprobs = collect(policy, reference, prompts, prompt_mask, **settings)
        truth = [flat_logprobs(model, prompts, prompt_mask, responses, mask) for model in (policy, reference)]
    law = "the recorded log-probabilities are those of the policy itself, at temperature one"
    assert_close(logprobs.numpy(), truth[0].numpy(), law)
    law = "the reference's log-probabilities are those of the reference, which stays where the policy began"
    assert_close(ref_logprobs.numpy(), truth[1].numpy(), law)


def _another_gpt2(dropout: float) -> object:
    """The small GPT-2 with other weights, and perhaps dropout; in eval mode, as models are held here."""
    import torch

    like = small_gpt2()
    settings = like.config.to_dict() | {"resid_pdrop": dropout, "embd_pdrop": dropout, "attn_pdrop": dropout}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(22)
        return type(like)(type(like.config)(**settings)).double().eval()


def check_same_twice(response_logprobs: Callable) -> None:
    """fn(model, four tensors) -> "B K R": what a model with dropout says of an answer does not change from call to call."""
    import torch

    model = _another_gpt2(0.1)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(23)
        once, again = (response_logprobs(model, *small_batch()).exp() for _ in range(2))
    law = "the ratio of a policy with itself is one: the same answers scored twice have the same probabilities"
    assert_close((again / once).numpy(), np.ones(tuple(once.shape)), law)


def check_equal_rewards(group_advantages: Callable) -> None:
    """fn(rewards "B K", a float32 tensor) -> advantages "B K": equal rewards teach nothing, in the precision of training."""
    import torch

    for k in (3, 5, 6, 7):
        rewards = torch.tensor([[0.7], [0.1], [-1.3]]).expand(3, k).contiguous()
        law = f"where all {k} rewards of a group are equal there is nothing to learn: zero, in float32 too"
        assert_close(group_advantages(rewards).double().numpy(), np.zeros((3, k)), law, tolerance=1e-6)


def check_critic_slope(slope: Callable) -> None:
    """fn(values "T", returns "T") -> the gradient "T" of one update's whole loss by the values, at the policy that sampled: it is
    that of the value loss alone, so zero where each value is its return.
    """
    returns = np.array([0.9, -0.4, 1.7])
    law = "the policy's loss has no gradient by the critic's values: where each value is its return the slope is zero"
    assert_close(np.asarray(slope(returns, returns)), np.zeros(3), law)
    values: Array = returns + np.array([0.3, -0.2, 0.5])
    got, law = np.asarray(slope(values, returns)), "the critic is pulled towards the returns"
    assert np.all(np.sign(got) == np.sign(values - returns)), f"{law}; yours has the slopes {got.round(3).tolist()}."
