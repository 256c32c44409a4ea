// A grid of cells with values, arrows and rewards. One cell has the focus; arrow keys move it, and Enter, or a digit, goes
// on to the field with the reward of that cell. Spoken as a grid: each cell says where it is and what it holds.

const DIRECTIONS = ["up", "right", "down", "left"];
const STEPS = { ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowDown: [1, 0], ArrowLeft: [0, -1] };

// The cells that are no walls, in reading order, and the place of each in that list.
function gridCells(layout) {
  const all = layout.flatMap((signs, row) => [...signs].map((sign, column) => ({ row, column, sign })));
  const cells = all.filter(({ sign }) => sign !== "#");
  return { cells, index: new Map(cells.map(({ row, column }, state) => [`${row},${column}`, state])) };
}

// Two digits after the point, fewer for a large number: it must fit its cell.
function brief(number) {
  return show(number, Math.abs(number) < 9.995 ? 2 : Math.abs(number) < 99.95 ? 1 : 0);
}

function rewardText(reward) {
  return signed(reward, Number.isInteger(reward) ? 0 : 1);
}

function spokenCell({ sign, value, arrows, reward }) {
  if (sign === "#") return "wall";
  if (sign === "G") return `an end; entering it earns ${rewardText(reward)}`;
  const moves = arrows.length ? `best ${arrows.length > 1 ? "moves" : "move"} ${arrows.join(" or ")}` : "all moves as good";
  return `value ${show(value)}, ${moves}; entering it earns ${rewardText(reward)}`;
}

function drawCell(node, cell, largest) {
  const { sign, value, arrows, reward } = cell;
  node.className = sign === "#" ? "rlhw-wall" : sign === "G" ? "rlhw-end" : value < 0 ? "rlhw-second" : "rlhw-first";
  node.style.setProperty("--share", sign === "." ? (Math.abs(value) / largest).toFixed(3) : 0);
  const parts = sign === "#" ? [] : [
    html("b", {}, sign === "G" ? "end" : brief(value)),
    ...(reward || sign === "G" ? [html("small", {}, rewardText(reward))] : []),
    ...arrows.map((direction) => html("i", { class: `rlhw-${direction}` })),
  ];
  node.replaceChildren(...parts);
}

// The number field of the chosen cell. `target` says whose reward it is: its name, and its place in the list or null.
function rewardField(view, option, target) {
  const { min, max, step, label } = view.model.get("_ranges")[option];
  const input = html("input", { type: "number", min, max, step });
  const name = html("span");
  const update = () => {
    const { place, state } = target();
    name.textContent = `${label} ${place} (${show(min, 0)} to ${show(max, 0)})`;
    input.disabled = state === null;
    const value = input.disabled ? "" : view.model.get(option)[state];
    // a reader who is typing keeps the text: "1." and "1.0" are 1
    if (input.value === "" || Number(input.value) !== value) input.value = value;
    input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => {
    const [number, { state }] = [Number(input.value), target()];
    if (input.value === "" || number < min || number > max) input.setAttribute("aria-invalid", true);
    else write(view.model, option, view.model.get(option).map((old, i) => (i === state ? number : old)));
  });
  input.addEventListener("blur", update);
  return { input, update, node: html("div", { class: "rlhw-edit" }, html("label", {}, name, " ", input)) };
}

// `read` hands out, for the model of now, the name of the whole and what stands in each cell that is no wall.
function editableGrid(view, option, layout, read) {
  const { index } = gridCells(layout);
  const nodes = layout.map((signs) => [...signs].map(() => html("td", { role: "gridcell" })));
  let [row, column] = [0, 0];
  const field = rewardField(view, option, () =>
    ({ place: `row ${row + 1}, column ${column + 1}`, state: index.get(`${row},${column}`) ?? null }));
  const table = html("table", { role: "grid", class: "rlhw-grid" },
    html("tbody", { role: "rowgroup" }, ...nodes.map((line) => html("tr", { role: "row" }, ...line))));
  const update = () => {
    const { name, cells } = read();
    const largest = Math.max(1e-9, ...cells.map(({ value }) => Math.abs(value)));
    table.setAttribute("aria-label", name);
    nodes.forEach((line, i) => line.forEach((node, j) => {
      const [state, chosen] = [index.get(`${i},${j}`), i === row && j === column];
      const cell = { ...cells[state], sign: layout[i][j] };
      node.tabIndex = chosen ? 0 : -1;
      node.setAttribute("aria-selected", chosen);
      node.setAttribute("aria-label", `row ${i + 1}, column ${j + 1}: ${spokenCell(cell)}`);
      drawCell(node, cell, largest);
    }));
    field.update();
  };
  const choose = (to) => {
    [row, column] = [Math.max(0, Math.min(nodes.length - 1, to[0])), Math.max(0, Math.min(nodes[0].length - 1, to[1]))];
    update();
    nodes[row][column].focus();
  };
  nodes.forEach((line, i) => line.forEach((node, j) => node.addEventListener("click", () => choose([i, j]))));
  table.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = STEPS[event.key];
    const edit = event.key === "Enter" || /^[-+.\d]$/.test(event.key); // the sign or digit goes into the field
    if (!step && !edit) return;
    event.stopPropagation(); // a notebook has shortcuts of its own
    if (step || event.key === "Enter") event.preventDefault();
    if (step) choose([row + step[0], column + step[1]]);
    else if (!field.input.disabled) { field.input.focus(); field.input.select(); }
  });
  field.input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.stopPropagation();
    nodes[row][column].focus();
  });
  view.follow(update);
  return html("div", { "data-lm-suppress-shortcuts": "true" }, table, field.node);
}
