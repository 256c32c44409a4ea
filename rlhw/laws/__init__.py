# ruff: noqa: F401 - whichever file a law stands in, its name is rlhw.laws.check_<name>.
"""Laws: what must hold of any implementation, and the oracles that say so.

`check_<name>(fn)` takes an implementation and raises AssertionError with a sentence that names the broken law. The same
laws hold our own functions, reject the mutants in `rlhw.mutants`, and judge learners' answers. Nothing else of rlhw is
imported here: an oracle that calls what it judges judges nothing. All names are imported from `rlhw.laws`, whichever file
they stand in. Laws of formulas call fn with arrays (`as_numpy` dresses a function of torch tensors); laws of whole models
call it with a small model of transformers and tensors.
"""

from rlhw.laws.actor_critic import (
    check_actor_critic,
    check_exact_advantages,
    check_numpy_gae,
    check_objective,
    check_policy_gradient,
    check_reinforce_gradients,
    check_state_softmax,
)
from rlhw.laws.bandits import check_epsilon_greedy, check_greedy, check_regret, check_ucb
from rlhw.laws.comparisons import check_bradley_terry_loss, check_pairwise_loss, check_plackett_luce_loss
from rlhw.laws.control import (
    check_expected_sarsa,
    check_expected_sarsa_target,
    check_first_visit_returns,
    check_mc_control,
    check_q_learning,
    check_q_learning_target,
    check_sarsa,
    check_sarsa_target,
)
from rlhw.laws.decoding import check_attend
from rlhw.laws.dynamic_programming import (
    check_action_values,
    check_bellman_expectation,
    check_bellman_optimality,
    check_discounted_visits,
    check_error_bound,
    check_greedy_policy,
    check_policy_evaluation,
    check_policy_iteration,
    check_solve_policy,
    check_value_iteration,
)
from rlhw.laws.evaluation import (
    check_attainable,
    check_best_of_n_kl,
    check_best_of_n_reward,
    check_bootstrap_interval,
    check_effective_samples,
    check_frontier,
    check_tilted,
    check_win_rate,
)
from rlhw.laws.exploration import check_epsilon_soft, check_inverse_visits, check_power, check_softened
from rlhw.laws.function_approximation import (
    check_bellman_error,
    check_gradient_correction,
    check_gradient_mc,
    check_growth_rate,
    check_least_squares_mc,
    check_lstd,
    check_on_policy_weights,
    check_projected_bellman_error,
    check_projection,
    check_semi_gradient_td,
    check_td_system,
    check_value_error,
)
from rlhw.laws.groups import (
    check_best_group_size,
    check_expected_lost,
    check_lost_shares,
    check_rloo_variance,
    check_scaled_weight,
    check_tied_share,
)
from rlhw.laws.importance import (
    check_ordinary_variance,
    check_per_decision_variance,
    check_weight_variance,
    check_weighted_variance,
)
from rlhw.laws.language_models import (
    check_response_logprobs,
    check_response_states,
    check_reward_model,
    check_sequence_logprobs,
)
from rlhw.laws.off_policy import (
    check_corrected_error,
    check_corrected_target,
    check_enumerate_episodes,
    check_importance_weights,
    check_mean_and_variance,
    check_off_policy_td,
    check_ordinary_importance_sampling,
    check_per_decision_importance_sampling,
    check_weight_second_moment,
    check_weighted_importance_sampling,
    check_weighted_mean_and_variance,
)
from rlhw.laws.oracles import (
    TOLERANCE,
    Array,
    as_numpy,
    assert_close,
    enumerate_sequences,
    expected_value,
    gradient_of,
    log_probabilities_of,
    numerical_gradient,
    policies,
    precision_of,
    probabilities_of,
    torch_gradient,
)
from rlhw.laws.policy_gradient import (
    check_cloning_gradient,
    check_entropy,
    check_exact_gradient,
    check_gradient_variance,
    check_leave_one_out,
    check_log_softmax,
    check_optimal_baseline,
    check_reinforce_estimates,
    check_sample_actions,
    check_score,
    check_softmax,
    check_squared_score_norms,
    check_weighted_scores,
)
from rlhw.laws.policy_optimization import (
    check_clipped_policy_loss,
    check_clipped_value_loss,
    check_gae,
    check_group_advantages,
    check_rloo_advantages,
    check_shaped_rewards,
)
from rlhw.laws.preference_optimization import (
    check_dpo_loss,
    check_implicit_reward,
    check_ipo_loss,
    check_kto_loss,
    check_kto_pair_loss,
)
from rlhw.laws.regret import (
    check_auer_epsilon,
    check_bernoulli_kl,
    check_decaying_epsilon,
    check_expected_regret,
    check_explore,
    check_gaps,
    check_gaussian_kl,
    check_lai_robbins,
    check_race,
    check_rule,
    check_ucb1_bound,
    check_upper_bounds,
)
from rlhw.laws.running_means import (
    check_best_constant_step,
    check_recency_weights,
    check_running_estimates,
    check_squared_errors,
)
from rlhw.laws.sampling import check_generate, check_invert, check_sampling_law
from rlhw.laws.scaling import (
    check_cache_bytes,
    check_decode_floor,
    check_global_mean,
    check_operations_a_token,
    check_ring_bytes,
    check_spacing,
    check_state_bytes,
    check_truncated_weights,
    check_utilisation,
)
from rlhw.laws.sequences import (
    check_bc_loss,
    check_kl_estimate,
    check_last_token,
    check_masked_mean,
    check_masked_sum,
    check_sum_of_tokens,
    check_token_logprobs,
    check_whiten,
)
from rlhw.laws.temporal_difference import (
    check_backward_view,
    check_lambda_returns,
    check_mc_prediction,
    check_n_step_returns,
    check_n_step_td,
    check_returns,
    check_td_lambda,
    check_td_prediction,
)
from rlhw.laws.trust_region import check_fisher, check_kl_step, check_mean_kl, check_natural_gradient, check_surrogate
