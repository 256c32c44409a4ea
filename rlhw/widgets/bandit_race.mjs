// What is drawn of the race: mean regret, the regret of each run, and what the rules of the first run believe.

const [CURVES, SPREAD, BELIEFS] = [470, 150, 320]; // heights of the pictures
const OPTIONS = ["epsilon", "c", "greedy", "arms", "means", "runs", "seed", "pulls", "log_time"];
const SERIES = ["rlhw-first", "rlhw-second", "rlhw-third"];
const NAMES = ["ε-greedy", "UCB", "greedy"];

// What was played with the last settings: every picture asks for it at every change.
const played = new Map();

// All runs of a rule, and after each pull, averaged over them, the regret and the share of pulls of a best arm.
function race(means, epsilon, c, runs, seed, horizon) {
  const key = JSON.stringify([means, epsilon, c, runs, seed]);
  if (!played.has(key)) {
    if (played.size > 20) played.clear();
    const costs = gaps(means);
    const plays = Array.from({ length: runs }, (_, run) => play(means, epsilon, c, horizon, 1000 * seed + run));
    const average = (columns) => columns[0].map((_, t) => mean(columns.map((column) => column[t])));
    const hits = cumulativeSum(average(plays.map((one) => one.actions.map((arm) => (costs[arm] === 0 ? 1 : 0)))));
    const best = hits.map((sum, t) => sum / (t + 1));
    played.set(key, { plays, curve: average(plays.map((one) => one.regret)), best });
  }
  return played.get(key);
}

// The first run's memory after so many pulls.
function memory(one, arms, pulls) {
  const [totals, counts] = [Array(arms).fill(0), Array(arms).fill(0)];
  one.actions.slice(0, pulls).forEach((arm, t) => {
    totals[arm] += one.rewards[t];
    counts[arm] += 1;
  });
  return { counts, estimates: totals.map((total, arm) => total / Math.max(counts[arm], 1)) };
}

function contest(model) {
  const [epsilon, c, greedy, arms, all, runs, seed, pulls] = OPTIONS.map((name) => model.get(name));
  const means = all.slice(0, arms);
  const costs = gaps(means);
  const rules = [[epsilon, 0], [0, c], ...(greedy ? [[0, 0]] : [])].map(([chance, width], i) => {
    const { plays, curve, best } = race(means, chance, width, runs, seed, model.get("_ranges").pulls.max);
    const ends = plays.map((one) => one.regret[pulls - 1]);
    const middle = curve[pulls - 1];
    const error = Math.sqrt(dot(ends, ends.map((end) => end - middle)) / Math.max(runs - 1, 1) / runs);
    const { counts, estimates } = memory(plays[0], arms, pulls);
    const bounds = upperBounds(estimates, counts, width);
    return {
      name: NAMES[i], kind: SERIES[i], width, curve, ends, middle, error, best: best[pulls - 1], first: plays[0],
      counts, estimates, bounds,
    };
  });
  const constant = laiRobbins(costs, bernoulliKL(means, Math.max(...means)));
  return { epsilon, means, costs, runs, pulls, rules, constant, bound: growth(constant, [pulls])[0] };
}

function drawCurves(model, image, width) {
  const { pulls, runs, rules, constant, bound } = contest(model);
  const log = model.get("log_time");
  const place = (t) => (log ? Math.log10(t) : t);
  const far = Math.max(pulls, 10);
  const high = 1.08 * Math.max(bound, ...rules.map((rule) => rule.middle), 0.5);
  const name = log ? "pulls t, as a power of ten" : "pulls t";
  const axes = [[[0, 1.06 * place(far)], name], [[0, high], "regret, in rewards lost"]];
  const { x, y, inside } = plot(image, width, CURVES, ...axes);
  const shares = grid([0, 1], 200);
  const times = [...new Set(shares.map((part) => Math.max(1, Math.round(log ? pulls ** part : part * pulls))))];
  const grown = growth(constant, times);
  inside.append(line("rlhw-exact", times.map((t, i) => [x(place(t)), y(grown[i])])));
  rules.forEach(({ kind, curve }) => inside.append(
    line(`rlhw-line ${kind}`, times.map((t) => [x(place(t)), y(curve[t - 1])])),
    svg("circle", { class: `rlhw-point ${kind}`, cx: x(place(pulls)), cy: y(curve[pulls - 1]), r: 4 }),
  ));
  const each = rules.map((rule) => `${rule.name} ${show(rule.middle, 1)}`);
  return `Mean regret of ${runs} runs after ${pulls} pulls: ${each.join(", ")}; C log t is ${show(bound, 1)}.`;
}

// One dot a run, and a ring at their mean.
function drawSpread(model, image, width) {
  const { rules, pulls } = contest(model);
  const [left, right, bottom] = [FRAME.left + 12, width - 14, SPREAD - 40];
  const range = [0, Math.max(...rules.flatMap((rule) => rule.ends), 1)];
  const x = scale(range, [left, right]);
  horizontalAxis(image, x, range, bottom, "regret of a run, in rewards lost");
  rules.forEach(({ name, kind, ends, middle }, row) => {
    const height = (bottom * (row + 0.5)) / rules.length;
    image.append(
      svg("line", { class: "rlhw-rule", x1: left, x2: right, y1: height, y2: height }),
      svg("text", { x: 2, y: height + 4 }, name),
      dots(`rlhw-dots ${kind}`, ends.map((end) => [x(end), height])),
      svg("circle", { class: "rlhw-ghost", cx: x(middle), cy: height, r: 6 }),
    );
  });
  const each = rules.map(({ name, ends }) =>
    `${name} from ${show(Math.min(...ends), 1)} to ${show(Math.max(...ends), 1)}`);
  return `The regret of each run after ${pulls} pulls: ${each.join(", ")}.`;
}

// The first run: what each rule believes of each arm, and of UCB the bounds that decide the next pull.
function drawBeliefs(model, image, width) {
  const { means, rules, pulls } = contest(model);
  const [left, top, bottom] = [FRAME.left, 24, BELIEFS - 24 - 17 * rules.length];
  const high = Math.max(1, Math.min(1.6, 0.05 + Math.max(...rules.flatMap((rule) => rule.bounds))));
  const y = scale([0, high], [bottom, top]);
  const wide = (width - left) / means.length;
  verticalAxis(image, y, [0, high], left, width, "what a pull pays");
  ["arm", ...rules.map((rule) => rule.name)].forEach((name, row) => image.append(
    svg("text", { class: "rlhw-small rlhw-name", x: 2, y: bottom + 17 * (row + 1) }, name)));
  means.forEach((truth, arm) => {
    const middle = left + wide * (arm + 0.5);
    const reach = Math.min(24, 0.45 * wide);
    [arm + 1, ...rules.map((rule) => rule.counts[arm])].forEach((number, row) => image.append(svg("text", {
      class: row ? "rlhw-small" : "", x: middle, y: bottom + 17 * (row + 1), "text-anchor": "middle",
    }, String(number))));
    image.append(line("rlhw-exact", [[middle - reach, y(truth)], [middle + reach, y(truth)]]));
    rules.forEach(({ kind, width: c, counts, estimates, bounds }, row) => {
      const at = middle + (row - (rules.length - 1) / 2) * 0.6 * reach;
      if (counts[arm] === 0) return; // nothing is believed yet
      const place = y(estimates[arm]);
      const bound = { x1: at, x2: at, y1: place, y2: y(Math.min(bounds[arm], high)) };
      if (c > 0) image.append(svg("line", { class: `rlhw-flag ${kind}`, ...bound }));
      image.append(svg("circle", { class: `rlhw-point ${kind}`, cx: at, cy: place, r: 4.5 }));
    });
  });
  const belief = ({ name, counts, estimates }, arm) =>
    `${name} ${counts[arm] > 0 ? `says ${show(estimates[arm])} after ${counts[arm]}` : "has not pulled it"}`;
  const each = means.map((truth, arm) =>
    `arm ${arm + 1} pays ${show(truth)}; ${rules.map((rule) => belief(rule, arm)).join(", ")}`);
  return `The first run after ${pulls} pulls: ${each.join("; ")}.`;
}

function rows(model) {
  const { rules, runs, bound } = contest(model);
  return [
    ...rules.map(({ name, middle, error, best }) =>
      [name, show(middle, 1), runs > 1 ? show(error, 1) : "–", `${show(100 * best, 0)} %`]),
    ["C log t", show(bound, 1), "", ""],
  ];
}

function sentence(model) {
  const { epsilon, costs, runs, pulls, rules, constant, bound } = contest(model);
  if (Math.max(...costs) === 0) return "All arms pay the same, and no pull costs anything: every rule has regret 0.";
  const lost = rules.map(({ name, middle, error }) =>
    `${name} has lost ${show(middle, 1)}${runs > 1 ? ` ± ${show(error, 1)}` : ""}`);
  const forever = epsilon > 0
    ? `ε-greedy goes on paying ε times the mean gap, ${show(epsilon * mean(costs), 4)} a pull, for ever.`
    : "With ε = 0 nothing is explored: a run that believes in a wrong arm may stay there for ever.";
  const now = rules.map(({ name, first }) =>
    `${name} pulled arm ${first.actions[pulls - 1] + 1} and got ${first.rewards[pulls - 1]}`);
  const over = runs > 1 ? `on average over ${runs} runs (± one standard error)` : "in one run";
  return `After ${pulls} pulls, ${over}: ${lost.join(", ")}. In the long run the regret of no rule that does well on ` +
    `every bandit grows more slowly than Lai and Robbins' C log t with C = ${show(constant, 1)}: here ` +
    `${show(bound, 1)}, a yardstick and no bound at this length. ${forever} At this pull of the first run ` +
    `${now.join(", ")}.`;
}

const PRESETS = [
  ["two arms, far apart", 2, [0.2, 0.8]], ["two arms, close", 2, [0.5, 0.6]],
  ["four arms", 4, [0.3, 0.5, 0.7, 0.4]], ["seven arms", 7, [0.3, 0.5, 0.7, 0.4, 0.6, 0.2, 0.45]],
];

function steps(view) {
  const { model } = view;
  const last = model.get("_ranges").pulls.max;
  const go = (to) => write(model, "pulls", Math.min(last, to));
  const ahead = [[1, "1 pull"], [10, "10 pulls"], [100, "100 pulls"], [last, "run to the end"]].map(([by, label]) =>
    button(label, () => go(model.get("pulls") + by)));
  view.follow(() => ahead.forEach((node) => node.setAttribute("aria-disabled", model.get("pulls") === last)));
  return html("div", { class: "rlhw-row" }, button("back to the start", () => go(1)), ...ahead);
}

function arms(view) {
  const sliders = view.model.get("means").map((_, arm) => numbered(view, "means", arm));
  view.follow(() => sliders.forEach((node, arm) => { node.hidden = arm >= view.model.get("arms"); }));
  const presets = PRESETS.map(([name, count, means]) => button(name, () => {
    view.model.set("means", view.model.get("means").map((mean, arm) => means[arm] ?? mean));
    write(view.model, "arms", count);
  }));
  return html("details", {}, html("summary", {}, "Change the arms and the luck"),
    html("div", { class: "rlhw-row" }, ...presets),
    html("div", { class: "rlhw-controls" }, ...["arms", "runs", "seed"].map((name) => slider(view, name))),
    html("div", { class: "rlhw-controls" }, ...sliders));
}

export default {
  render({ model, el }) {
    const view = open(model, el, "A race of rules: who loses least while finding the best arm?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const key = NAMES.map((name, i) => [SERIES[i], name]);
    const curves = picture(view, ["Regret, on average over the runs"], [...key, ["rlhw-exact", "C log t"]], CURVES,
      draw(drawCurves));
    const beliefs = picture(view, ["The first run: estimates, UCB's bounds, and pulls so far"],
      [...key, ["rlhw-exact", "true mean"]], BELIEFS, draw(drawBeliefs));
    view.follow(() => [curves, beliefs].forEach((figure) => {
      figure.querySelector(".rlhw-key.rlhw-third").hidden = !model.get("greedy");
    }));
    el.append(
      html("div", { class: "rlhw-controls" }, ...["epsilon", "c", "pulls"].map((name) => slider(view, name))),
      steps(view),
      html("div", { class: "rlhw-row" }, toggle(view, "greedy", "greedy as well"),
        toggle(view, "log_time", "time in powers of ten")),
      arms(view),
      html("div", { class: "rlhw-pictures" }, curves,
        html("div", {}, beliefs,
          picture(view, ["Run by run"], [["rlhw-ring", "mean of the runs"]], SPREAD, draw(drawSpread)))),
      table(view, "Regret after these pulls, its standard error, and how often the best arm was pulled",
        ["rule", "regret", "±", "best arm"], () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
