// The formulas of a softmax policy, each the twin of the function of rlhw.policy_gradient with the same name.

export function softmax(logits) {
  const highest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - highest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

export function score(logits, action) {
  return softmax(logits).map((probability, arm) => (arm === action ? 1 : 0) - probability);
}

export function weightedScores(logits, actions, weights) {
  const scores = logits.map((_, action) => score(logits, action));
  return actions.map((action, sample) => scores[action].map((entry) => weights[sample] * entry));
}
