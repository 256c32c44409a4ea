// Do a reward model's probabilities mean what they say? Pairs with a margin (score 1 - score 2) and votes: the share of
// votes for the first, so 1 or 0 where there was one vote.

// What agrees with the higher score: the vote, seen from that side; at equal scores one half.
function agreement(margins, votes) {
  return margins.map((margin, i) => (margin > 0 ? votes[i] : margin < 0 ? 1 - votes[i] : 0.5));
}

export function pairAccuracy(margins, votes) {
  return mean(agreement(margins, votes));
}

// The mean of -log σ over all votes.
export function meanLoss(margins, votes) {
  const zeros = margins.map(() => 0);
  const [first, second] = [bradleyTerryLoss(margins, zeros), bradleyTerryLoss(zeros, margins)];
  return mean(votes.map((vote, i) => vote * first[i] + (1 - vote) * second[i]));
}

// Bins of [1/2, 1] that hold pairs: mean predicted probability of the higher score, observed share of its votes, count;
// and the mean distance of the two over all votes.
export function calibration(margins, votes, bins) {
  const agreed = agreement(margins, votes);
  const probabilities = margins.map((margin) => sigmoid(Math.abs(margin)));
  const places = probabilities.map((p) => Math.min(bins - 1, Math.floor((p - 0.5) * 2 * bins)));
  const within = (values, bin) => values.filter((_, i) => places[i] === bin);
  const full = Array.from({ length: bins }, (_, bin) => bin).filter((bin) => places.includes(bin));
  const predicted = full.map((bin) => mean(within(probabilities, bin)));
  const observed = full.map((bin) => mean(within(agreed, bin)));
  const counts = full.map((bin) => within(agreed, bin).length);
  const gaps = predicted.map((value, i) => Math.abs(observed[i] - value));
  return { predicted, observed, counts, error: dot(counts, gaps) / margins.length };
}

const HEIGHT = 330;
const MODELS = ["overfit", "many", "annotator"];

function named(model, name) {
  const { few, many } = model.get("data");
  const names = {
    overfit: `${few} votes, overfit`,
    many: `${many.toLocaleString("en")} votes`,
    annotator: "the annotator's own law",
  };
  return names[name];
}

function measured(model, name = model.get("reward_model"), temperature = model.get("temperature")) {
  const { margins, votes } = model.get("data");
  const divided = margins[name].map((margin) => margin / temperature);
  return { divided, votes, loss: meanLoss(divided, votes), accuracy: pairAccuracy(divided, votes) };
}

function reliability(model, name) {
  const { divided, votes } = measured(model, name);
  return calibration(divided, votes, model.get("bins"));
}

function drawReliability(model, image, width) {
  const { predicted, observed, counts, error } = reliability(model);
  const axes = [[[0.5, 1], "predicted probability"], [[0, 1], "observed share of votes"]];
  const { x, y, inside } = plot(image, width, HEIGHT, ...axes);
  inside.append(line("rlhw-exact", [[x(0.5), y(0.5)], [x(1), y(1)]]));
  predicted.forEach((p, i) => {
    const [across, high] = [x(p), y(observed[i])];
    const radius = Math.max(2.5, 0.45 * Math.sqrt(counts[i]));
    const above = observed[i] > p;
    inside.append(
      svg("line", { class: "rlhw-flag rlhw-second", x1: across, x2: across, y1: high, y2: y(p) }),
      svg("circle", { class: "rlhw-point rlhw-first", cx: across, cy: high, r: radius }),
      svg("text", {
        class: "rlhw-halo", x: Math.min(across, width - FRAME.right - 10), "text-anchor": "middle",
        y: high + (above && high > FRAME.top + 30 ? -radius - 5 : radius + 15),
      }, counts[i]),
    );
  });
  const each = predicted.map((p, i) => `${show(p)} predicted, ${show(observed[i])} observed, ${counts[i]} votes`);
  return `Reliability in ${predicted.length} bins: ${each.join("; ")}. Calibration error ${show(error, 3)}.`;
}

function drawLoss(model, image, width) {
  const { min, max } = model.get("_ranges").temperature;
  const [temperature, { loss }] = [model.get("temperature"), measured(model)];
  const at = (place) => measured(model, model.get("reward_model"), place).loss;
  const tried = grid([min, max]).map((place) => ({ place, loss: at(place) }));
  const best = tried.reduce((one, other) => (other.loss < one.loss ? other : one)).place;
  const far = Math.min(max, Math.max(4, 1.6 * best, 1.1 * temperature)); // the whole valley, and where we stand
  const places = grid([min, far]);
  const losses = places.map(at);
  const top = Math.max(1, 1.1 * loss, 1.1 * at(1));
  const axes = [[[min, far], "margins divided by"], [[0, top], "mean loss (nats)"]];
  const { x, y, inside } = plot(image, width, HEIGHT, ...axes);
  inside.append(
    line("rlhw-exact", [[x(min), y(Math.LN2)], [x(far), y(Math.LN2)]]),
    line("rlhw-line rlhw-first", places.map((place, i) => [x(place), y(losses[i])])),
    dots("rlhw-big rlhw-dots rlhw-first", [[x(temperature), y(loss)]]),
  );
  return `Mean loss against what divides the margins: ${show(loss, 3)} nats at ${show(temperature)}; least near ` +
    `${show(best, 1)}. A coin has ln 2 = 0.693.`;
}

function rows(model) {
  const each = MODELS.map((name) => {
    const { loss, accuracy } = measured(model, name);
    return [named(model, name), show(reliability(model, name).error, 3), show(loss, 3), show(accuracy, 3)];
  });
  return [...each, ["a coin", "0.000", show(Math.LN2, 3), "0.500"]];
}

function sentence(model) {
  const { divided, votes, loss, accuracy } = measured(model);
  const { error, predicted, counts } = reliability(model);
  const said = dot(predicted, counts) / votes.length;
  const side = loss > Math.LN2 ? "more than" : "less than";
  const name = named(model, model.get("reward_model"));
  return `Model: ${name}. With its margins divided by ${show(model.get("temperature"))} it gives the higher score a ` +
    `probability of ${show(said)} on average, and of the ${divided.length} votes a share of ${show(accuracy)} agrees. ` +
    `Calibration error ${show(error, 3)}; mean loss ${show(loss, 3)} nats, ${side} a coin's ${show(Math.LN2, 3)}. ` +
    "The accuracy is the same whatever divides the margins: dividing changes no sign.";
}

const KEY = [
  ["rlhw-first rlhw-round", "a bin, with its votes"], ["rlhw-second", "its error"], ["rlhw-exact", "calibrated"],
];
const LOSS_KEY = [["rlhw-first rlhw-round", "this model"], ["rlhw-exact", "ln 2: a coin"]];

export default {
  render({ model, el }) {
    const options = ["reward_model", "bins", "temperature"];
    const view = open(model, el, "Do a reward model's probabilities mean what they say?", options);
    const draw = (drawing) => (image, width) => drawing(model, image, width);
    const entries = MODELS.map((name) => [name, named(model, name)]);
    const head = ["model", "calibration error", "mean loss (nats)", "accuracy"];
    el.append(
      html("p", { class: "rlhw-note" }, "Margins and votes were computed beforehand; how: card reward_calibration."),
      html("div", { class: "rlhw-row" }, choices(view, "reward_model", "model", entries)),
      html("div", { class: "rlhw-controls" }, slider(view, "bins"), slider(view, "temperature")),
      html("div", { class: "rlhw-pictures" },
        picture(view, ["Reliability on held-out votes"], KEY, HEIGHT, draw(drawReliability)),
        picture(view, ["Mean loss on the same votes"], LOSS_KEY, HEIGHT, draw(drawLoss))),
      table(view, "All with their margins divided by the same number", head, () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
