// What widgets share that read a summary token by token: its words, the way along them, and the laws of the next word.
// `read(model)` gives {example, steps, position, step}.

function named(word) {
  return word === "<eos>" ? "(end)" : word;
}

// For each word one bar a law; the word that follows stands on a tinted row. The rest of each law goes to "other words".
// `laws` are [series, name in a step, name in words].
function drawNextWords(image, width, height, step, laws) {
  const rest = (values) => Math.max(0, 1 - cumulativeSum(values).at(-1));
  const words = [...step.words, null];
  const [left, right, top, row] = [104, 48, 26, (height - 66) / words.length];
  const x = scale([0, 1], [left, width - right]);
  const bottom = top + row * words.length;
  const chosen = { x: 0, y: top + row * step.words.indexOf(step.word), width, height: row };
  image.append(svg("rect", { class: "rlhw-chosen", ...chosen }));
  for (const tick of [0, 0.5, 1]) {
    const place = { x1: x(tick), x2: x(tick), y1: top, y2: bottom };
    image.append(svg("line", { class: tick ? "rlhw-rule" : "rlhw-zero", ...place }));
  }
  horizontalAxis(image, x, [0, 1], bottom, "probability of the next word");
  const thick = (row - 8) / laws.length;
  words.forEach((word, i) => {
    const text = word === null ? "other words" : named(word);
    const kind = word === null ? "rlhw-name" : word === step.word ? "rlhw-strong" : "";
    image.append(svg("text", { class: kind, x: left - 8, y: top + row * (i + 0.5) + 4, "text-anchor": "end" }, text));
    laws.forEach(([series, law], place) => {
      const value = word === null ? rest(step[law]) : step[law][i];
      const y = top + row * i + 4 + place * thick;
      image.append(
        svg("rect", { class: `rlhw-bar ${series}`, x: left, y, width: x(value) - left, height: thick - 1 }),
        svg("text", { class: "rlhw-small", x: x(value) + 4, y: y + thick / 2 + 4 }, value < 5e-4 ? "0" : show(value, 3)),
      );
    });
  });
  image.append(svg("text", { class: "rlhw-name", x: left - 8, y: 16, "text-anchor": "end" }, "next word"));
  const at = step.words.indexOf(step.word);
  const each = laws.map(([, law, name]) => `${name} ${show(step[law][at], 3)}`).join(", ");
  return `The next word is ${named(step.word)}. Its probability: ${each}.`;
}

function paragraph(view, parts) {
  const node = html("p", { class: "rlhw-reading" });
  view.follow(() => node.replaceChildren(...parts()));
  return node;
}

// The post, and the summary word by word: what was read, the word looked at, and what is still to come.
function texts(view, read, title) {
  const kinds = (t, position) => (t < position ? "" : t === position ? "rlhw-now" : "rlhw-later");
  const words = ({ steps, position }) => steps.flatMap(({ word }, i) =>
    [html("span", { class: kinds(i + 1, position) }, named(word)), " "]);
  return [
    paragraph(view, () => {
      const { example } = read(view.model);
      return [html("b", {}, `Post (${example.kind}): `), example.post];
    }),
    paragraph(view, () => [html("b", {}, `${title(view.model)}: `), ...words(read(view.model))]),
  ];
}

// A slider over the tokens of the summary, and a button each way.
function walk(view, read) {
  const { model } = view;
  const way = slider(view, "position");
  const [back, on] = [[-1, "← previous"], [1, "next →"]].map(([by, label]) => button(label, () => {
    const to = model.get("position") + by;
    if (to >= 1 && to <= read(model).steps.length) write(model, "position", to);
  }));
  view.follow(() => {
    const { position, steps } = read(model);
    const input = way.querySelector("input");
    input.max = steps.length;
    input.value = position;
    back.setAttribute("aria-disabled", position === 1);
    on.setAttribute("aria-disabled", position === steps.length);
  });
  return html("div", { class: "rlhw-controls" }, way, html("div", { class: "rlhw-row" }, back, on));
}
