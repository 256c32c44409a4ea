// Bradley and Terry's model of one comparison: the annotator's probability, and what each vote costs and teaches.

// P(first preferred) of an annotator who sees gold rewards and has this temperature.
export function preferenceProbability(first, second, temperature) {
  return sigmoid((first - second) / temperature);
}

// ∂loss/∂chosen of bradleyTerryLoss, pair by pair: minus the probability of the other vote. ∂loss/∂rejected is the
// same with the other sign.
export function bradleyTerryGradient(chosen, rejected) {
  return chosen.map((score, i) => -sigmoid(rejected[i] - score));
}

const [LINE, CURVE, LOSS] = [130, 230, 420]; // heights of the pictures
const WIDEST = [-7, 7]; // margins that the sliders reach
const OPTIONS = ["first", "second", "temperature", "shift"];

function comparison(model) {
  const [first, second, temperature, shift] = OPTIONS.map((name) => model.get(name));
  const [up, down] = [first + shift, second + shift];
  const probability = preferenceProbability(up, down, temperature);
  const [chosen, rejected] = [[up / temperature, down / temperature], [down / temperature, up / temperature]];
  const losses = bradleyTerryLoss(chosen, rejected); // of a vote for the first, of a vote for the second
  const pulls = bradleyTerryGradient(chosen, rejected);
  const gradients = [pulls[0], -pulls[1]]; // both for the first one's score
  const votes = [probability, preferenceProbability(down, up, temperature)];
  const given = { first, second, temperature, shift, up, down };
  return { ...given, margin: up - down, probability, votes, losses, gradients };
}

// Both rewards on one axis: a shift moves them together and leaves the bar between them as long as it is.
function drawRewards(model, image, width) {
  const { first, second, shift, up, down, margin } = comparison(model);
  const range = [-7, 10];
  const x = scale(range, [14, width - 14]);
  const [base, level] = [LINE - 40, LINE - 62];
  horizontalAxis(image, x, range, base, "gold reward");
  image.append(svg("line", { class: "rlhw-zero", x1: x(range[0]), x2: x(range[1]), y1: base, y2: base }));
  image.append(line("rlhw-curve", [[x(up), level], [x(down), level]]));
  const marks = [["rlhw-dots rlhw-first", up, first, "first"], ["rlhw-squares rlhw-second", down, second, "second"]];
  marks.forEach(([kind, now, before, name], row) => {
    if (shift !== 0) image.append(svg("circle", { class: "rlhw-ghost", cx: x(before), cy: base, r: 4 }));
    const [text, series, height] = [`${name} ${show(now)}`, kind.split(" ")[1], 16 + 18 * row];
    const outward = (row === 0) === (up >= down) ? 4 : -7.2 * text.length - 4; // the greater one's to the right
    const place = Math.min(Math.max(x(now) + outward, 2), width - 7.2 * text.length);
    image.append(
      svg("line", { class: `rlhw-flag ${series}`, x1: x(now), x2: x(now), y1: height - 10, y2: base }),
      dots(`rlhw-big ${kind}`, [[x(now), level]]),
      svg("text", { class: "rlhw-halo", x: place, y: height }, text),
    );
  });
  return `The first is worth ${show(up)}, the second ${show(down)}; the margin is ${signed(margin)}.`;
}

// The number at a point: on the outer side of the curves, but inwards near an edge.
function label(text, margin, x, y) {
  const left = margin < 0 === Math.abs(margin) < 0.7 * WIDEST[1];
  const place = { x: (x + (left ? -9 : 9)).toFixed(1), y: y.toFixed(1), "text-anchor": left ? "end" : "start" };
  return svg("text", { class: "rlhw-halo rlhw-number", ...place }, text);
}

function drawProbability(model, image, width) {
  const { temperature, margin, probability } = comparison(model);
  const axes = [[WIDEST, "margin Δ = r₁ − r₂"], [[0, 1], "P(first preferred)"]];
  const { x, y, inside } = plot(image, width, CURVE, ...axes);
  const curve = grid(WIDEST, 360).map((delta) => [x(delta), y(preferenceProbability(delta, 0, temperature))]);
  const [across, high] = [x(margin), y(probability)];
  inside.append(
    line("rlhw-exact", [[x(WIDEST[0]), high], [across, high], [across, y(0)]]),
    line("rlhw-line rlhw-first", curve),
    dots("rlhw-big rlhw-dots rlhw-first", [[across, high]]),
    label(show(probability, 3), margin, across, high + (margin < 0 ? -8 : 18)),
  );
  return `The probability that the first is preferred, against the margin, at temperature ${show(temperature)}: ` +
    `${show(probability, 3)} at margin ${signed(margin)}.`;
}

function drawLoss(model, image, width) {
  const { temperature, margin, losses } = comparison(model);
  const top = Math.max(2.5, 1.2 * Math.max(...losses));
  const axes = [[WIDEST, "margin Δ = r₁ − r₂"], [[0, top], "loss of one vote (nats)"]];
  const { x, y, inside } = plot(image, width, LOSS, ...axes);
  const even = y(Math.LN2);
  inside.append(line("rlhw-exact", [[x(WIDEST[0]), even], [x(WIDEST[1]), even]]));
  const deltas = grid(WIDEST, 360);
  const [scores, zeros] = [deltas.map((delta) => delta / temperature), deltas.map(() => 0)];
  const votes = [
    ["rlhw-first", "rlhw-dots", bradleyTerryLoss(scores, zeros)],
    ["rlhw-second", "rlhw-squares", bradleyTerryLoss(zeros, scores)],
  ];
  votes.forEach(([series, mark, values], vote) => {
    inside.append(
      line(`rlhw-line ${series}`, values.map((value, i) => [x(deltas[i]), y(value)])),
      dots(`rlhw-big ${mark} ${series}`, [[x(margin), y(losses[vote])]]),
      label(nats(losses[vote]), margin, x(margin), y(losses[vote]) - 8),
    );
  });
  return `The loss of either vote against the margin. At ${signed(margin)} a vote for the first costs ` +
    `${nats(losses[0])} nats, a vote for the second ${nats(losses[1])}; with equal rewards each costs 0.693.`;
}

function nats(loss) {
  return show(loss, loss < 10 ? 3 : 1);
}

function rows(model) {
  const { votes, losses, gradients } = comparison(model);
  const row = (name, vote, loss, gradient) =>
    [name, show(vote, 3), nats(loss), signed(gradient, 3), signed(-gradient, 3)];
  return [
    row("for the first", votes[0], losses[0], gradients[0]),
    row("for the second", votes[1], losses[1], gradients[1]),
    row("on average", 1, dot(votes, losses), dot(votes, gradients)),
  ];
}

function sentence(model) {
  const { up, down, temperature, shift, margin, probability, losses } = comparison(model);
  const moved = shift === 0 ? "Adding the same number to both would change none of this."
    : `That ${show(Math.abs(shift))} was ${shift > 0 ? "added to" : "taken from"} both changes none of this.`;
  return `Gold rewards ${show(up)} and ${show(down)}: margin ${signed(margin)}. At temperature ` +
    `${show(temperature)} the first is preferred with probability ${show(probability, 3)}. A vote for the first ` +
    `costs ${nats(losses[0])} nats, a vote for the second ${nats(losses[1])}; on average over the annotator's votes ` +
    `the gradient is zero. ${moved}`;
}

const REWARD_KEY = [["rlhw-first rlhw-round", "first"], ["rlhw-second", "second"], ["rlhw-ring", "before the shift"]];
const LOSS_KEY = [
  ["rlhw-first rlhw-round", "vote for the first"], ["rlhw-second", "vote for the second"], ["rlhw-exact", "ln 2"],
];

export default {
  render({ model, el }) {
    const view = open(model, el, "One comparison: Bradley and Terry's model", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const scores = picture(view, ["Two gold rewards and their margin"], REWARD_KEY, LINE, draw(drawRewards));
    view.follow(() => { scores.querySelector(".rlhw-ring").hidden = model.get("shift") === 0; });
    const head = ["vote", "P(vote)", "loss", "∂/∂s₁", "∂/∂s₂"];
    el.append(
      html("div", { class: "rlhw-controls" }, ...OPTIONS.map((name) => slider(view, name))),
      html("div", { class: "rlhw-pictures" },
        html("div", {}, scores, picture(view, ["What the annotator does: σ(Δ/τ)"], [], CURVE, draw(drawProbability))),
        picture(view, ["What a vote costs: −log σ"], LOSS_KEY, LOSS, draw(drawLoss))),
      table(view, "Loss of a vote in nats, and its gradient for scores s = r/τ", head, () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
