// Importance weights of episodes in which every step is the same choice: exact laws and variances, and estimates from
// episodes. Policies are lists of probabilities, one an action; `behavior` took the actions, `target` is asked about.

export function countLaw(probability, horizon) {
  let ways = 1; // horizon over k
  return Array.from({ length: horizon + 1 }, (_, k) => {
    if (k > 0) ways *= (horizon - k + 1) / k;
    return ways * probability ** k * (1 - probability) ** (horizon - k);
  });
}

// The weight of an episode that took action 1 k times, k from 0 to T; what never happens weighs nothing.
export function weightsByCount(target, behavior, horizon) {
  const [first, second] = target.map((chance, action) => (behavior[action] > 0 ? chance / behavior[action] : 0));
  return Array.from({ length: horizon + 1 }, (_, k) => first ** k * second ** (horizon - k));
}

// E[ρ²], and the law q in proportion to π²/μ.
function tilt(target, behavior) {
  const squares = target.map((chance, action) => (chance > 0 ? chance ** 2 / behavior[action] : 0));
  const moment = cumulativeSum(squares).at(-1);
  return [moment, squares.map((square) => square / moment)];
}

// E[(r₁ + … + r_T)²] of independent steps.
function squareOfSum(law, rewards, horizon) {
  const middle = dot(law, rewards);
  return horizon * dot(law, rewards.map((reward) => (reward - middle) ** 2)) + (horizon * middle) ** 2;
}

export function weightVariance(target, behavior, horizon) {
  return tilt(target, behavior)[0] ** horizon - 1;
}

export function ordinaryVariance(target, behavior, rewards, horizon) {
  const [moment, law] = tilt(target, behavior);
  return moment ** horizon * squareOfSum(law, rewards, horizon) - (horizon * dot(target, rewards)) ** 2;
}

// For many episodes, and of one.
export function weightedVariance(target, behavior, rewards, horizon) {
  const [[moment, law], middle] = [tilt(target, behavior), dot(target, rewards)];
  return moment ** horizon * squareOfSum(law, rewards.map((reward) => reward - middle), horizon);
}

export function perDecisionVariance(target, behavior, rewards, horizon) {
  const [[moment, law], value] = [tilt(target, behavior), dot(target, rewards)];
  const [first, second] = [dot(law, rewards), dot(law, rewards.map((reward) => reward ** 2))];
  const squares = Array.from({ length: horizon }, (_, t) =>
    moment ** (t + 1) * (second + 2 * (horizon - t - 1) * first * value));
  return cumulativeSum(squares).at(-1) - (horizon * value) ** 2;
}

// The weight after every step of every episode, from the probabilities of the actions taken.
export function importanceWeights(target, behavior) {
  return target.map((row, episode) => {
    let weight = 1;
    return row.map((chance, t) => (weight *= chance / behavior[episode][t]));
  });
}

function total(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

export function ordinaryEstimates(weights, rewards) {
  return weights.map((row, episode) => row.at(-1) * total(rewards[episode]));
}

export function perDecisionEstimates(weights, rewards) {
  return weights.map((row, episode) => dot(row, rewards[episode]));
}

// 0/0 where no weight is above zero: there is no such estimate.
export function weightedEstimate(weights, rewards) {
  return total(ordinaryEstimates(weights, rewards)) / total(weights.map((row) => row.at(-1)));
}
