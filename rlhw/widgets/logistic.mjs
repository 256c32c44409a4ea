// The logistic function and the loss that is made of it. Neither overflows: exp is taken of negative numbers only.

export function sigmoid(value) {
  const small = Math.exp(-Math.abs(value));
  return (value < 0 ? small : 1) / (1 + small);
}

// -log σ(chosen - rejected) of each pair: log(1 + e^-m), written so that a large margin m of either sign keeps its
// digits.
export function bradleyTerryLoss(chosen, rejected) {
  return chosen.map((score, i) => {
    const margin = score - rejected[i];
    return Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
  });
}
