// Generalised advantage estimation at the first token of an episode, in its two forms: an average of n-step estimates,
// and a sum of TD errors. After the last token the value is 0.

// Of n = 1 to T: the first n rewards, then the critic's word on the rest, less the value at the start.
export function nStepEstimates(rewards, values, gamma) {
  const discounted = cumulativeSum(rewards.map((reward, l) => gamma ** l * reward));
  return discounted.map((sum, i) => sum + gamma ** (i + 1) * (values[i + 1] ?? 0) - values[0]);
}

// (1 - λ)λ^(n-1), and for the last n the rest: λ^(T-1).
export function nStepWeights(lam, count) {
  return Array.from({ length: count }, (_, i) => (i + 1 < count ? 1 - lam : 1) * lam ** i);
}

export function tdErrors(rewards, values, gamma) {
  return rewards.map((reward, t) => reward + gamma * (values[t + 1] ?? 0) - values[t]);
}

export function tdWeights(gamma, lam, count) {
  return Array.from({ length: count }, (_, l) => (gamma * lam) ** l);
}

export function firstAdvantage(rewards, values, gamma, lam) {
  return dot(nStepWeights(lam, rewards.length), nStepEstimates(rewards, values, gamma));
}

const [BARS, ESTIMATES] = [200, 424]; // heights of the pictures
const OPTIONS = ["gamma", "lam", "steps", "score", "rewards", "values"];

function episode(model) {
  const [gamma, lam, steps, score, rewards, values] = OPTIONS.map((name) => model.get(name));
  const earned = rewards.slice(0, steps).map((reward, t) => reward + (t + 1 === steps ? score : 0));
  const given = values.slice(0, steps);
  const weights = nStepWeights(lam, steps);
  const estimates = nStepEstimates(earned, given, gamma);
  const [errors, traces] = [tdErrors(earned, given, gamma), tdWeights(gamma, lam, steps)];
  const ahead = dot(weights, weights.map((_, i) => i + 1)); // the mean n
  const advantage = firstAdvantage(earned, given, gamma, lam);
  return { gamma, lam, steps, score, weights, estimates, errors, traces, ahead, advantage };
}

function bars(image, width, kind, values) {
  const heads = values.map((_, i) => [`${i + 1}`]);
  columns(image, width, BARS, [[0, 1.15], "weight"], heads, [{ values, kind, print: (value) => show(value) }]);
}

function listed(values, print = show) {
  return values.map((value) => print(value)).join(", ");
}

function drawWeights(model, image, width) {
  const { weights, steps } = episode(model);
  bars(image, width, "rlhw-first", weights);
  return `Weights of the n-step estimates, n from 1 to ${steps}: ${listed(weights)}. They sum to 1.`;
}

function drawTraces(model, image, width) {
  const { traces, steps } = episode(model);
  bars(image, width, "rlhw-third", traces);
  return `Weights of the TD errors of tokens 1 to ${steps}: ${listed(traces)}.`;
}

// Each estimate at its n, larger where it counts more; the average of all is a line.
function drawEstimates(model, image, width) {
  const { weights, estimates, advantage, steps } = episode(model);
  const [least, most] = [Math.min(0, ...estimates), Math.max(0, ...estimates)];
  const margin = 0.12 * (most - least) || 0.5;
  const end = Math.max(steps, 4) + 0.6;
  const axes = [[[0, end], "n, the rewards that are counted"], [[least - margin, most + margin], "advantage"]];
  const { x, y, inside } = plot(image, width, ESTIMATES, ...axes);
  inside.append(
    line("rlhw-exact", [[x(0), y(advantage)], [x(end), y(advantage)]]),
    svg("text", { class: "rlhw-halo rlhw-strong", x: x(0) + 4, y: y(advantage) - 6 }, `GAE ${signed(advantage)}`),
  );
  estimates.forEach((estimate, i) => {
    const place = { cx: x(i + 1), cy: y(estimate) };
    inside.append(
      svg("circle", { class: "rlhw-point rlhw-first", ...place, r: 3 + 12 * Math.sqrt(weights[i]) }),
      svg("circle", { class: "rlhw-ghost", ...place, r: 3 }),
    );
  });
  return `The n-step estimates, n from 1 to ${steps}: ${listed(estimates, signed)}. ` +
    `Their weighted average, GAE, is ${signed(advantage)}.`;
}

function rows(model) {
  const { weights, estimates, errors, traces, advantage } = episode(model);
  const each = weights.map((weight, i) =>
    [`${i + 1}`, show(weight, 3), signed(estimates[i], 3), show(traces[i], 3), signed(errors[i], 3)]);
  const total = cumulativeSum(weights).at(-1);
  return [...each, ["all", show(total, 3), signed(advantage, 3), "", signed(dot(traces, errors), 3)]];
}

function sentence(model) {
  const { gamma, lam, steps, weights, ahead, advantage } = episode(model);
  const result = `The advantage of the first token is ${signed(advantage, 3)}: the average of the ${steps} n-step ` +
    "estimates, and the sum of the weighted TD errors as well.";
  if (steps === 1) return `With one token there is one estimate, and λ changes nothing. ${result}`;
  const far = lam === 0 ? "With λ = 0 only the first TD error counts: one reward, and the critic for all that follows."
    : lam === 1 ? "With λ = 1 only the last estimate counts: all rewards of the episode, and of the critic the value " +
      "at the start alone."
    : `With λ = ${show(lam)} the weights fall from ${show(weights[0])} by the factor λ, and the last, ` +
      `${show(weights.at(-1))}, takes the rest; on average ${show(ahead, 1)} rewards are counted.`;
  const discount = gamma === 1 ? "γ = 1: later rewards count in full."
    : `γ = ${show(gamma)} is in the estimates and in the TD errors' weights, not in the weights of the average.`;
  return `${far} ${result} ${discount}`;
}

// The sliders of a list; those of tokens after the last one are hidden.
function each(view, name) {
  const sliders = view.model.get(name).map((_, i) => numbered(view, name, i));
  view.follow(() => sliders.forEach((node, i) => { node.hidden = i >= view.model.get("steps"); }));
  return html("div", { class: "rlhw-controls" }, ...sliders);
}

const KEY = [["rlhw-first rlhw-round", "an estimate, larger where it counts more"], ["rlhw-exact", "their average"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "How far ahead does GAE look?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const head = ["n", "weight", "estimate", "(γλ)ⁿ⁻¹", "δₙ"];
    el.append(
      html("div", { class: "rlhw-controls" }, ...["gamma", "lam", "steps"].map((name) => slider(view, name))),
      html("details", {}, html("summary", {}, "Change the episode"),
        html("div", { class: "rlhw-controls" }, slider(view, "score")), each(view, "rewards"), each(view, "values")),
      html("div", { class: "rlhw-pictures" },
        html("div", {},
          picture(view, ["How much the n-step estimate counts, by n"], [], BARS, draw(drawWeights)),
          picture(view, ["How much token n's TD error counts: (γλ)ⁿ⁻¹"], [], BARS, draw(drawTraces))),
        picture(view, ["What the n-step estimates say"], KEY, ESTIMATES, draw(drawEstimates))),
      table(view, "The first token's advantage in two ways: n-step estimates, averaged, and TD errors δₙ, summed", head,
        () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
