"""Answers of students to homework 2, written from the text of the questions alone: right in another way, and right in part."""

ANOTHER_WAY = {
    "hw2-bt-loss": '''
def bt_loss(scores, first, second, share):
    """One pair at a time, with math alone."""
    import math
    total, pull = 0.0, [0.0] * len(scores)
    for i, j, s in zip(first, second, share):
        d = float(scores[i]) - float(scores[j])
        small = math.log1p(math.exp(-abs(d)))
        total += s * (max(-d, 0.0) + small) + (1 - s) * (max(d, 0.0) + small)
        p = 1 / (1 + math.exp(-d)) if d >= 0 else math.exp(d) / (1 + math.exp(d))
        pull[i] += p - s
        pull[j] -= p - s
    return total / len(share), [x / len(share) for x in pull]
''',
    "hw2-gae": '''
def gae(rewards, values, final_values, ended, mask, gamma, lam):
    """By recursion, row after row."""
    def advantage(n, t, length):
        if t == length:
            return 0.0
        after = values[n, t + 1] if t + 1 < length else 0.0 if ended[n] else final_values[n]
        return rewards[n, t] + gamma * after - values[n, t] + gamma * lam * advantage(n, t + 1, length)

    out = np.zeros(mask.shape)
    back = np.zeros(mask.shape)
    for n in range(mask.shape[0]):
        for t in range(mask[n].sum()):
            out[n, t] = advantage(n, t, mask[n].sum())
            back[n, t] = out[n, t] + values[n, t]
    return [out, back]
''',
    "hw2-shaped-rewards": """
def shaped_rewards(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    shaped = []
    for n in range(len(scores)):
        shaped.append([])
        for k in range(len(scores[n])):
            length = int(mask[n, k].sum())
            row = [-beta * (logprobs[n, k, t] - ref_logprobs[n, k, t]) for t in range(length)]
            row[-1] += scores[n, k] - human_scores[n] if ended[n, k] else cut_reward
            shaped[n].append(row + [0.0] * (mask.shape[2] - length))
    return shaped
""",
    "hw2-clipped-loss": """
def clipped_loss(logprobs, old_logprobs, advantages, mask, clip):
    number = mask.sum()
    new, old, a = (np.where(mask, x, 0.0) for x in (logprobs, old_logprobs, advantages))
    ratio = np.exp(new - old)
    clipped = np.where(a > 0, ratio > 1 + clip, ratio < 1 - clip)
    bound = np.where(a > 0, 1 + clip, 1 - clip)
    surrogate = np.where(clipped, bound, ratio) * a
    return -surrogate.sum() / number, np.where(clipped, 0.0, -ratio * a / number)
""",
    "hw2-dpo-loss": """
def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    margin = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
    losses = np.logaddexp(0, -margin) + smoothing * margin
    with np.errstate(over="ignore"):
        p = 0.5 * (1 + np.tanh(margin / 2))
    slope = beta * (p - (1 - smoothing)) / len(margin)
    return losses.mean(), slope, -slope
""",
}

# Question: the parts that are lost, and the answer.
WRONG_IN_PART = {
    "hw2-bt-loss": (("differences of a thousand",), '''
def bt_loss(scores, first, second, share):
    difference = scores[first] - scores[second]
    p = np.exp(difference) / (1 + np.exp(difference))
    loss = -(share * np.log(p) + (1 - share) * np.log(1 - p)).mean()
    gradient = np.zeros(len(scores))
    np.add.at(gradient, first, (p - share) / len(share))
    np.add.at(gradient, second, (share - p) / len(share))
    return loss, gradient
'''),
    "hw2-gae": (("nan at the padding",), '''
def gae(rewards, values, final_values, ended, mask, gamma, lam):
    rewards, values = rewards * mask, values * mask
    advantages = np.zeros(rewards.shape)
    for n in range(len(rewards)):
        length, later = mask[n].sum(), 0.0
        for t in range(rewards.shape[1] - 1, -1, -1):
            after = values[n, t + 1] if t + 1 < rewards.shape[1] else 0.0
            if t == length - 1:
                after, later = after + (0.0 if ended[n] else final_values[n]), later * 0.0
            later = (rewards[n, t] + gamma * after - values[n, t]) + gamma * lam * later
            advantages[n, t] = later
    return advantages * mask, (advantages + values) * mask
'''),
    "hw2-shaped-rewards": (("cut answers and nan",), '''
def shaped_rewards(scores, human_scores, ended, logprobs, ref_logprobs, mask, beta, cut_reward):
    if np.isnan(logprobs).any():
        raise ValueError(f"there is nan in {logprobs}")
    shaped = -beta * (logprobs - ref_logprobs) * mask
    last = mask.sum(axis=-1) - 1
    for n, k in np.ndindex(scores.shape):
        shaped[n, k, last[n, k]] += scores[n, k] - human_scores[n]
    return shaped
'''),
    "hw2-dpo-loss": (("smoothing", "margins of a thousand"), '''
def dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    margin = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
    p = 1 / (1 + np.exp(-margin))
    return -np.log(p).mean(), beta * (p - 1) / len(p), beta * (1 - p) / len(p)
'''),
}  # fmt: skip
