"""Mechanical mutants that do no harm, by reason: "module:function | the changed line".

Each was read by hand. A survivor that is not here makes `rlhw laws --mutants` end with 1, and so does a line here that
names a mutant which no longer survives: where one of these functions changes, its lines here do too.
"""

POLICY, BANDITS = "rlhw.policy_gradient", "rlhw.bandits"
LOGPROBS, REWARD, LANGUAGE = "rlhw.logprobs", "rlhw.reward_model", "rlhw.language_model"
RANKING = f"{REWARD}:plackett_luce_loss"
REGION = "rlhw.trust_region"
EVALUATION, REGRET, IMPORTANCE = "rlhw.evaluation", "rlhw.regret", "rlhw.importance"
DIALOGUE = "rlhw.dialogue"
DYNAMIC, PREDICTION = "rlhw.dynamic_programming", "rlhw.temporal_difference"
LINEAR, LEARNERS = "rlhw.function_approximation", "rlhw.linear_learning"
SAMPLES, INTERVAL = f"{EVALUATION}:effective_samples", f"{EVALUATION}:bootstrap_interval"

CONTROL, OFF_POLICY, EXACT = "rlhw.control", "rlhw.off_policy", "rlhw.exact_episodes"

EXPLAINED = {
    "does no harm: keys and values have the same axes but the last, and one type.": [
        "rlhw.decoding_step:attend | b, g, p, _ = prompts[ 1].shape",
        "rlhw.decoding_step:attend | b, g, p, _ = prompts[ -1].shape",
        "rlhw.decoding_step:attend | weights = torch.softmax(scores, -1, dtype=torch.promote_types(scores.dtype, torch.float32))"
        ".to(answers[ 0].dtype)",
    ],
    "does no harm: numbers of dimensions, of pulls and of tokens, and probabilities, are never negative.": [
        f"{POLICY}:one_number | if np.ndim(baseline) > 0 or callable(baseline) or not np.isfinite(baseline):",
        f"{BANDITS}:ucb | if np.any(counts <= 0):",
        f"{BANDITS}:ucb | return greedy((counts <= 0).astype(float), counts)",
        f"{LOGPROBS}:masked_mean | if (counts <= 0).any():",
        f"{LOGPROBS}:whiten | if count <= 0:",
        f"{LOGPROBS}:_tight_prompt_once | if cache is None or cache.get_seq_length() <= 0:",
        f"{LANGUAGE}:invert | possible = probabilities.gather(1, drawn) != 0",
        f"{LANGUAGE}:_sample | if t + 1 == steps or (count <= 0 and not _several_ranks()):",
        f"{REGION}:natural_gradient | return visits.sum() * np.where(visits[:, None] != 0, centred, 0.0)",
        f"{REGION}:kl_step | if not slope != 0:",
        f"{REGRET}:lai_robbins | worse = gaps != 0",
        f"{REGRET}:ucb1_bound | worse = gaps[gaps != 0]",
        f"{REGRET}:upper_bounds | return np.where(counts != 0, estimates + c * width, np.inf)",
        f"{OFF_POLICY}:check_coverage | bare = np.argwhere((target > 0) & (behavior == 0))",
        f"{OFF_POLICY}:check_coverage | bare = np.argwhere((target != 0) & (behavior <= 0))",
        f"{EXACT}:enumerate_episodes | "
        "actions, probabilities = np.zeros((len(states), 0), dtype=int), mdp.start[mdp.start != 0]",
        f"{EXACT}:weight_second_moment | "
        "square = np.divide(target**2, behavior, out=np.zeros_like(target), where=target != 0)",
        f"{EVALUATION}:best_of_n_kl | here = q != 0",
        f"{DIALOGUE}:expected_lost | if error <= 0:",
        f"{IMPORTANCE}:second_moment | lost = np.flatnonzero((target > 0) & (behavior <= 0))",
        f"{IMPORTANCE}:second_moment | lost = np.flatnonzero((target != 0) & (behavior == 0))",
        f"{IMPORTANCE}:second_moment | taken = target != 0",
        f"{IMPORTANCE}:_tilted | "
        "return m, np.divide(target**2, behavior, out=np.zeros(len(target)), where=target != 0) / m",
        f"{EVALUATION}:frontier | here = best != 0",
        f"{LINEAR}:_checked | if not np.all(np.isfinite(weights) & (weights >= 0)) or not np.any(weights != 0):",
        f"{EVALUATION}:attainable | if exponents.ndim != 2 or len(exponents) < 2 or exponents.shape[1] <= 0:",
    ],
    "does no harm: the two ends of the interval are undefined together.": [
        f"{INTERVAL} | if not (math.isfinite(low) or math.isfinite(high)):",
    ],
    "does no harm: any column of the rewards has the shape that is wanted.": [
        f"{PREDICTION}:returns | found, after = np.empty_like(rewards), np.zeros_like(rewards[..., -1])",
    ],
    "does no harm: there are as many TD errors as states before the last.": [
        f"{PREDICTION}:backward_view | for state, error in zip(states[:-1], errors, strict=False):",
    ],
    "does no harm: after its end a learner is not moved, whatever is looked up for it.": [
        f"{PREDICTION}:n_step_td | "
        f"ahead = np.clip(lengths - t, {n}, n) # steps to the state that is looked up: fewer than n near the end"
        for n in (1, -1)
    ],
    "does no harm: the weights are never negative.": [
        f"{OFF_POLICY}:weighted_importance_sampling | if not last.sum() != 0:",
        f"{EXACT}:weighted_mean_and_variance | seen = mass != 0",
        f"{POLICY}:optimal_baseline | if weights.sum() <= 0.0:",
    ],
    "does no harm: sum and mean are zero together.": [
        f"{OFF_POLICY}:weighted_importance_sampling | if not last.mean() > 0:",
        f"{POLICY}:optimal_baseline | if weights.mean() == 0.0:",
    ],
    "does no harm: nothing is greater than the greatest.": [
        "rlhw.exploration:epsilon_soft | best = q >= q.max(axis=-1, keepdims=True)",
        f"{BANDITS}:greedy | best = estimates >= estimates.max()",
        f"{REGRET}:explore | best = values >= values.max(axis=-1, keepdims=True)",
    ],
    "does no harm: of two axes, axis 1 is the last.": [
        f"{RANKING} | ranking.sort(+1).values, torch.arange(scores.shape[-1], device=ranking.device).expand_as(ranking)",
        f"{RANKING} | ranking.sort(-1).values, torch.arange(scores.shape[+1], device=ranking.device).expand_as(ranking)",
        f"{RANKING} | ordered = scores.gather(+1, ranking)",
        f"{RANKING} | remaining = ordered.flip(+1).logcumsumexp(-1).flip(-1)",
        f"{RANKING} | remaining = ordered.flip(-1).logcumsumexp(+1).flip(-1)",
        f"{RANKING} | remaining = ordered.flip(-1).logcumsumexp(-1).flip(+1)",
        f"{RANKING} | return (remaining - ordered).sum(+1)",
        f"{RANKING} | ranking.sort(1).values, torch.arange(scores.shape[-1], device=ranking.device).expand_as(ranking)",
        f"{RANKING} | ranking.sort(-1).values, torch.arange(scores.shape[1], device=ranking.device).expand_as(ranking)",
        f"{RANKING} | ordered = scores.gather(1, ranking)",
        f"{RANKING} | remaining = ordered.flip(1).logcumsumexp(-1).flip(-1)",
        f"{RANKING} | remaining = ordered.flip(-1).logcumsumexp(1).flip(-1)",
        f"{RANKING} | remaining = ordered.flip(-1).logcumsumexp(-1).flip(1)",
        f"{RANKING} | return (remaining - ordered).sum(1)",
        f"{LOGPROBS}:positions_of | return (mask.cumsum(+1) - 1).clamp(min=0)",
        f"{LOGPROBS}:positions_of | return (mask.cumsum(1) - 1).clamp(min=0)",
        f"{LANGUAGE}:sampling_law | return torch.log_softmax(logits / temperature, +1)",
        f"{LANGUAGE}:sampling_law | return torch.log_softmax(logits / temperature, 1)",
        f"{LANGUAGE}:invert | cumulative = probabilities.cumsum(+1, dtype=torch.float64)",
        f"{LANGUAGE}:invert | cumulative = probabilities.cumsum(1, dtype=torch.float64)",
        f"{LANGUAGE}:invert | return torch.where(possible, drawn, probabilities.argmax(+1, keepdim=True))[:, 0]",
        f"{LANGUAGE}:invert | return torch.where(possible, drawn, probabilities.argmax(1, keepdim=True))[:, 0]",
        f"{REGION}:mean_kl | old, new = log_softmax(old_logits, axis=+1), log_softmax(new_logits, axis=-1)",
        f"{REGION}:mean_kl | old, new = log_softmax(old_logits, axis=-1), log_softmax(new_logits, axis=+1)",
        f"{REGION}:mean_kl | return float(visits @ np.sum(np.exp(old) * (old - new), axis=+1) / visits.sum())",
        f"{REGION}:mean_kl | old, new = log_softmax(old_logits, axis=1), log_softmax(new_logits, axis=-1)",
        f"{REGION}:mean_kl | old, new = log_softmax(old_logits, axis=-1), log_softmax(new_logits, axis=1)",
        f"{REGION}:mean_kl | return float(visits @ np.sum(np.exp(old) * (old - new), axis=1) / visits.sum())",
        f"{REGION}:kl_step | old, best = log_softmax(logits, axis=+1), direction.argmax(axis=1)",
        f"{REGION}:kl_step | old, best = log_softmax(logits, axis=1), direction.argmax(axis=1)",
        f"{SAMPLES} | return np.exp(2 * logsumexp(exponents, axis=+1) - logsumexp(2 * exponents, axis=-1))",
        f"{SAMPLES} | return np.exp(2 * logsumexp(exponents, axis=-1) - logsumexp(2 * exponents, axis=+1))",
        f"{SAMPLES} | return np.exp(2 * logsumexp(exponents, axis=1) - logsumexp(2 * exponents, axis=-1))",
        f"{SAMPLES} | return np.exp(2 * logsumexp(exponents, axis=-1) - logsumexp(2 * exponents, axis=1))",
    ],
    "does no harm: an axis of length one has its first entry last.": [
        f"{LOGPROBS}:token_logprobs | "
        "return torch.log_softmax(logits, -1, dtype=dtype).gather(-1, tokens[..., None])[..., -1]",
        f"{LANGUAGE}:invert | return torch.where(possible, drawn, probabilities.argmax(-1, keepdim=True))[:, -1]",
        f"{LANGUAGE}:_sample | tokens[running, t], logprobs[running, t] = drawn, law.gather(1, drawn[:, None])[:, -1]",
        f"{LANGUAGE}:_sample | kept = live.nonzero()[:, -1] if count else running.new_zeros(1)",
        f"{LANGUAGE}:_next_logits | return out.logits[:, - 0], out.past_key_values",
    ],
    "does no harm: under a mask any token may stand, for it is never read.": [
        f"{LOGPROBS}:_tight_prompt_once | prompts = batch.prompts.masked_fill(~batch.prompt_mask, 1)",
        f"{LOGPROBS}:_tight_prompt_once | answers = batch.responses.masked_fill(~batch.response_mask, 1).flatten(0, 1)",
        f"{LOGPROBS}:response_logprobs | tokens = batch.responses.masked_fill(~batch.response_mask, 1)",
        f"{LANGUAGE}:generate | logits, cache = _next_logits(model, prompts.masked_fill(~prompt_mask, 1), mask, None)",
        f"{LANGUAGE}:generate | parts = torch.where(response_mask, tokens[:, :r], 1), response_mask, "
        "torch.where(response_mask, logprobs[:, :r], 0)",
        f"{LANGUAGE}:generate | parts = torch.where(response_mask, tokens[:, :r], -1), response_mask, "
        "torch.where(response_mask, logprobs[:, :r], 0)",
    ],
    "does no harm: what stands behind an answer's end is never read.": [
        f"{LANGUAGE}:_sample | continue",
        f"{LANGUAGE}:_sample | "
        "lengths, tokens = torch.full_like(running, steps), torch.ones_like(uniforms, dtype=torch.int64)",
        f"{LANGUAGE}:_sample | "
        "logprobs = torch.ones_like(uniforms, dtype=torch.promote_types(logits.dtype, torch.float32))",
    ],
    "does no harm: a number that counts up to another never jumps over it, and none is below one.": [
        f"{CONTROL}:_play | while len(actions) != max_steps and not np.all(mdp.terminal[states[-1]]):",
        f"{LOGPROBS}:_tight_prompt_once | if k != 1:",
        f"{LANGUAGE}:_sample | if t + 1 >= steps or (count == 0 and not _several_ranks()):",
        f"{LANGUAGE}:_several_ranks | "
        "return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() != 1",
    ],
    "does no harm: zeros like a column are zeros, whichever column it is.": [
        "rlhw.ppo:gae | advantage = next_value = torch.zeros_like(values[..., -1])",
    ],
    "does no harm: what is not infinite and above zero is below infinity.": [
        f"{REGION}:kl_step | if not 0 < kl != np.inf:",
        f'{LANGUAGE}:_check | if not 0 < temperature != float("inf"):',
        f"{EVALUATION}:_check_beta | if not 0 < beta != math.inf:",
        f"{REGRET}:gaussian_kl | if not 0 < sd != np.inf:",
        f"{REGRET}:decaying_epsilon | if not 0 < c != np.inf:",
        f"{REGRET}:rule | if not 0 <= c != np.inf:",
    ],
    "does no harm: where counts sum to less than zero one of them is below zero; a range never is.": [
        f"{EVALUATION}:win_rate | if n <= 0 or min(wins, losses, ties) < 0:",
        f"{INTERVAL} | if np.ptp(values) <= 0:",
    ],
    "does no harm: a step is searched in a bracket, which may be wider, with anything above zero at its far end.": [
        f"{REGION}:kl_step | return mean_kl(visits, logits, logits + c * direction) - kl if c != far else 1.0",
        f"{REGION}:kl_step | return mean_kl(visits, logits, logits + c * direction) - kl if c < far else 2.0",
        f"{REGION}:kl_step | lead = np.mean(np.exp(old) * (direction.max(axis=1, keepdims=True) - direction), axis=1)",
    ],
    "does no harm: a table with a row to spare.": [
        f"{REGRET}:expected_regret | law = np.zeros((pulls + 2,) * 3)",
    ],
    "does no harm: one resample more or less.": [
        f"{INTERVAL} | found = bootstrap((values,), statistic, n_resamples= 5001, confidence_level=confidence, rng=rng)",
        f"{INTERVAL} | found = bootstrap((values,), statistic, n_resamples= 4999, confidence_level=confidence, rng=rng)",
    ],
    "does no harm: a discount is never above one, and a probability never below zero.": [
        f"{DYNAMIC}:_live | if mdp.gamma >= 1:",
        f"{DYNAMIC}:_live | ends = ends | (chain @ ends != 0)",
        f"{DYNAMIC}:_sweep | if (change if mdp.gamma >= 1 else error_bound(mdp.gamma, change)) <= tolerance:",
        f'{DYNAMIC}:error_bound | return gamma / (1 - gamma) * change if gamma != 1 else float("inf")',
    ],
    "does no harm: a difference that is exactly a tie, or exactly the tolerance, may go either way.": [
        f"{DYNAMIC}:greedy_policy | best = q > q.max(axis=1, keepdims=True) - _tie(q)",
        f"{DYNAMIC}:policy_iteration | gains = q.max(axis=1) >= v + _tie(q)",
        f"{DYNAMIC}:_sweep | if (change if mdp.gamma == 1 else error_bound(mdp.gamma, change)) < tolerance:",
    ],
    "does no harm: one sweep or round more or less, before it is given up.": [
        f"{DYNAMIC}:policy_evaluation | "
        'mdp: MDP, policy: Float[Array, "S A"], tolerance: float, max_sweeps: int = 100001',
        f"{DYNAMIC}:policy_evaluation | "
        'mdp: MDP, policy: Float[Array, "S A"], tolerance: float, max_sweeps: int = 99999',
        f"{DYNAMIC}:value_iteration | mdp: MDP, tolerance: float, max_sweeps: int = 100001",
        f"{DYNAMIC}:value_iteration | mdp: MDP, tolerance: float, max_sweeps: int = 99999",
        f"{DYNAMIC}:policy_iteration | "
        'def policy_iteration(mdp: MDP, max_rounds: int = 1001) -> tuple[Float[Array, " S"], Float[Array, "S A"], int]:',
        f"{DYNAMIC}:policy_iteration | "
        'def policy_iteration(mdp: MDP, max_rounds: int = 999) -> tuple[Float[Array, " S"], Float[Array, "S A"], int]:',
    ],
    "does no harm: numpy takes any negative length for the one that is left.": [
        f"{LINEAR}:_rows | return features.reshape(~1, features.shape[-1])",
        f"{LINEAR}:_rows | return features.reshape(- 2, features.shape[-1])",
    ],
    "does no harm: a rank is never above the number of states; there is always one stream.": [
        f"{LINEAR}:on_policy_weights | if rank != states:",
        f"{LEARNERS}:_check_lengths | if len({{len(stream) for stream in streams.values()}}) != 1:",
    ],
    "does no harm: the weights are scaled to a sum of one afterwards.": [
        f"{LINEAR}:on_policy_weights | weights, _, rank, _ = np.linalg.lstsq(balance, np.append(np.zeros(states), 2.0))",
    ],
    "does no harm: only a rounding is cut off, and not every machine rounds below zero.": [
        f"{LINEAR}:on_policy_weights | weights = np.where(mdp.terminal, 0.0, np.maximum(weights, -1.0))",
    ],
}
SURVIVORS = {key: reason for reason, keys in EXPLAINED.items() for key in keys}
