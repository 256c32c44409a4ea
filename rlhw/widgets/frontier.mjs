// Policies over a handful of answers: π*(y) = π_ref(y) exp(r(y)/β)/Z, how far it is from π_ref, and the frontier of all β.

// Probabilities in proportion to the weights.
export function shares(weights) {
  const total = cumulativeSum(weights).at(-1);
  return weights.map((weight) => weight / total);
}

export function tilted(reference, rewards, beta) {
  const highest = Math.max(...rewards.filter((_, answer) => reference[answer] > 0));
  const heights = reference.map((p, answer) => (p > 0 ? p * Math.exp((rewards[answer] - highest) / beta) : 0));
  return shares(heights);
}

// KL(first ‖ second) in nats, infinite where the second lacks what the first has.
export function relativeEntropy(first, second) {
  return cumulativeSum(first.map((p, answer) => (p > 0 ? p * Math.log(p / second[answer]) : 0))).at(-1);
}

// [KL to the reference, reward] of π* at each β: no policy earns more at so much KL.
export function frontier(reference, rewards, betas) {
  const policies = betas.map((beta) => tilted(reference, rewards, beta));
  return [policies.map((policy) => relativeEntropy(policy, reference)), policies.map((policy) => dot(policy, rewards))];
}
