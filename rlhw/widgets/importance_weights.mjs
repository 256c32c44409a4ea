// What is drawn of importance weights: their law, the episodes that count, and three estimates a hundred times.

const [LAW, COUNT, STRIPS] = [250, 230, 510]; // heights of the pictures
const OPTIONS = ["target", "behavior", "horizon", "episodes", "rewards", "seed"];
const SERIES = ["rlhw-second", "rlhw-first", "rlhw-third"];
const NAMES = ["ordinary", "weighted", "per decision"];
const [REPEATS, LONGEST] = [100, 30];

function raised(power) {
  return [...String(power)].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
}

// 2.50 or 110, and what is very small or large as a digit and a power of ten.
function brief(number) {
  if (number === 0) return "0";
  if (number >= 0.01 && number < 1000) return show(number, number < 10 ? 2 : 0);
  const [digit, power] = number.toExponential(0).split("e");
  return `${digit}·10${raised(Number(power))}`;
}

function percent(share) {
  return share > 0 && share < 0.005 ? "less than 1 %" : `${show(100 * share, 0)} %`;
}

function amount(number) {
  return number < 1e5 ? show(number) : brief(number);
}

// A hundred times n episodes of the behavior policy, and what each of the three estimates says.
let drawn = { key: "" };

function draws(pi, mu, horizon, episodes, rewards, seed) {
  const key = JSON.stringify([pi, mu, horizon, episodes, rewards, seed]);
  if (drawn.key === key) return drawn.estimates;
  const numbers = uniformNumbers(seed, REPEATS * episodes * horizon);
  const each = Array.from({ length: REPEATS }, (_, repeat) => {
    const actions = Array.from({ length: episodes }, (_, episode) => {
      const start = (repeat * episodes + episode) * horizon;
      return numbers.slice(start, start + horizon).map((number) => (number < mu[0] ? 0 : 1));
    });
    const of = (values) => actions.map((row) => row.map((action) => values[action]));
    const [weights, paid] = [importanceWeights(of(pi), of(mu)), of(rewards)];
    const averages = [ordinaryEstimates, perDecisionEstimates].map((estimates) => mean(estimates(weights, paid)));
    return [averages[0], weightedEstimate(weights, paid), averages[1]];
  });
  drawn = { key, estimates: NAMES.map((_, which) => each.map((row) => row[which]).filter(Number.isFinite)) };
  return drawn.estimates;
}

function problem(model) {
  const [first, other, horizon, episodes, rewards, seed] = OPTIONS.map((name) => model.get(name));
  const [pi, mu] = [[first, 1 - first], [other, 1 - other]];
  const lost = pi.findIndex((chance, action) => chance > 0 && mu[action] === 0); // the action without coverage, or -1
  const exact = lost >= 0 ? null : [ordinaryVariance, weightedVariance, perDecisionVariance].map((variance) =>
    Math.sqrt(Math.max(variance(pi, mu, rewards, horizon), 0) / episodes)); // rounding can leave less than 0
  const estimates = draws(pi, mu, horizon, episodes, rewards, seed).map((values) => ({
    values, middle: mean(values), scatter: Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2))),
  }));
  const counted = (t) => (lost < 0 ? episodes / (1 + weightVariance(pi, mu, t)) : 0);
  return {
    pi, mu, horizon, episodes, rewards, lost, exact, estimates, counted, value: horizon * dot(pi, rewards),
    chances: countLaw(other, horizon), weights: weightsByCount(pi, mu, horizon), kept: lost < 0 ? 1 : pi[1 - lost],
  };
}

// The share of episodes, and of the weights' mean, that have weights above 1, and the weight that half do not reach.
function shape({ chances, weights, horizon }) {
  const order = weights.map((_, k) => k).sort((one, two) => weights[one] - weights[two]);
  const sums = cumulativeSum(order.map((k) => chances[k]));
  const heavy = weights.map((weight) => (weight > 1 + 1e-9 ? 1 : 0));
  const carried = chances.map((chance, k) => chance * weights[k]);
  return {
    median: weights[order[Math.min(sums.findIndex((sum) => sum >= 0.5 - 1e-12), horizon)]],
    heavy: dot(chances, heavy), carried: dot(carried, heavy),
  };
}

function drawLaw(model, image, width) {
  const { chances, weights, horizon } = problem(model);
  const counts = chances.map((chance, k) => chance * weights[k]);
  const [left, right, top, bottom] = [FRAME.left, width - 22, FRAME.top, LAW - 44]; // the last weight may be a long word
  const range = [0, 1.08 * Math.max(...chances, ...counts)];
  const y = scale(range, [bottom, top]);
  verticalAxis(image, y, range, left, right, "probability");
  const wide = (right - left) / (horizon + 1);
  const thick = Math.min(26, 0.42 * wide);
  const every = Math.ceil((horizon + 1) / Math.floor((right - left) / 52));
  image.append(
    svg("text", { class: "rlhw-small rlhw-name", x: 2, y: bottom + 16 }, "action 1"),
    svg("text", { class: "rlhw-small rlhw-name", x: 2, y: bottom + 33 }, "weight"),
  );
  chances.forEach((chance, k) => {
    const middle = left + wide * (k + 0.5);
    [[chance, "rlhw-first", -thick], [counts[k], "rlhw-second", 0]].forEach(([value, kind, shift]) => {
      const place = { x: middle + shift, y: y(value), width: thick, height: y(0) - y(value) };
      image.append(svg("rect", { class: `rlhw-bar ${kind}`, ...place }));
    });
    if (k % every === 0) image.append(
      svg("text", { x: middle, y: bottom + 16, "text-anchor": "middle" }, `${k}×`),
      svg("text", { class: "rlhw-small", x: middle, y: bottom + 33, "text-anchor": "middle" }, brief(weights[k])),
    );
  });
  const far = chances.findIndex((chance) => chance === Math.max(...chances));
  const most = counts.findIndex((count) => count === Math.max(...counts));
  return `Episodes by how often action 1 was taken. The behavior policy makes most with ${far} of ${horizon}, weight ` +
    `${brief(weights[far])}; those with ${most}, weight ${brief(weights[most])}, count most.`;
}

function drawCount(model, image, width) {
  const { horizon, episodes, counted, lost } = problem(model);
  const axes = [[[0, LONGEST + 1], "steps T"], [[0, 1.08 * episodes], `of ${episodes} episodes count`]];
  const { x, y, inside } = plot(image, width, COUNT, ...axes);
  if (lost >= 0) {
    const words = [`μ never takes action ${lost + 1}:`, "no weight can help"];
    inside.append(...words.map((text, row) =>
      svg("text", { class: "rlhw-halo rlhw-strong", x: x(1), y: y(episodes / 2) + 17 * row }, text)));
    return `The behavior policy never takes action ${lost + 1}, so no count of episodes says how much they are worth.`;
  }
  const times = Array.from({ length: LONGEST + 1 }, (_, t) => t);
  inside.append(
    line("rlhw-curve", times.map((t) => [x(t), y(counted(t))])),
    svg("circle", { class: "rlhw-point rlhw-second", cx: x(horizon), cy: y(counted(horizon)), r: 5 }),
  );
  return `How many of ${episodes} episodes count, against their length: ${brief(counted(1))} at 1 step, ` +
    `${brief(counted(horizon))} at ${horizon}, ${brief(counted(LONGEST))} at ${LONGEST}.`;
}

// How far up or down a dot stands, so that near ones show: steps of the golden ratio, which spread evenly.
function apart(i) {
  return 60 * ((i * 0.618034) % 1) - 30;
}

// Estimates from a hundred times n episodes; those beyond the frame are counted at its edge.
function drawStrips(model, image, width) {
  const { exact, estimates, value, episodes, horizon, rewards } = problem(model);
  const [left, right, bottom] = [88, width - 44, STRIPS - 42];
  const most = horizon * Math.max(...rewards.map(Math.abs), 0.05); // no return is larger
  const off = estimates.slice(exact ? 1 : 0).flatMap((one) => one.values.map((estimate) => Math.abs(estimate - value)));
  const far = Math.min(Math.max(...off, 0.1 * most), 2 * most);
  const range = [value - 1.1 * far, value + 1.1 * far];
  const x = scale(range, [left, right]);
  horizontalAxis(image, x, range, bottom, "estimate of the value");
  image.append(line("rlhw-exact", [[x(value), 6], [x(value), bottom]]));
  const words = estimates.map(({ values, middle }, row) => {
    const height = (bottom * (row + 0.5)) / 3;
    const inside = values.filter((estimate) => estimate >= range[0] && estimate <= range[1]);
    const under = values.filter((estimate) => estimate < range[0]).length;
    const over = values.length - inside.length - under;
    image.append(
      svg("text", { x: 2, y: height + 4 }, NAMES[row]),
      dots(`rlhw-dots ${SERIES[row]}`, inside.map((estimate, i) => [x(estimate), height + apart(i)])),
    );
    const edge = { class: "rlhw-small rlhw-halo", y: height - 38 };
    if (under) image.append(svg("text", { ...edge, x: left }, `← ${under}`));
    if (over) image.append(svg("text", { ...edge, x: width - 2, "text-anchor": "end" }, `${over} →`));
    if (middle >= range[0] && middle <= range[1]) {
      image.append(svg("circle", { class: "rlhw-ghost", cx: x(middle), cy: height, r: 6 }));
    }
    const found = values.length ? `from ${amount(Math.min(...values))} to ${amount(Math.max(...values))}` : "none";
    return `${NAMES[row]} ${found}`;
  });
  return `${REPEATS} estimates, each from ${episodes} episodes, of the value ${show(value)}: ${words.join(", ")}.`;
}

function rows(model) {
  const { exact, estimates, value } = problem(model);
  const written = ({ values, middle, scatter }) => (values.length ? [amount(middle), amount(scatter)] : ["–", "–"]);
  return estimates.map((one, which) => {
    const about = which === 1 ? "≈ " : "";
    const known = exact ? [about + show(value), about + amount(exact[which])] : ["–", "–"];
    return [NAMES[which], ...known, ...written(one)];
  });
}

function sentence(model) {
  const all = problem(model);
  const { pi, mu, horizon, episodes, lost, exact, estimates, counted, value, kept } = all;
  const none = REPEATS - estimates[1].values.length;
  const missing = none === 0 ? ""
    : ` In ${none} of ${REPEATS} repetitions no weight is above 0, and there is no weighted estimate.`;
  if (lost >= 0) {
    return `Coverage is lost: the behavior policy never takes action ${lost + 1}, which the target takes with ` +
      `probability ${show(pi[lost])} at each step. What was never seen no weight can make up for. The mean weight is ` +
      `${show(kept)}${raised(horizon)} = ${brief(kept ** horizon)} instead of 1, no estimate can be trusted to come ` +
      `near the value ${show(value)}, and nothing in the data shows it: the weights do not even scatter.${missing}`;
  }
  if (Math.abs(pi[0] - mu[0]) < 1e-9) {
    return `The policies agree: every weight is 1, all ${episodes} episodes count, and the three estimates are the ` +
      `same, the plain mean of the returns.`;
  }
  const [variance, moment] = [weightVariance(pi, mu, horizon), 1 + weightVariance(pi, mu, 1)];
  const { median, heavy, carried } = shape(all);
  return `The weight of ${horizon} steps has the mean 1 and the variance ${show(moment, 3)}${raised(horizon)} − 1 = ` +
    `${brief(variance)}: of ${episodes} episodes about ${brief(counted(horizon))} count. Half of them weigh ` +
    `at most ${brief(median)}; the ${percent(heavy)} that weigh more than 1 carry ${percent(carried)} of the mean. ` +
    `The value is ${show(value)}, and one estimate scatters by ${amount(exact[0])} (ordinary), about ` +
    `${amount(exact[1])} (weighted, for many episodes) and ${amount(exact[2])} (per decision).${missing}`;
}

const LAW_KEY = [["rlhw-first", "under μ, which acts"], ["rlhw-second", "times the weight: under π"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "Importance weights: what is left of many episodes when they are long?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const controls = (...names) => html("div", { class: "rlhw-controls" }, ...names.map((name) => slider(view, name)));
    el.append(
      controls("target", "behavior", "horizon", "episodes"),
      html("details", {}, html("summary", {}, "Change the rewards and the luck"),
        html("div", { class: "rlhw-controls" }, ...[0, 1].map((action) => numbered(view, "rewards", action)),
          slider(view, "seed"))),
      html("div", { class: "rlhw-pictures" },
        html("div", {},
          picture(view, ["Which episodes come, and which count"], LAW_KEY, LAW, draw(drawLaw)),
          picture(view, ["Episodes that count, n/(1 + Var W), by length"], [], COUNT, draw(drawCount))),
        picture(view, [`Each estimate ${REPEATS} times`], [["rlhw-exact", "the value"], ["rlhw-ring", "mean"]], STRIPS,
          draw(drawStrips))),
      table(view, `An estimate from n episodes: mean and sd, exactly (≈ for many episodes) and of ${REPEATS} drawn`,
        ["estimate", "mean", "sd", "drawn mean", "drawn sd"], () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
