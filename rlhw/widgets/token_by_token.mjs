// A summary read token by token: the laws of the next word, its log-probability, and their running sum.

const LAWS = ["teacher", "after", "before"];
const NAMES = ["teacher", "after cloning", "before cloning"];
const SERIES = ["rlhw-third", "rlhw-first", "rlhw-second"];
const [BARS, SUMS, NEAR] = [470, 240, 200]; // heights of the pictures

// What is looked at: the example, its step, and the sums of log-probabilities under each law up to every token.
function reading(model) {
  const [post, position] = [model.get("post"), model.get("position")];
  const example = model.get("examples")[post];
  const sums = LAWS.map((_, law) => cumulativeSum(example.steps.map(({ logprobs }) => logprobs[law])));
  return { example, steps: example.steps, position, step: example.steps[position - 1], sums };
}

function named(word) {
  return word === "<eos>" ? "(end)" : word;
}

// For each word three bars, one a law; the word that follows stands on a tinted row. The rest goes to "other words".
function drawLaws(model, image, width) {
  const { step } = reading(model);
  const rest = (values) => Math.max(0, 1 - cumulativeSum(values).at(-1));
  const words = [...step.words, null];
  const [left, right, top, row] = [104, 48, 26, (BARS - 66) / words.length];
  const x = scale([0, 1], [left, width - right]);
  const bottom = top + row * words.length;
  const chosen = { x: 0, y: top + row * step.words.indexOf(step.word), width, height: row };
  image.append(svg("rect", { class: "rlhw-chosen", ...chosen }));
  for (const tick of [0, 0.5, 1]) {
    const place = { x1: x(tick), x2: x(tick), y1: top, y2: bottom };
    image.append(svg("line", { class: tick ? "rlhw-rule" : "rlhw-zero", ...place }));
  }
  horizontalAxis(image, x, [0, 1], bottom, "probability of the next word");
  words.forEach((word, i) => {
    const label = word === null ? "other words" : named(word);
    const kind = word === null ? "rlhw-name" : word === step.word ? "rlhw-strong" : "";
    image.append(svg("text", { class: kind, x: left - 8, y: top + row * (i + 0.5) + 4, "text-anchor": "end" }, label));
    LAWS.forEach((law, place) => {
      const value = word === null ? rest(step[law]) : step[law][i];
      const thick = (row - 8) / 3;
      const y = top + row * i + 4 + place * thick;
      image.append(
        svg("rect", { class: `rlhw-bar ${SERIES[place]}`, x: left, y, width: x(value) - left, height: thick - 1 }),
        svg("text", { class: "rlhw-small", x: x(value) + 4, y: y + thick - 2 }, value < 5e-4 ? "0" : show(value, 3)),
      );
    });
  });
  image.append(svg("text", { class: "rlhw-name", x: left - 8, y: 16, "text-anchor": "end" }, "next word"));
  const at = step.words.indexOf(step.word);
  const each = LAWS.map((law, i) => `${NAMES[i]} ${show(step[law][at], 3)}`).join(", ");
  return `The next word is ${named(step.word)}. Its probability: ${each}.`;
}

// Running sums under these of the LAWS; the teacher's broad line lies under the others.
function drawSums(model, image, width, height, laws) {
  const { steps, position, sums } = reading(model);
  const lowest = 1.08 * Math.min(...laws.flatMap((law) => sums[law]));
  const axes = [[[0, steps.length], "tokens read, t"], [[lowest, 0], "sum of log π so far (nats)"]];
  const { x, y, inside } = plot(image, width, height, ...axes);
  inside.append(svg("line", { class: "rlhw-zero", x1: x(position), x2: x(position), y1: y(0), y2: y(lowest) }));
  laws.forEach((law) => {
    const [wide, size] = law === 0 ? ["rlhw-broad", "rlhw-big"] : ["", "rlhw-middle"];
    inside.append(
      line(`rlhw-line ${wide} ${SERIES[law]}`, [0, ...sums[law]].map((sum, t) => [x(t), y(sum)])),
      dots(`rlhw-dots ${size} ${SERIES[law]}`, [[x(position), y(sums[law][position - 1])]]),
    );
  });
  const each = laws.map((law) => `${NAMES[law]} ${show(sums[law][position - 1])}`).join(", ");
  return `Running sums of the log-probabilities after ${position} of ${steps.length} tokens: ${each} nats.`;
}

// The summary, word by word: what was read, the word looked at, and what is still to come.
function summary(view) {
  const node = html("p", { class: "rlhw-reading" });
  view.follow(() => {
    const { steps, position } = reading(view.model);
    const kinds = (t) => (t < position ? "" : t === position ? "rlhw-now" : "rlhw-later");
    const words = steps.map(({ word }, i) => html("span", { class: kinds(i + 1) }, named(word)));
    node.replaceChildren(html("b", {}, "Summary: "), ...words.flatMap((word) => [word, " "]));
  });
  return node;
}

function post(view) {
  const node = html("p", { class: "rlhw-reading" });
  view.follow(() => node.replaceChildren(html("b", {}, `Post (${reading(view.model).example.kind}): `),
    reading(view.model).example.post));
  return node;
}

function controls(view) {
  const { model } = view;
  const choose = (value) => { // a shorter summary: the position first, so that both fit at every moment
    model.set("position", Math.min(model.get("position"), model.get("examples")[value].steps.length));
    write(model, "post", value);
  };
  const entries = model.get("examples").map((_, i) => [i, String(i + 1)]);
  const walk = slider(view, "position");
  const [back, on] = [[-1, "← previous"], [1, "next →"]].map(([by, label]) => button(label, () => {
    const to = model.get("position") + by;
    if (to >= 1 && to <= reading(model).steps.length) write(model, "position", to);
  }));
  view.follow(() => {
    const { position, steps } = reading(model);
    const input = walk.querySelector("input");
    input.max = steps.length;
    input.value = position;
    back.setAttribute("aria-disabled", position === 1);
    on.setAttribute("aria-disabled", position === steps.length);
  });
  return [
    html("div", { class: "rlhw-row" }, choices(view, "post", "post", entries, choose)),
    post(view),
    summary(view),
    html("div", { class: "rlhw-controls" }, walk, html("div", { class: "rlhw-row" }, back, on)),
  ];
}

function rows(model) {
  const { step, position, sums } = reading(model);
  return LAWS.map((law, i) => [NAMES[i], show(step.logprobs[i]), show(sums[i][position - 1]), show(sums[i].at(-1)),
    i === 0 ? "0" : show(step.kl[i - 1], 3)]);
}

function sentence(model) {
  const { step, steps, position, sums } = reading(model);
  const at = step.words.indexOf(step.word);
  const [teacher, after, before] = LAWS.map((law) => show(step[law][at], 3));
  return `Token ${position} of ${steps.length} is ${named(step.word)}. The teacher writes it here with probability ` +
    `${teacher}; the model gave it ${before} before cloning and gives it ${after} after. The sum so far is ` +
    `${show(sums[0][position - 1])} for the teacher, ${show(sums[2][position - 1])} before and ` +
    `${show(sums[1][position - 1])} after cloning.`;
}

const KEY = SERIES.map((series, i) => [series, NAMES[i]]);

export default {
  render({ model, el }) {
    const view = open(model, el, "A summary, token by token", ["post", "position"]);
    const laws = (image, width) => drawLaws(model, image, width);
    const sums = (height, which) => (image, width) => drawSums(model, image, width, height, which);
    const head = ["law", "log π", "sum", "whole", "KL"];
    el.append(
      html("p", { class: "rlhw-note" }, "Computed beforehand, not in your browser; how: card token_by_token."),
      ...controls(view),
      html("div", { class: "rlhw-pictures" },
        picture(view, ["Which word comes next?"], KEY, BARS, laws),
        html("div", {},
          picture(view, ["log π(y|x), token by token"], KEY, SUMS, sums(SUMS, [0, 1, 2])),
          picture(view, ["The same, nearer"], KEY.slice(0, 2), NEAR, sums(NEAR, [0, 1])))),
      table(view, "In nats: this token, the sum so far, the whole summary; KL(teacher ‖ model) of the next word", head,
        () => rows(model)),
      spoken(view, () => sentence(model)),
    );
    return view.end;
  },
};
