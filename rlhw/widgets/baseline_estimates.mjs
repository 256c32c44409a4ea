// REINFORCE on a bandit with sure rewards: one-sample estimates with and without a baseline, their means and variances.

export function variance(values) {
  const middle = mean(values);
  return mean(values.map((value) => (value - middle) ** 2));
}

export function exactGradient(logits, rewards) {
  const probabilities = softmax(logits);
  const value = dot(probabilities, rewards);
  return probabilities.map((probability, arm) => probability * (rewards[arm] - value));
}

export function sampleActions(logits, uniforms) {
  const distribution = cumulativeSum(softmax(logits));
  return uniforms.map((uniform) => {
    const arm = distribution.findIndex((sum) => uniform < sum);
    return arm < 0 ? logits.length - 1 : arm; // rounding can leave the last sum a hair under 1
  });
}

export function reinforceEstimates(logits, rewards, actions, baseline) {
  return weightedScores(logits, actions, actions.map((action) => rewards[action] - baseline));
}

export function squaredScoreNorms(logits) {
  return logits.map((_, action) => dot(score(logits, action), score(logits, action)));
}

export function gradientVariance(logits, rewards, baseline) {
  const norms = squaredScoreNorms(logits);
  const squares = rewards.map((reward, arm) => (reward - baseline) ** 2 * norms[arm]);
  const gradient = exactGradient(logits, rewards);
  return dot(softmax(logits), squares) - dot(gradient, gradient);
}

export function optimalBaseline(logits, rewards) {
  const norms = squaredScoreNorms(logits);
  const weights = softmax(logits).map((probability, arm) => probability * norms[arm]);
  return dot(weights, rewards) / cumulativeSum(weights).at(-1);
}

// Everything the pictures show, from the options; `none` and `with` are the two estimators.
function results(model) {
  const [logits, rewards, baseline, n] = ["logits", "rewards", "baseline", "samples"].map((name) => model.get(name));
  const actions = sampleActions(logits, model.get("uniforms").slice(0, n));
  const estimator = (b) => {
    const rows = reinforceEstimates(logits, rewards, actions, b);
    const first = rows.map((row) => row[0]);
    const measured = cumulativeSum(logits.map((_, arm) => variance(rows.map((row) => row[arm])))).at(-1);
    const running = cumulativeSum(first).map((sum, i) => sum / (i + 1));
    return { b, first, running, measured, mean: mean(first), exact: gradientVariance(logits, rewards, b) };
  };
  const [value, best] = [dot(softmax(logits), rewards), optimalBaseline(logits, rewards)];
  const [least, atValue] = [best, value].map((b) => gradientVariance(logits, rewards, b));
  const gradient = exactGradient(logits, rewards)[0];
  return { logits, rewards, n, none: estimator(0), with: estimator(baseline), value, atValue, best, least, gradient };
}

function drawEstimates(model, image, width, height) {
  const { none, with: other, gradient, n } = results(model);
  const all = [...none.first, ...other.first, gradient];
  const margin = 0.1 * (Math.max(...all) - Math.min(...all)) || 0.5;
  const range = [Math.min(...all) - margin, Math.max(...all) + margin];
  const axes = [[[0, n], "sample"], [range, "estimate of ∂J/∂z₁ (units of reward)"]];
  const { x, y, inside } = plot(image, width, height, ...axes);
  const marks = (values) => values.map((value, i) => [x(i + 1), y(value)]);
  inside.append(dots("rlhw-squares rlhw-second", marks(none.first)));
  inside.append(dots("rlhw-dots rlhw-first", marks(other.first)));
  inside.append(line("rlhw-exact", [[x(0), y(gradient)], [x(n), y(gradient)]]));
  const ends = (values) => `between ${show(Math.min(...values))} and ${show(Math.max(...values))}`;
  return `${n} one-sample estimates of the gradient for arm 1. Without a baseline they lie ${ends(none.first)}, ` +
    `with it ${ends(other.first)}.`;
}

function drawMeans(model, image, width, height) {
  const { none, with: other, gradient, n } = results(model);
  const half = 5 * Math.sqrt(Math.max(none.exact, other.exact, 1e-6) / n); // five standard errors of the larger one
  const range = [gradient - half, gradient + half];
  const axes = [[[0, n], "samples n"], [range, "mean of the first n (units of reward)"]];
  const { x, y, inside } = plot(image, width, height, ...axes);
  inside.append(line("rlhw-exact", [[x(0), y(gradient)], [x(n), y(gradient)]]));
  for (const [kind, { running }] of [["rlhw-second", none], ["rlhw-first", other]]) {
    inside.append(line(`rlhw-line ${kind}`, running.map((value, i) => [x(i + 1), y(value)])));
  }
  return `Running means for arm 1 after ${n} samples: ${show(none.mean)} without and ${show(other.mean)} with the ` +
    `baseline; exact gradient ${show(gradient)}.`;
}

// Each marker has a row of its own, from left down to right, so that no label meets another marker's line. Near the
// right edge labels turn to the left, from right down to left.
function flags(inside, x, y, right, marks) {
  const turns = ({ at, text }) => x(at) > right - 6.6 * text.length - 2;
  const order = [
    ...marks.filter((mark) => !turns(mark)).sort((one, two) => one.at - two.at),
    ...marks.filter(turns).sort((one, two) => two.at - one.at),
  ];
  order.forEach((mark, row) => {
    const { kind, at, height, text } = mark;
    const [place, level] = [x(at), FRAME.top + 12 + 15 * row];
    const [shift, anchor] = turns(mark) ? [-5, "end"] : [5, "start"];
    inside.append(
      svg("line", { class: `rlhw-flag ${kind}`, x1: place, x2: place, y1: level - 10, y2: y(height) }),
      svg("text", { class: "rlhw-halo", x: place + shift, y: level, "text-anchor": anchor }, text),
    );
  });
}

function drawVariance(model, image, width, height) {
  const { logits, rewards, none, with: other, value, atValue, best, least } = results(model);
  const { min, max } = model.get("_ranges").baseline;
  const exact = (b) => gradientVariance(logits, rewards, b);
  const highest = Math.max(none.exact, other.exact, none.measured, other.measured, atValue, 1e-3);
  const top = 1.9 * highest; // the upper half is for the labels
  const axes = [[[min, max], "baseline b (units of reward)"], [[0, top], "total variance (units of reward²)"]];
  const { x, y, inside } = plot(image, width, height, ...axes);
  inside.append(line("rlhw-curve", grid([min, max]).map((b) => [x(b), y(exact(b))])));
  flags(inside, x, y, width - FRAME.right, [
    { kind: "rlhw-second", at: 0, height: none.exact, text: "none" },
    { kind: "rlhw-exact", at: value, height: atValue, text: `V = ${show(value)}` },
    { kind: "rlhw-third", at: best, height: least, text: `b* = ${show(best)}` },
    { kind: "rlhw-first", at: other.b, height: other.exact, text: `b = ${show(other.b)}` },
  ]);
  for (const [kind, one] of [["rlhw-second", none], ["rlhw-first", other]]) {
    inside.append(
      svg("circle", { class: `rlhw-measured ${kind}`, cx: x(one.b), cy: y(one.measured), r: 6 }),
      svg("circle", { class: `rlhw-point ${kind}`, cx: x(one.b), cy: y(one.exact), r: 4 }),
    );
  }
  return `Total variance of one estimate against the baseline: a parabola, ${show(none.exact)} at 0, ` +
    `${show(atValue)} at V = ${show(value)}, ${show(other.exact)} at your b = ${show(other.b)}, ` +
    `least at b* = ${show(best)} with ${show(least)}.`;
}

function rows(model) {
  const { none, with: other, gradient, value, atValue, best, least } = results(model);
  return [
    ["no baseline", show(none.mean, 3), show(none.measured, 3), show(none.exact, 3)],
    [`baseline b = ${show(other.b)}`, show(other.mean, 3), show(other.measured, 3), show(other.exact, 3)],
    [`mean reward V = ${show(value)}`, "", "", show(atValue, 3)],
    [`best baseline b* = ${show(best)}`, "", "", show(least, 3)],
    ["exact gradient", show(gradient, 3), "", ""],
  ];
}

function sentence(model) {
  const { n, none, with: other, gradient, value, atValue, best, least } = results(model);
  const [before, now] = [show(none.exact, 3), show(other.exact, 3)];
  const change = before === now ? `leaves the variance of one estimate at ${now}`
    : `${other.exact < none.exact ? "lowers" : "raises"} the variance of one estimate from ${before} to ${now}`;
  return `After ${n} samples the mean estimate for arm 1 is ${show(none.mean)} without a baseline and ` +
    `${show(other.mean)} with b = ${show(other.b)}; both approach the exact gradient, ${show(gradient)}. ` +
    `The baseline ${change}. The least possible is ${show(least, 3)}, at b* = ${show(best)}; ` +
    `V = ${show(value)} has ${show(atValue, 3)}.`;
}

const KEY = [["rlhw-second rlhw-square", "no baseline"], ["rlhw-first rlhw-round", "with b"], ["rlhw-exact", "exact"]];
const CURVE_KEY = [["rlhw-curve", "exact"], ["rlhw-ring", "measured in the samples"]];

function pictures(view) {
  const draw = (drawing, height) => (image, width) => drawing(view.model, image, width, height);
  return html("div", { class: "rlhw-pictures" },
    html("div", {},
      picture(view, ["One estimate a sample, arm 1"], KEY, 190, draw(drawEstimates, 190)),
      picture(view, ["Running mean"], KEY, 230, draw(drawMeans, 230))),
    picture(view, ["Variance against the baseline"], CURVE_KEY, 470, draw(drawVariance, 470)));
}

function controls(view) {
  const put = (text, choose) => button(text, () => write(view.model, "baseline", choose(results(view.model))));
  const buttons = [put("b = 0", () => 0), put("b = V", ({ value }) => value), put("b = b*", ({ best }) => best)];
  return html("div", { class: "rlhw-controls" }, slider(view, "baseline"), slider(view, "samples"),
    html("div", { class: "rlhw-row" }, ...buttons));
}

export default {
  render({ model, el }) {
    const names = ["logits", "rewards", "baseline", "samples", "uniforms"];
    const view = open(model, el, "REINFORCE with and without a baseline", names);
    const arms = model.get("logits").map((_, arm) => arm);
    const each = (name) => html("div", { class: "rlhw-controls" }, ...arms.map((arm) => slider(view, name, arm)));
    const head = ["estimator", "mean", "variance, measured", "variance, exact"];
    el.append(
      controls(view),
      html("details", {}, html("summary", {}, "Change the bandit"), each("logits"), each("rewards")),
      pictures(view),
      table(view, "Estimates for arm 1 and total variance of one estimate", head, () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
