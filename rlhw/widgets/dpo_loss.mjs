// One vote in DPO and in IPO. Each function takes log-probabilities of whole answers, pair by pair: of the chosen and of
// the rejected one under the policy, then of both under the reference.

export function implicitReward(logprobs, reference, beta) {
  return logprobs.map((logprob, i) => beta * (logprob - reference[i]));
}

// Log-ratio of the chosen answer less that of the rejected one.
function differences(chosen, rejected, referenceChosen, referenceRejected) {
  return chosen.map((logprob, i) => logprob - referenceChosen[i] - (rejected[i] - referenceRejected[i]));
}

export function dpoLoss(chosen, rejected, referenceChosen, referenceRejected, beta, smoothing) {
  const won = implicitReward(chosen, referenceChosen, beta);
  const lost = implicitReward(rejected, referenceRejected, beta);
  const [right, wrong] = [bradleyTerryLoss(won, lost), bradleyTerryLoss(lost, won)];
  return right.map((loss, i) => (1 - smoothing) * loss + smoothing * wrong[i]);
}

export function ipoLoss(chosen, rejected, referenceChosen, referenceRejected, beta) {
  return differences(chosen, rejected, referenceChosen, referenceRejected).map((h) => (h - 1 / (2 * beta)) ** 2);
}

// [for the chosen log-probabilities, for the rejected ones].
export function dpoGradient(chosen, rejected, referenceChosen, referenceRejected, beta, smoothing) {
  const pulls = differences(chosen, rejected, referenceChosen, referenceRejected)
    .map((h) => beta * (smoothing * sigmoid(beta * h) - (1 - smoothing) * sigmoid(-beta * h)));
  return [pulls, pulls.map((pull) => -pull)];
}

export function ipoGradient(chosen, rejected, referenceChosen, referenceRejected, beta) {
  const pulls = differences(chosen, rejected, referenceChosen, referenceRejected).map((h) => 2 * (h - 1 / (2 * beta)));
  return [pulls, pulls.map((pull) => -pull)];
}

// β Δ_ref at which the smoothed loss is least: there σ(β Δ_ref) is the share of votes taken to be right.
export function smoothedOptimum(share) {
  return Math.log(share / (1 - share));
}

const [LOSS, PULL] = [300, 300]; // heights of the pictures
const WIDEST = [-10, 10]; // what the sliders reach; `h` is Δ_ref, the difference of the log-ratios
const OPTIONS = ["loss", "beta", "smoothing", "chosen", "rejected"];
const NAMES = { dpo: "DPO", ipo: "IPO" };
const SERIES = { dpo: "rlhw-first", ipo: "rlhw-second" };

// Losses and pulls at the differences of log-ratios `hs`: the arguments are those of a reference that gives both answers
// the same log-probability, 0. A pull is minus the gradient for the chosen log-probability: above 0 it goes up.
function curves(model, hs) {
  const [beta, smoothing, zeros] = [model.get("beta"), model.get("smoothing"), hs.map(() => 0)];
  const given = [hs, zeros, zeros, zeros, beta];
  const pulls = (gradients) => gradients[0].map((gradient) => -gradient);
  return {
    dpo: { losses: dpoLoss(...given, smoothing), pulls: pulls(dpoGradient(...given, smoothing)) },
    ipo: { losses: ipoLoss(...given), pulls: pulls(ipoGradient(...given)) },
  };
}

function vote(model) {
  const [loss, beta, smoothing, chosen, rejected] = OPTIONS.map((name) => model.get(name));
  const h = chosen - rejected;
  const at = curves(model, [h]);
  const rewards = implicitReward([chosen, rejected], [0, 0], beta);
  const smoothed = smoothing > 0 ? smoothedOptimum(1 - smoothing) / beta : null;
  const best = loss === "ipo" ? 1 / (2 * beta) : smoothed; // null: the loss falls for ever
  const [value, pull] = [at[loss].losses[0], at[loss].pulls[0]];
  return { loss, beta, smoothing, chosen, rejected, h, rewards, best, value, pull };
}

// Both losses as lines, in the range of the marked one; where that is least, a dashed line.
function drawLines(model, image, width, height, part, range, name) {
  const { loss, h, best } = vote(model);
  const hs = grid(WIDEST, 320);
  const lines = curves(model, hs);
  const at = curves(model, [h])[loss][part][0];
  const { x, y, inside } = plot(image, width, height, [WIDEST, "Δ_ref: difference of log-ratios (nats)"], [range, name]);
  if (best !== null && best <= WIDEST[1]) inside.append(line("rlhw-exact", range.map((end) => [x(best), y(end)])));
  for (const each of ["dpo", "ipo"].sort((one) => (one === loss ? 1 : -1))) { // the marked one on top
    const points = lines[each][part].map((value, i) => [x(hs[i]), y(value)]);
    inside.append(line(`rlhw-line ${SERIES[each]}`, points.filter(([, high]) => Math.abs(high) < 5000)));
  }
  const mark = loss === "dpo" ? "rlhw-dots" : "rlhw-squares";
  const [text, left] = [part === "pulls" ? signed(at, 3) : show(at, 3), h > 0];
  const place = { x: x(h) + (left ? -9 : 9), "text-anchor": left ? "end" : "start" };
  const higher = y(at) - 12 < FRAME.top + 8 ? 18 : -10; // inside the picture, near its upper edge, too
  inside.append(
    dots(`rlhw-big ${mark} ${SERIES[loss]}`, [[x(h), y(at)]]),
    svg("text", { class: "rlhw-halo rlhw-number", ...place, y: y(at) + higher }, text),
  );
}

function drawLoss(model, image, width) {
  const { loss, beta, h, value } = vote(model);
  const top = loss === "dpo" ? Math.max(2, 1.15 * value) : Math.max(4, 1.3 * value, 1.3 / (4 * beta * beta));
  const unit = loss === "dpo" ? "loss (nats)" : "loss (nats²)";
  drawLines(model, image, width, LOSS, "losses", [0, top], unit);
  return `${NAMES[loss]}'s loss of one vote against Δ_ref: ${show(value, 3)} at Δ_ref = ${signed(h, 1)}.`;
}

function drawPull(model, image, width) {
  const { loss, beta, h, pull } = vote(model);
  const far = loss === "dpo" ? 1.15 * beta : 1.2 * Math.max(2, 1 / beta, Math.abs(pull));
  drawLines(model, image, width, PULL, "pulls", [loss === "dpo" ? -0.45 * beta : -far, far], "pull");
  return `${NAMES[loss]}'s pull on the chosen answer's log-probability against Δ_ref: ${signed(pull, 3)} at ` +
    `Δ_ref = ${signed(h, 1)}; on the rejected one's it is ${signed(-pull, 3)}.`;
}

function rows(model) {
  const { chosen, rejected, rewards, pull } = vote(model);
  const row = (name, ratio, reward, gradient) => [name, signed(ratio, 1), signed(reward, 3), signed(gradient, 3)];
  return [
    row("chosen", chosen, rewards[0], -pull),
    row("rejected", rejected, rewards[1], pull),
    ["difference", signed(chosen - rejected, 1), signed(rewards[0] - rewards[1], 3), ""],
  ];
}

function sentence(model) {
  const { loss, beta, smoothing, chosen, rejected, h, best, value, pull } = vote(model);
  const size = show(Math.abs(pull), 3);
  const way = Math.abs(pull) < 5e-4 ? "It pulls at neither answer."
    : pull > 0 ? `It pulls the chosen answer's log-probability up and the rejected one's down, each by ${size}.`
    : `It pulls the chosen answer's log-probability down and the rejected one's up, each by ${size}: the ` +
      "difference is larger than the loss wants it.";
  const where = loss === "ipo" ? `IPO's loss is least at Δ_ref = 1/(2β) = ${show(best)}, and its pull grows in proportion ` +
      "to the distance from there."
    : best === null ? "Without smoothing the pull never ends, but it fades: it is at most β, where π has the pair " +
      "quite wrong."
    : `With s = ${show(smoothing)} the loss is least at Δ_ref = ${show(best)}, where σ(β Δ_ref) = ${show(1 - smoothing)}.`;
  const fallen = chosen < 0 && h > 0
    ? " The chosen answer is less likely than under π_ref, and the loss does not see it: it sees only that the " +
      "rejected one has lost more."
    : "";
  return `Log-ratios ${signed(chosen, 1)} and ${signed(rejected, 1)}: Δ_ref = ${signed(h, 1)}, and at β = ${show(beta)} ` +
    `${NAMES[loss]}'s loss of this vote is ${show(value, 3)}. ${way} ${where}${fallen}`;
}

const KEY = [["rlhw-first rlhw-round", "DPO"], ["rlhw-second", "IPO"], ["rlhw-exact", "least loss"]];

export default {
  render({ model, el }) {
    const view = open(model, el, "How hard does one vote pull? DPO and IPO", OPTIONS);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const smoothing = slider(view, "smoothing");
    view.follow(() => { smoothing.hidden = model.get("loss") === "ipo"; });
    const pictures = [
      picture(view, ["What the vote costs"], KEY, LOSS, draw(drawLoss)),
      picture(view, ["How it pulls: −∂ loss / ∂ log π(chosen)"], KEY, PULL, draw(drawPull)),
    ];
    view.follow(() => pictures.forEach((figure) => {
      figure.querySelector(".rlhw-key.rlhw-exact").hidden = vote(model).best === null || vote(model).best > WIDEST[1];
    }));
    const head = ["answer", "log π/π_ref", "β log π/π_ref", "∂ loss/∂ log π"];
    el.append(
      html("div", { class: "rlhw-row" }, choices(view, "loss", "loss", Object.entries(NAMES))),
      html("div", { class: "rlhw-controls" }, slider(view, "chosen"), slider(view, "rejected"), slider(view, "beta"),
        smoothing),
      html("div", { class: "rlhw-pictures" }, ...pictures),
      table(view, "One vote: log-ratios, implicit rewards, and the gradient, whose opposite is the pull", head,
        () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
