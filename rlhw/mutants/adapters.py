"""How a law calls those of our functions that take tensors or batches: laws hand in arrays, or tensors one by one.

Mutants by hand are written in the form that their law calls; the library's functions are dressed by these. torch and what
needs it are imported when a dressed function is called.
"""

from collections.abc import Callable

import numpy as np

from rlhw.laws import as_numpy
from rlhw.mdp import MDP, Episodes
from rlhw.mutants.control_adapters import CONTROL_ADAPTERS


def with_batch(fn: Callable) -> Callable:
    """fn(model, batch), called with the model and the batch's four tensors."""

    def dressed(model: object, *four: object) -> object:
        from rlhw.batches import Batch

        return fn(model, Batch(*four))

    return dressed


def with_mdp(fn: Callable) -> Callable:
    """fn(mdp, …), called with transitions "S A S", rewards "S A" and gamma; the start is uniform."""

    def dressed(transitions: object, rewards: object, gamma: float, *rest: object) -> object:
        start = np.full(len(rewards), 1 / len(rewards))
        return fn(MDP(transitions, rewards, gamma, start), *rest)

    return dressed


def with_mdp_and_start(fn: Callable) -> Callable:
    """The same, with the law of the first state after gamma."""
    return lambda transitions, rewards, gamma, start, *rest: fn(MDP(transitions, rewards, gamma, start), *rest)


def with_episodes(fn: Callable) -> Callable:
    """fn(policy, episodes, …), called with the policy and the four tables of the episodes."""
    return lambda policy, states, actions, rewards, mask, *rest: fn(
        policy, Episodes(states, actions, rewards, mask), *rest
    )


def as_learner(fn: Callable) -> Callable:
    """A learner with named settings, called with a world, step size, rate of the critic, runs, steps and a generator."""

    def dressed(*given: object) -> object:
        mdp, names = MDP(*given[:4]), ("step_size", "value_rate", "runs", "steps", "rng")
        return fn(mdp, **dict(zip(names, given[4:], strict=True)))

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


def side_by_side(learner: Callable) -> Callable:
    """A learner of values from a stream of `Episodes`: called with N lists of walks, it gives its tables as one array "K N S".

    Walks are made equally long as the simulation does it: the last state stays, with reward 0 and the mask False.
    """

    def padded(walks: tuple) -> object:
        from rlhw.mdp import Episodes

        lengths = np.array([len(rewards) for _, rewards in walks])
        width = int(lengths.max())
        states = np.stack([np.pad(states, (0, width + 1 - len(states)), mode="edge") for states, _ in walks])
        rewards = np.stack([np.pad(rewards, (0, width - len(rewards))) for _, rewards in walks])
        return Episodes(states, np.zeros(rewards.shape, dtype=int), rewards, np.arange(width) < lengths[:, None])

    def dressed(walks: list, *inputs: object, **options: object) -> np.ndarray:
        return np.stack(list(learner(map(padded, zip(*walks, strict=True)), *inputs, **options)))

    return dressed


def with_process(on_policy_weights: Callable) -> Callable:
    """A function of an MDP and a policy, called with transitions, policy and start; the process pays nothing."""

    def dressed(transitions: np.ndarray, policy: np.ndarray, start: np.ndarray) -> np.ndarray:
        from rlhw.mdp import MDP

        return on_policy_weights(MDP(transitions, np.zeros(policy.shape), 0.9, start), policy)

    return dressed


def with_pairs(attend: Callable) -> Callable:
    """Keys and values as pairs, called with each of them by itself."""
    return as_numpy(
        lambda query, pk, pv, ak, av, *biases_and_scaling: attend(query, (pk, pv), (ak, av), *biases_and_scaling)
    )


ADAPTERS: dict[str, Callable[[Callable], Callable]] = {
    "check_attend": with_pairs,
    "check_action_values": with_mdp,
    "check_bellman_expectation": with_mdp,
    "check_bellman_optimality": with_mdp,
    "check_solve_policy": with_mdp,
    "check_discounted_visits": with_mdp_and_start,
    "check_greedy_policy": with_mdp,
    "check_policy_evaluation": with_mdp,
    "check_value_iteration": with_mdp,
    "check_policy_iteration": with_mdp,
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
    "check_objective": with_mdp_and_start,
    "check_exact_advantages": with_mdp_and_start,
    "check_policy_gradient": with_mdp_and_start,
    "check_reinforce_gradients": with_episodes,
    "check_actor_critic": as_learner,
    "check_surrogate": with_mdp_and_start,
    "check_natural_gradient": with_mdp_and_start,
    "check_mc_prediction": side_by_side,
    "check_td_prediction": side_by_side,
    "check_n_step_td": side_by_side,
    "check_td_lambda": side_by_side,
    "check_on_policy_weights": with_process,
}
ADAPTERS |= CONTROL_ADAPTERS
