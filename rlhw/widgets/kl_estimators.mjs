// Estimators of KL(p‖q) from samples of p: their values, exact means and deviations by enumeration, and a sample's means.

export function logs(probabilities) {
  return probabilities.map((probability) => Math.log(probability));
}

// From log p and log q of what p sampled. With the two changed for each other "k3" is the one upside down.
export function klEstimate(logprobs, refLogprobs, kind) {
  const value = {
    k1: (ratio) => ratio,
    k2: (ratio) => ratio ** 2 / 2,
    k3: (ratio) => Math.expm1(-ratio) + ratio,
  }[kind];
  return logprobs.map((logprob, i) => value(logprob - refLogprobs[i]));
}

export function divergence(p, q) {
  return dot(p, p.map((chance, i) => Math.log(chance / q[i])));
}

export function chiSquare(p, q) {
  return cumulativeSum(p.map((chance, i) => (chance - q[i]) ** 2 / q[i])).at(-1);
}

// The standard deviation of one draw's value.
export function deviation(values, p) {
  const middle = dot(p, values);
  return Math.sqrt(dot(p, values.map((value) => (value - middle) ** 2)));
}

export function drawOutcomes(p, uniforms) {
  const distribution = cumulativeSum(p);
  return uniforms.map((uniform) => {
    const outcome = distribution.findIndex((sum) => uniform < sum);
    return outcome < 0 ? p.length - 1 : outcome; // rounding can leave the last sum a hair under 1
  });
}

const [LAWS, VALUES, MEANS] = [170, 260, 440]; // heights of the pictures
const OPTIONS = ["p", "q", "upside_down", "samples"];
const SERIES = ["rlhw-first", "rlhw-second", "rlhw-third"];
const [K1, K2, K3, FLIPPED] = ["k₁", "k₂", "k₃", "k₃ upside down"];

function estimators(model) {
  const [p, q] = ["p", "q"].map((name) => {
    const weights = model.get(name);
    const whole = cumulativeSum(weights).at(-1);
    return weights.map((weight) => weight / whole);
  });
  const [logP, logQ, flipped, n] = [logs(p), logs(q), model.get("upside_down"), model.get("samples")];
  const drawn = drawOutcomes(p, model.get("uniforms").slice(0, n));
  const estimator = (name, values) => {
    const running = cumulativeSum(drawn.map((outcome) => values[outcome])).map((sum, i) => sum / (i + 1));
    return { name, values, mean: dot(p, values), scatter: deviation(values, p), running, sampled: running.at(-1) };
  };
  const third = flipped ? [FLIPPED, klEstimate(logQ, logP, "k3")] : [K3, klEstimate(logP, logQ, "k3")];
  const first = ["k1", "k2"].map((kind, i) => [[K1, K2][i], klEstimate(logP, logQ, kind)]);
  const all = [...first, third].map((one) => estimator(...one));
  return { p, q, n, flipped, all, kl: divergence(p, q), chi: chiSquare(p, q) };
}

// Groups of bars, one group an outcome, each bar with its number; `series` is [kind, values].
function bars(image, width, height, range, name, series) {
  const [left, right, top, bottom] = [FRAME.left, width - FRAME.right, FRAME.top, height - 26];
  const y = scale(range, [bottom, top]);
  verticalAxis(image, y, range, left, right, name);
  const group = (right - left) / 3;
  const thick = Math.min(46, (group - 16) / series.length);
  ARMS.forEach((arm, outcome) => {
    const middle = left + group * (outcome + 0.5);
    image.append(svg("text", { x: middle, y: bottom + 18, "text-anchor": "middle" }, `y${arm}`));
    series.forEach(([kind, values], place) => {
      const [value, x] = [values[outcome], middle + thick * (place - series.length / 2)];
      const [upper, lower] = [y(Math.max(value, 0)), y(Math.min(value, 0))];
      image.append(
        svg("rect", { class: `rlhw-bar ${kind}`, x: x + 1, y: upper, width: thick - 2, height: lower - upper }),
        svg("text", {
          class: "rlhw-small rlhw-halo", x: x + thick / 2, y: value < 0 ? lower + 13 : upper - 4, "text-anchor": "middle",
        }, show(value, thick < 28 ? 1 : 2)),
      );
    });
  });
}

function drawLaws(model, image, width) {
  const { p, q } = estimators(model);
  bars(image, width, LAWS, [0, 1.12], "probability", [["rlhw-first", p], ["rlhw-second", q]]);
  const law = (values) => values.map((value) => show(value)).join(", ");
  return `Two laws over three outcomes: p is ${law(p)}, q is ${law(q)}.`;
}

function drawValues(model, image, width) {
  const { all } = estimators(model);
  const values = all.flatMap((one) => one.values);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const pad = high - low > 1e-9 ? 0.14 * (high - low) : 0.5; // equal laws: all zero, but for rounding
  const range = [low < 0 ? low - pad : low, high + pad];
  const series = all.map((one, i) => [SERIES[i], one.values]);
  bars(image, width, VALUES, range, "value of the estimator (nats)", series);
  const each = all.map((one) => `${one.name} ${one.values.map((value) => show(value)).join(", ")}`);
  return `What each estimator says at y₁, y₂, y₃: ${each.join("; ")}.`;
}

function drawMeans(model, image, width) {
  const { all, kl, n } = estimators(model);
  const half = 4 * Math.max(...all.map((one) => one.scatter), 0.02) / Math.sqrt(n); // four standard errors
  const means = all.map((one) => one.mean);
  const range = [Math.min(kl, ...means) - half, Math.max(kl, ...means) + half];
  const axes = [[[0, 1.06 * n], "samples"], [range, "mean of the first samples (nats)"]];
  const { x, y, inside } = plot(image, width, MEANS, ...axes);
  all.forEach((one, i) => inside.append(
    line(`rlhw-line ${SERIES[i]}`, one.running.map((value, t) => [x(t + 1), y(value)])),
    svg("circle", { class: `rlhw-measured ${SERIES[i]}`, cx: x(n), cy: y(one.mean), r: 5 }),
  ));
  inside.append(line("rlhw-exact", [[x(0), y(kl)], [x(n), y(kl)]]));
  const each = all.map((one) => `${one.name} ${show(one.sampled, 3)}, exactly ${show(one.mean, 3)}`);
  return `Running means over ${n} samples of p: ${each.join("; ")}. The KL is ${show(kl, 3)} nats.`;
}

function rows(model) {
  const { all, kl } = estimators(model);
  return [
    ...all.map((one) => [one.name, show(one.mean, 3), signed(one.mean - kl, 3), show(one.scatter, 3),
      show(one.sampled, 3)]),
    ["KL(p‖q)", show(kl, 3), "", "", ""],
  ];
}

function sentence(model) {
  const { all, kl, chi, n, flipped } = estimators(model);
  const [, second, third] = all;
  const unbiased = flipped ? `k₁ has exactly this mean, and so would k₃ with the ratio the right way up; upside down it has ` +
    `the mean χ² − KL = ${show(chi, 3)} − ${show(kl, 3)} = ${show(third.mean, 3)}.` : "k₁ and k₃ have exactly this mean.";
  const scatter = all.map((one) => `${show(one.scatter, 3)} (${one.name})`).join(", ");
  return `KL(p‖q) is ${show(kl, 3)} nats. ${unbiased} k₂ has the mean ${show(second.mean, 3)}, off by ` +
    `${signed(second.mean - kl, 3)}. One sample scatters by ${scatter}; the mean of ${n} samples ` +
    `by √${n} = ${show(Math.sqrt(n), 1)} times less.`;
}

const LAW_KEY = [["rlhw-first", "p, which is sampled"], ["rlhw-second", "q, the reference"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "k₁, k₂, k₃: which has the KL as its mean, and which scatters least?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const key = SERIES.map((series, i) => [series, [K1, K2, K3][i]]);
    const weights = (name) => html("div", { class: "rlhw-controls" }, ...ARMS.map((_, arm) => slider(view, name, arm)));
    const values = picture(view, ["At each outcome"], key, VALUES, draw(drawValues));
    const means = picture(view, ["Running means of the samples"], [...key, ["rlhw-exact", "KL(p‖q)"],
      ["rlhw-ring", "exact mean"]], MEANS, draw(drawMeans));
    view.follow(() => [values, means].forEach((figure) => {
      figure.querySelector(".rlhw-third").textContent = model.get("upside_down") ? FLIPPED : K3;
    }));
    el.append(
      weights("p"), weights("q"),
      html("div", { class: "rlhw-row" }, toggle(view, "upside_down", "k₃ with its ratio upside down")),
      html("div", { class: "rlhw-controls" }, slider(view, "samples")),
      html("div", { class: "rlhw-pictures" },
        html("div", {}, picture(view, ["The two laws"], LAW_KEY, LAWS, draw(drawLaws)), values), means),
      table(view, "In nats: exact mean, its distance to the KL, standard deviation of one sample, mean of the samples",
        ["estimator", "mean", "off by", "sd", "sample"], () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
