// Which of two answers is better. The page sends what was chosen and shows nothing new until Python has answered: by then
// the label is on the disk.

const LATE = 4000; // milliseconds until the page says that it still waits for Python
const NO_KERNEL = "Labelling needs a running kernel, and none answers here. Open the notebook in Jupyter or Colab and run " +
  "this cell; if other cells are still running, wait for them.";
const NO_ANSWER = "Python has not answered yet, so this is not saved: it is once the next pair appears. Is another cell " +
  "running, or was the kernel stopped?";
// What the keys do, in the order of the buttons: the message, and what stands on the button.
const ACTIONS = [
  { key: "ArrowLeft", sign: "←", label: "answer 1 is better", message: { kind: "choose", choice: "first" } },
  { key: "ArrowRight", sign: "→", label: "answer 2 is better", message: { kind: "choose", choice: "second" } },
  { key: "t", sign: "t", label: "tie", message: { kind: "choose", choice: "tie" } },
  { key: "s", sign: "s", label: "skip", message: { kind: "skip" } },
  { key: "u", sign: "u", label: "undo", message: { kind: "undo" } },
];

function block(name) {
  const text = html("p", { class: "rlhw-text", dir: "auto" });
  const node = html("div", { class: "rlhw-shown", role: "group", "aria-label": name },
    html("p", { class: "rlhw-caption", "aria-hidden": "true" }, name), text);
  const write = (words) => {
    text.textContent = words || "(empty)";
    text.classList.toggle("rlhw-empty", !words);
  };
  return { node, write };
}

function progressOf({ labelled, total, skipped }) {
  return `${labelled} of ${total} labelled, ${skipped} skipped`;
}

// What the page knows beside what Python said: whether a kernel has ever answered, what it waits for, since when a pair is shown.
function talk(view, redraw) {
  const state = { alive: false, waiting: false, late: false, turn: null, since: 0 };
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    Object.assign(state, { waiting: true, late: false });
    timer = setTimeout(() => { state.late = true; redraw(); }, LATE);
  };
  const send = (message) => {
    wait();
    try { view.model.send(message); } catch { state.late = true; } // the kernel has gone
    redraw();
  };
  const heard = () => {
    clearTimeout(timer);
    const { turn } = view.model.get("_shown");
    if (!state.alive || turn !== state.turn) Object.assign(state, { turn, since: performance.now() });
    Object.assign(state, { alive: true, waiting: false, late: false });
    redraw();
  };
  view.model.on("change:_shown", heard);
  view.ends.push(() => { clearTimeout(timer); view.model.off("change:_shown", heard); });
  return { state, send };
}

function possible({ state }, { pair, can_undo }, { message }) {
  return state.alive && !state.waiting && (message.kind === "undo" ? can_undo : pair !== null);
}

function press(view, line, action) {
  const shown = view.model.get("_shown");
  if (!possible(line, shown, action)) return;
  const seconds = Math.round(performance.now() - line.state.since) / 1000;
  line.send({ ...action.message, turn: shown.turn, ...(action.message.kind === "choose" ? { seconds } : {}) });
}

// Keys count where the widget has the focus, alone and without Ctrl, Alt, Meta or Shift; others go their way.
function listen(view, el, line) {
  const down = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.isComposing) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = ACTIONS.find((one) => one.key === key);
    if (!action || !line.state.alive) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook has shortcuts of its own for some of these
    if (!event.repeat) press(view, line, action);
  };
  el.addEventListener("keydown", down);
  view.ends.push(() => el.removeEventListener("keydown", down));
}

export default {
  render({ model, el }) {
    const view = open(model, el, "Which answer is better?", []);
    el.tabIndex = 0;
    el.dataset.lmSuppressShortcuts = "true"; // else JupyterLab sees keys first
    const [prompt, first, second] = [block("prompt"), block("answer 1"), block("answer 2")];
    const pair = html("div", {}, prompt.node, html("div", { class: "rlhw-answers" }, first.node, second.node));
    const bar = html("progress", { "aria-label": "labelled" });
    const words = html("p", { class: "rlhw-words", role: "status", "aria-atomic": "true" });
    const buttons = ACTIONS.map((action) => {
      const node = button("", () => press(view, line, action));
      node.append(html("kbd", {}, action.sign), action.label);
      node.setAttribute("aria-keyshortcuts", action.key);
      return node;
    });
    const hint = html("p", { class: "rlhw-hint" }, "The keys work while this frame has the focus: click into it, or use Tab.");
    const actions = html("div", {}, html("div", { class: "rlhw-actions" }, ...buttons), hint);
    const redraw = () => {
      const shown = model.get("_shown");
      const { alive, waiting, late } = line.state;
      pair.hidden = shown.pair === null;
      if (shown.pair) {
        prompt.write(shown.pair.prompt);
        first.write(shown.pair.first);
        second.write(shown.pair.second);
      }
      actions.hidden = !alive;
      buttons.forEach((node, i) => node.setAttribute("aria-disabled", !possible(line, shown, ACTIONS[i])));
      Object.assign(bar, { max: shown.total, value: shown.labelled });
      const sentence = late ? (alive ? NO_ANSWER : NO_KERNEL) : alive ? `${shown.said} ${progressOf(shown)}.` : "Waiting for Python.";
      if (!waiting || late || !alive) words.textContent = sentence;
      el.setAttribute("aria-busy", waiting && !late);
    };
    const line = talk(view, redraw);
    listen(view, el, line);
    el.append(pair, actions, bar, words);
    line.send({ kind: "hello" });
    return view.end;
  },
};
