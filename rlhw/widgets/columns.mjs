// Columns of bars side by side, and sliders of lists that may be longer than three.

// The slider of entry `index` of a list; "#" in its label stands for the entry's number.
function numbered(view, name, index) {
  const node = slider(view, name, index);
  const { label } = view.model.get("_ranges")[name];
  node.querySelector("label span").textContent = label.replace("#", index + 1);
  return node;
}

// For each of `heads` a column with one bar a series, its number on top; `heads` stand below, one line an entry.
function columns(image, width, height, [range, name], heads, series) {
  const [left, top, bottom] = [42, 26, height - 12 - 17 * heads[0].length];
  const [y, wide] = [scale(range, [bottom, top]), (width - left) / heads.length];
  verticalAxis(image, y, range, left, width, name);
  const thick = Math.min(40, (wide - 8) / series.length - 2);
  heads.forEach((lines, column) => {
    const middle = left + (column + 0.5) * wide;
    lines.forEach((text, row) => image.append(svg("text", {
      class: row ? "rlhw-small rlhw-name" : "", x: middle, y: bottom + 17 * (row + 1), "text-anchor": "middle",
    }, text)));
    series.forEach(({ values, kind, print }, index) => {
      const x = middle + (index - series.length / 2) * (thick + 2) + 1;
      const end = y(values[column]);
      image.append(
        svg("rect", { class: `rlhw-bar ${kind}`, x, y: end, width: thick, height: y(0) - end }),
        svg("text", { class: "rlhw-small", x: x + thick / 2, y: end - 4, "text-anchor": "middle" },
          print(values[column])),
      );
    });
  });
}
