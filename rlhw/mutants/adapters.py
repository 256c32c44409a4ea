"""How a law calls those of our functions that take tensors or batches: laws hand in arrays, or tensors one by one.

Mutants by hand are written in the form that their law calls; the library's functions are dressed by these. torch and what
needs it are imported when a dressed function is called.
"""

from collections.abc import Callable

from rlhw.laws import as_numpy
from rlhw.mutants.control_adapters import CONTROL_ADAPTERS


def with_batch(fn: Callable) -> Callable:
    """fn(model, batch), called with the model and the batch's four tensors."""

    def dressed(model: object, *four: object) -> object:
        from rlhw.batches import Batch

        return fn(model, Batch(*four))

    return dressed


def as_scores(reward_model: type) -> Callable:
    """The class of reward models, called with a trunk, the head's weights "D", the read-out and the four tensors."""

    def dressed(trunk: object, head: object, read: Callable, *four: object) -> object:
        import torch

        from rlhw.batches import Batch

        with torch.random.fork_rng(devices=[]):
            model = reward_model(trunk, read)
        model.score.weight.data = head[None]
        return model(Batch(*four))

    return dressed


def as_tensors(generate: Callable) -> Callable:
    """A sampler of (batch, log-probs): what it adds to the prompts, as three tensors."""

    def dressed(*inputs: object, **settings: object) -> tuple:
        batch, logprobs = generate(*inputs, **settings)
        return batch.responses, batch.response_mask, logprobs

    return dressed


def as_numpy_pair(gae: Callable) -> Callable:
    """A function of tensors that gives two of one shape: as one of arrays, the two on a first axis."""

    def stacked(*inputs: object) -> object:
        import torch

        return torch.stack(gae(*inputs))

    return as_numpy(stacked)


ADAPTERS: dict[str, Callable[[Callable], Callable]] = {
    "check_token_logprobs": as_numpy,
    "check_masked_sum": as_numpy,
    "check_masked_mean": as_numpy,
    "check_whiten": as_numpy,
    "check_kl_estimate": as_numpy,
    "check_bc_loss": as_numpy,
    "check_sum_of_tokens": as_numpy,
    "check_last_token": as_numpy,
    "check_bradley_terry_loss": as_numpy,
    "check_plackett_luce_loss": as_numpy,
    "check_pairwise_loss": as_numpy,
    "check_shaped_rewards": as_numpy,
    "check_gae": as_numpy_pair,
    "check_clipped_policy_loss": as_numpy,
    "check_clipped_value_loss": as_numpy,
    "check_rloo_advantages": as_numpy,
    "check_group_advantages": as_numpy,
    "check_implicit_reward": as_numpy,
    "check_dpo_loss": as_numpy,
    "check_ipo_loss": as_numpy,
    "check_kto_loss": as_numpy,
    "check_kto_pair_loss": as_numpy,
    "check_sampling_law": as_numpy,
    "check_invert": as_numpy,
    "check_response_states": with_batch,
    "check_response_logprobs": with_batch,
    "check_sequence_logprobs": with_batch,
    "check_reward_model": as_scores,
    "check_generate": as_tensors,
}
ADAPTERS |= CONTROL_ADAPTERS
