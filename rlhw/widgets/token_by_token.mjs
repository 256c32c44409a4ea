// A summary read token by token: the laws of the next word, its log-probability, and their running sum.

// The series of each law, its name in a step, and its name in words; their log-probabilities stand in this order.
const LAWS = [["rlhw-third", "teacher", "teacher"], ["rlhw-first", "after", "after cloning"],
  ["rlhw-second", "before", "before cloning"]];
const [BARS, SUMS, NEAR] = [470, 240, 200]; // heights of the pictures

// What is looked at: the example, its step, and the sums of log-probabilities under each law up to every token.
function reading(model) {
  const [post, position] = [model.get("post"), model.get("position")];
  const example = model.get("examples")[post];
  const sums = LAWS.map((_, law) => cumulativeSum(example.steps.map(({ logprobs }) => logprobs[law])));
  return { example, steps: example.steps, position, step: example.steps[position - 1], sums };
}

// Running sums under these of the LAWS; the teacher's broad line lies under the others.
function drawSums(model, image, width, height, laws) {
  const { steps, position, sums } = reading(model);
  const lowest = 1.08 * Math.min(...laws.flatMap((law) => sums[law]));
  const axes = [[[0, steps.length], "tokens read, t"], [[lowest, 0], "sum of log π so far (nats)"]];
  const { x, y, inside } = plot(image, width, height, ...axes);
  inside.append(svg("line", { class: "rlhw-zero", x1: x(position), x2: x(position), y1: y(0), y2: y(lowest) }));
  laws.forEach((law) => {
    const [[series], [wide, size]] = [LAWS[law], law === 0 ? ["rlhw-broad", "rlhw-big"] : ["", "rlhw-middle"]];
    inside.append(
      line(`rlhw-line ${wide} ${series}`, [0, ...sums[law]].map((sum, t) => [x(t), y(sum)])),
      dots(`rlhw-dots ${size} ${series}`, [[x(position), y(sums[law][position - 1])]]),
    );
  });
  const each = laws.map((law) => `${LAWS[law][2]} ${show(sums[law][position - 1])}`).join(", ");
  return `Running sums of the log-probabilities after ${position} of ${steps.length} tokens: ${each} nats.`;
}

function controls(view) {
  const { model } = view;
  const choose = (value) => { // a shorter summary: the position first, so that both fit at every moment
    model.set("position", Math.min(model.get("position"), model.get("examples")[value].steps.length));
    write(model, "post", value);
  };
  const entries = model.get("examples").map((_, i) => [i, String(i + 1)]);
  return [
    html("div", { class: "rlhw-row" }, choices(view, "post", "post", entries, choose)),
    ...texts(view, reading, () => "Summary"),
    walk(view, reading),
  ];
}

function rows(model) {
  const { step, position, sums } = reading(model);
  return LAWS.map(([, , name], i) => [name, show(step.logprobs[i]), show(sums[i][position - 1]), show(sums[i].at(-1)),
    i === 0 ? "0" : show(step.kl[i - 1], 3)]);
}

function sentence(model) {
  const { step, steps, position, sums } = reading(model);
  const at = step.words.indexOf(step.word);
  const [teacher, after, before] = LAWS.map(([, law]) => show(step[law][at], 3));
  return `Token ${position} of ${steps.length} is ${named(step.word)}. The teacher writes it here with probability ` +
    `${teacher}; the model gave it ${before} before cloning and gives it ${after} after. The sum so far is ` +
    `${show(sums[0][position - 1])} for the teacher, ${show(sums[2][position - 1])} before and ` +
    `${show(sums[1][position - 1])} after cloning.`;
}

const KEY = LAWS.map(([series, , name]) => [series, name]);

export default {
  render({ model, el }) {
    const view = open(model, el, "A summary, token by token", ["post", "position"]);
    const laws = (image, width) => drawNextWords(image, width, BARS, reading(model).step, LAWS);
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
