// The best policy at a price of KL, over a handful of answers: π*(y) = π_ref(y) exp(r(y)/β)/Z.

// Z, the mean of exp(r/β) under the reference.
export function partition(reference, rewards, beta) {
  return dot(reference, rewards.map((reward) => Math.exp(reward / beta)));
}

// J* = β log Z, in a form that does not overflow.
export function bestObjective(reference, rewards, beta) {
  const highest = Math.max(...rewards.filter((_, answer) => reference[answer] > 0));
  return highest + beta * Math.log(partition(reference, rewards.map((reward) => Math.min(reward - highest, 0)), beta));
}

const [BARS, FRONTIER] = [300, 300]; // heights of the pictures
const OPTIONS = ["beta", "weights", "rewards"];
const FALLING = grid([0, 1], 160).map((place) => 50 * 0.0004 ** place); // prices β from 50 to 0.02

function policies(model) {
  const [beta, weights, rewards] = OPTIONS.map((name) => model.get(name));
  const reference = shares(weights.some((weight) => weight > 0) ? weights : weights.map(() => 1));
  const best = tilted(reference, rewards, beta);
  const objective = bestObjective(reference, rewards, beta);
  const most = Math.max(...rewards.filter((_, answer) => reference[answer] > 0));
  const top = rewards.map((_, answer) => answer).filter((answer) => rewards[answer] === most && reference[answer] > 0);
  const greedy = shares(reference.map((p, answer) => (top.includes(answer) ? p : 0)));
  const measured = (policy) => {
    const [reward, kl] = [dot(policy, rewards), relativeEntropy(policy, reference)];
    return { reward, kl, value: reward - beta * kl, gap: beta * relativeEntropy(policy, best) };
  };
  const z = partition(reference, rewards, beta);
  const each = { none: measured(reference), tilted: measured(best), greedy: measured(greedy) };
  return { beta, rewards, reference, best, top, objective, z, ...each };
}

function percent(probability) {
  return show(100 * probability, 0);
}

function drawBars(model, image, width) {
  const { rewards, reference, best, beta } = policies(model);
  const heads = rewards.map((reward, answer) => [`y${answer + 1}`, `r ${signed(reward, 1)}`]);
  columns(image, width, BARS, [[0, 112], "probability (%)"], heads, [
    { values: reference.map((p) => 100 * p), kind: "rlhw-second", print: (value) => show(value, 0) },
    { values: best.map((p) => 100 * p), kind: "rlhw-first", print: (value) => show(value, 0) },
  ]);
  const each = rewards.map((reward, answer) => `answer ${answer + 1} with reward ${signed(reward, 1)} from ` +
    `${percent(reference[answer])} to ${percent(best[answer])} %`);
  return `From the reference to π* at β = ${show(beta)}: ${each.join(", ")}.`;
}

// The frontier, both policies, and through π* the line of all that is worth J*: it meets KL 0 at J*.
function drawFrontier(model, image, width) {
  const { beta, rewards, reference, objective, none, tilted: best, greedy } = policies(model);
  const [kls, earned] = frontier(reference, rewards, FALLING);
  const right = Math.max(1.12 * greedy.kl, 0.5);
  const [low, high] = [none.reward, Math.max(greedy.reward, objective)];
  const margin = 0.12 * (high - low) || 0.5;
  const range = [low - margin, high + margin];
  const axes = [[[0, right], "KL(π ‖ π_ref) (nats)"], [range, "expected reward"]];
  const { x, y, inside } = plot(image, width, FRONTIER, ...axes);
  const worth = (kl) => objective + beta * kl;
  const end = Math.min(right, (range[1] - objective) / beta); // where the line leaves the picture
  inside.append(
    line("rlhw-curve", [[x(0), y(none.reward)], ...kls.map((kl, i) => [x(kl), y(earned[i])])]),
    line("rlhw-exact", [[x(0), y(objective)], [x(end), y(worth(end))]]),
    dots("rlhw-big rlhw-squares rlhw-second", [[x(0), y(none.reward)]]),
    dots("rlhw-big rlhw-dots rlhw-first", [[x(best.kl), y(best.reward)]]),
    svg("circle", { class: "rlhw-ghost", cx: x(0), cy: y(objective), r: 5 }),
    svg("text", { class: "rlhw-halo rlhw-strong", x: x(right) - 4, y: y(range[0]) - 8, "text-anchor": "end" },
      `J* = ${show(objective)}`),
  );
  return `Reward against KL. The reference earns ${show(none.reward)} at 0 nats, π* ${show(best.reward)} at ` +
    `${show(best.kl)} nats, on the frontier. The line through it with slope β = ${show(beta)} meets KL 0 at ` +
    `J* = ${show(objective)}. The frontier ends at ${show(greedy.reward)} and ${show(greedy.kl)} nats.`;
}

function rows(model) {
  const { none, tilted: best, greedy } = policies(model);
  const row = (name, { reward, kl, value, gap }) => [name, show(reward, 3), show(kl, 3), show(value, 3), show(gap, 3)];
  return [row("π_ref", none), row("π*", best), row("only the best", greedy)];
}

// Z is a number such as 1.83; far from 1 its logarithm is easier to read.
function spelled(z, log) {
  return z > 0.01 && z < 1000 ? `Z = ${show(z, 3)}` : `Z = e^${show(log, 1)}`;
}

function named(answers) {
  return answers.map((answer) => `y${answer + 1}`).join(" and ");
}

function sentence(model) {
  const { beta, reference, best, top, objective, z, none, tilted: chosen, greedy } = policies(model);
  const missing = reference.map((_, answer) => answer).filter((answer) => reference[answer] === 0);
  const share = (policy) => percent(cumulativeSum(top.map((answer) => policy[answer])).at(-1));
  const short = greedy.gap < 5e-4 ? "as much" : `${show(greedy.gap, 3)} less`;
  const outside = missing.length === 0 ? ""
    : ` The reference never gives ${named(missing)}: no reward changes that.`;
  return `At β = ${show(beta)} the reward goes from ${show(none.reward, 3)} to ${show(chosen.reward, 3)}, for ` +
    `${show(chosen.kl, 3)} nats. So J rises from ${show(none.value, 3)} to ${show(chosen.value, 3)}: that is J*, or ` +
    `β log Z with ${spelled(z, objective / beta)}. Of the answers that the reference gives, the best is ` +
    `${named(top)}: from ${share(reference)} to ${share(best)} %. To give nothing else would earn ${short}.${outside}`;
}

const KEY = [["rlhw-second", "π_ref"], ["rlhw-first", "π*"]];
const FRONTIER_KEY = [
  ["rlhw-second", "π_ref"], ["rlhw-first rlhw-round", "π*"], ["rlhw-curve", "frontier"], ["rlhw-exact", "worth J*"],
  ["rlhw-ring", "J*, at KL 0"],
];

export default {
  render({ model, el }) {
    const view = open(model, el, "What does the best policy gain, and what does it pay?", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const each = (name) => html("div", { class: "rlhw-controls" },
      ...model.get(name).map((_, answer) => numbered(view, name, answer)));
    const head = ["policy", "reward", "KL(π ‖ π_ref)", "J", "β KL(π ‖ π*)"];
    el.append(
      html("div", { class: "rlhw-controls" }, slider(view, "beta")),
      html("details", {}, html("summary", {}, "Change the answers"), each("rewards"), each("weights")),
      html("div", { class: "rlhw-pictures" },
        picture(view, ["From π_ref to π*"], KEY, BARS, draw(drawBars)),
        picture(view, ["What so much KL can buy"], FRONTIER_KEY, FRONTIER, draw(drawFrontier))),
      table(view, "J = reward − β KL(π ‖ π_ref). What is missing to J* is β KL(π ‖ π*)", head, () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
