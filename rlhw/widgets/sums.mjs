// Sums that several widgets take, each the twin of numpy's function.

export function dot(first, second) {
  return first.reduce((sum, entry, i) => sum + entry * second[i], 0);
}

export function cumulativeSum(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}

export function mean(values) {
  return cumulativeSum(values).at(-1) / values.length;
}
