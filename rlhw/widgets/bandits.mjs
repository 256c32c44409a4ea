// Rules on a bandit with arms that pay 0 or 1: what they pull, what it costs, and the line of Lai and Robbins.

// Probabilities of the arms: ε/A for each, and 1 - ε shared equally by those with the greatest value.
export function explore(values, epsilon) {
  const greatest = Math.max(...values);
  const best = values.map((value) => (value === greatest ? 1 : 0));
  const ties = best.reduce((sum, one) => sum + one, 0);
  return best.map((one) => epsilon / values.length + ((1 - epsilon) * one) / ties);
}

// An arm that was never pulled has no bound. With c = 0 the others keep their estimates.
export function upperBounds(estimates, counts, c) {
  const t = Math.max(counts.reduce((sum, count) => sum + count, 0), 1);
  return estimates.map((estimate, arm) =>
    (counts[arm] > 0 ? estimate + c * Math.sqrt(Math.log(t) / counts[arm]) : Number.POSITIVE_INFINITY));
}

export function gaps(means) {
  const best = Math.max(...means);
  return means.map((mean) => best - mean);
}

export function regret(means, actions) {
  const costs = gaps(means);
  return cumulativeSum(actions.map((arm) => costs[arm]));
}

// What happens to a rule with these ε and c: two numbers a pull, one for the arm and one for what it pays.
export function play(means, epsilon, c, pulls, seed) {
  const draws = uniformNumbers(seed, 2 * pulls);
  const [totals, counts] = [means.map(() => 0), means.map(() => 0)];
  const [actions, rewards] = [[], []];
  for (let t = 0; t < pulls; t++) {
    const estimates = totals.map((total, arm) => total / Math.max(counts[arm], 1));
    const sums = cumulativeSum(explore(upperBounds(estimates, counts, c), epsilon));
    const arm = sums.findIndex((sum) => draws[2 * t] < sum / sums.at(-1));
    actions.push(arm);
    rewards.push(draws[2 * t + 1] < means[arm] ? 1 : 0);
    totals[arm] += rewards[t];
    counts[arm] += 1;
  }
  return { actions, rewards, regret: regret(means, actions) };
}

// KL(p‖q) of arms that pay 1 with probability p and q, in nats, for each p.
export function bernoulliKL(ps, q) {
  return ps.map((p) => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q)));
}

// The constant C = Σ gap/KL over the arms that are not best.
export function laiRobbins(costs, divergences) {
  return dot(costs, divergences.map((kl, arm) => (costs[arm] > 0 ? 1 / kl : 0)));
}

export function growth(constant, pulls) {
  return pulls.map((t) => constant * Math.log(t));
}
