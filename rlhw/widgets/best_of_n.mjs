// The best of n samples, ties broken at random: law, reward and KL, exactly, beside the policies π* of the frontier.

// Reward levels, lowest first, with the reference's probability of each and that of the best of n being on it.
function levelsOf(p, rewards, n) {
  const levels = [...new Set(rewards)].sort((one, two) => one - two);
  const reference = levels.map((level) => dot(p, rewards.map((reward) => (reward === level ? 1 : 0))));
  const upper = cumulativeSum(reference);
  const best = upper.map((sum, i) => sum ** n - (i === 0 ? 0 : upper[i - 1] ** n));
  return { levels, reference, best };
}

export function bestOfNKL(p, rewards, n) {
  const { reference, best } = levelsOf(p, rewards, n);
  return cumulativeSum(best.map((q, i) => (q > 0 ? q * Math.log(q / reference[i]) : 0))).at(-1);
}

export function bestOfNReward(p, rewards, n) {
  const { levels, best } = levelsOf(p, rewards, n);
  return dot(levels, best);
}

// log n - (n - 1)/n: what the KL comes to where no two answers are worth the same and there are many.
export function withoutTies(n) {
  return Math.log(n) - (n - 1) / n;
}

// The β whose π* has this KL, by halving: the KL falls as β grows. `kl` must be below that of the best level alone.
function betaAt(p, rewards, kl) {
  let [low, high] = [1e-3, 1e9];
  for (let step = 0; step < 200; step++) {
    const middle = Math.sqrt(low * high);
    if (frontier(p, rewards, [middle])[0][0] > kl) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}

export function frontierReward(p, rewards, kl) {
  return frontier(p, rewards, [betaAt(p, rewards, kl)])[1][0];
}

const [LAWS, PLANE, GROWTH] = [260, 470, 250]; // heights of the pictures
const OPTIONS = ["n", "weights", "rewards"];
const NAMES = ["A", "B", "C", "D", "E"];
const SERIES = ["rlhw-second", "rlhw-first", "rlhw-third"];
const WHO = ["reference", "best of n", "π* with the same KL"];
const MOST = 64;

function comparison(model) {
  const [n, weights, rewards] = OPTIONS.map((name) => model.get(name));
  const p = shares(weights);
  const { levels, reference, best } = levelsOf(p, rewards, n);
  const level = (reward) => levels.indexOf(reward); // answers of one level share its chance as the reference does
  const law = p.map((chance, i) => (best[level(rewards[i])] * chance) / reference[level(rewards[i])]);
  const [kl, reward, start] = [bestOfNKL(p, rewards, n), bestOfNReward(p, rewards, n), dot(p, rewards)];
  const flat = levels.length === 1;
  const beta = flat || n === 1 ? Number.POSITIVE_INFINITY : betaAt(p, rewards, kl);
  const star = beta === Number.POSITIVE_INFINITY ? p : tilted(p, rewards, beta);
  const attained = beta === Number.POSITIVE_INFINITY ? start : frontierReward(p, rewards, kl);
  return { n, p, rewards, levels, law, kl, reward, start, beta, star, attained, left: attained - reward };
}

function drawLaws(model, image, width) {
  const { p, law, star, rewards } = comparison(model);
  const [left, right, top, bottom] = [FRAME.left, width - FRAME.right, FRAME.top, LAWS - 42];
  const y = scale([0, 1.05], [bottom, top]);
  verticalAxis(image, y, [0, 1.05], left, right, "probability");
  const order = NAMES.map((_, i) => i).sort((one, two) => rewards[one] - rewards[two]);
  const group = (right - left) / order.length;
  const thick = Math.min(30, (group - 8) / 3);
  order.forEach((answer, place) => {
    const middle = left + group * (place + 0.5);
    image.append(
      svg("text", { x: middle, y: bottom + 17, "text-anchor": "middle" }, NAMES[answer]),
      svg("text", { class: "rlhw-name", x: middle, y: bottom + 34, "text-anchor": "middle" }, show(rewards[answer], 1)),
    );
    [p, law, star].forEach((values, i) => image.append(svg("rect", {
      class: `rlhw-bar ${SERIES[i]}`, x: middle + thick * (i - 1.5) + 1, y: y(values[answer]), width: thick - 2,
      height: y(0) - y(values[answer]),
    })));
  });
  image.append(svg("text", { class: "rlhw-name", x: 2, y: bottom + 34 }, "reward"));
  const each = order.map((i) => `${NAMES[i]}, worth ${show(rewards[i], 1)}: ${show(p[i])}, ${show(law[i])}, ${show(star[i])}`);
  return `Probabilities under the reference, the best of n and π star: ${each.join("; ")}.`;
}

function drawPlane(model, image, width) {
  const { n, p, rewards, levels, kl, reward, start, attained } = comparison(model);
  const most = bestOfNKL(p, rewards, MOST);
  const far = Math.max(1.08 * most, 0.11);
  const top = Math.max(...levels);
  const high = top + 0.08 * (top - start) + (top - start < 1e-9 ? 1 : 0);
  const range = [start - 0.08 * (high - start), high];
  const axes = [[[0, far], "KL from the reference (nats)"], [range, "expected reward"]];
  const { x, y, inside } = plot(image, width, PLANE, ...axes);
  const betas = grid([-2.5, 3], 160).map((power) => 10 ** power).reverse();
  const [kls, earned] = frontier(p, rewards, betas);
  const points = [[x(0), y(start)], ...kls.map((at, i) => [x(at), y(earned[i])])];
  if (kls.at(-1) < far) points.push([x(far), y(earned.at(-1))]); // beyond the best level more KL buys nothing
  const steps = Array.from({ length: MOST }, (_, i) => i + 1);
  inside.append(
    line("rlhw-line rlhw-third", points),
    dots("rlhw-dots rlhw-first", steps.map((m) => [x(bestOfNKL(p, rewards, m)), y(bestOfNReward(p, rewards, m))])),
    svg("line", { class: "rlhw-flag rlhw-third", x1: x(kl), x2: x(kl), y1: y(reward), y2: y(attained) }),
    dots("rlhw-big rlhw-dots rlhw-third", [[x(kl), y(attained)]]),
    dots("rlhw-big rlhw-dots rlhw-first", [[x(kl), y(reward)]]),
  );
  return `Reward against KL. The best of ${n} earns ${show(reward, 3)} at ${show(kl, 3)} nats; π star earns ` +
    `${show(attained, 3)} there.`;
}

function drawGrowth(model, image, width) {
  const { n, p, rewards, kl } = comparison(model);
  const high = 1.1 * withoutTies(MOST);
  const axes = [[[0, 1.05 * MOST], "samples n"], [[0, high], "KL(best of n‖reference) (nats)"]];
  const { x, y, inside } = plot(image, width, GROWTH, ...axes);
  const counts = Array.from({ length: MOST }, (_, i) => i + 1);
  inside.append(
    line("rlhw-exact", counts.map((m) => [x(m), y(withoutTies(m))])),
    line("rlhw-line rlhw-first", counts.map((m) => [x(m), y(bestOfNKL(p, rewards, m))])),
    dots("rlhw-big rlhw-dots rlhw-first", [[x(n), y(kl)]]),
  );
  return `KL of the best of n against n: ${show(kl, 3)} nats at ${n}, where log n − (n − 1)/n is ` +
    `${show(withoutTies(n), 3)}.`;
}

function rows(model) {
  const { n, kl, reward, start, attained } = comparison(model);
  return [
    ["reference", "0.000", show(start, 3), ""],
    [`best of ${n}`, show(kl, 3), show(reward, 3), signed(reward - start, 3)],
    ["π* with the same KL", show(kl, 3), show(attained, 3), signed(attained - start, 3)],
    ["log n − (n − 1)/n", show(withoutTies(n), 3), "", ""],
  ];
}

function sentence(model) {
  const { n, levels, kl, reward, start, beta, attained, left } = comparison(model);
  if (n === 1) return "The best of one sample is the reference itself: no KL, and no gain.";
  if (levels.length === 1) {
    return `All five answers are worth the same: the best of ${n} is the reference itself, and its KL is 0.`;
  }
  const tied = levels.length < NAMES.length ? `, with ${levels.length} different rewards among them` : "";
  const kept = attained > start ? (100 * (reward - start)) / (attained - start) : 100;
  return `The best of ${n} of these five answers${tied} earns ${show(reward, 3)}, ${signed(reward - start, 3)} over the ` +
    `reference, for ${show(kl, 3)} nats; log n − (n − 1)/n would say ${show(withoutTies(n), 3)}. With as much KL, π* at ` +
    `β = ${show(beta, beta < 10 ? 3 : 0)} earns ${show(attained, 3)}: best-of-n leaves ${show(left, 3)}, and keeps ` +
    `${show(kept, 1)} % of the gain.`;
}

const PRESETS = [
  ["all different", [0, 0.5, 1, 1.5, 3]], ["two levels", [0, 0, 0, 1, 1]], ["one good answer", [0, 0, 0, 0, 3]],
];
const PLANE_KEY = [["rlhw-first rlhw-round", "best of 1 to 64"], ["rlhw-third", "the frontier, π*"]];
const GROWTH_KEY = [["rlhw-first", "exact"], ["rlhw-exact", "log n − (n − 1)/n"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "Best of n: what does it earn, how far does it go, and what does it leave?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const each = (name) => html("div", { class: "rlhw-controls" }, ...NAMES.map((answer, i) => {
      const node = slider(view, name, i);
      node.querySelector("label span").textContent = model.get("_ranges")[name].label.replace("#", answer);
      return node;
    }));
    const presets = PRESETS.map(([name, rewards]) => button(name, () => write(model, "rewards", rewards)));
    const head = ["policy", "KL (nats)", "reward", "gain"];
    el.append(
      html("div", { class: "rlhw-controls" }, slider(view, "n")),
      html("div", { class: "rlhw-row" }, html("span", {}, "rewards:"), ...presets),
      html("details", {}, html("summary", {}, "Change the answers"), each("weights"), each("rewards")),
      html("div", { class: "rlhw-pictures" },
        html("div", {},
          picture(view, ["Which answer comes out?"], WHO.map((name, i) => [SERIES[i], name]), LAWS, draw(drawLaws)),
          picture(view, ["How far does it go?"], GROWTH_KEY, GROWTH, draw(drawGrowth))),
        picture(view, ["What does it earn for its KL?"], PLANE_KEY, PLANE, draw(drawPlane))),
      table(view, "Exact, by enumeration", head, () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
