"use strict";
// Reads values back from the charts under the pointer, or along the arrow keys. Nothing depends on it.
for (const chart of document.querySelectorAll("svg.chart[data-x]")) {
  const scale = (text) => {
    const [kind, ...numbers] = text.split(",");
    const [low, high, start, end, zero] = numbers.map(Number);
    const value = (px) => {
      if (zero !== undefined && Math.abs(px - zero) < Math.abs(px - start)) return 0;
      const part = Math.min(1, Math.max(0, (px - start) / (end - start)));
      return kind === "log" ? low * (high / low) ** part : low + (high - low) * part;
    };
    return { value, from: Math.min(start, zero ?? start), to: end };
  };
  const x = scale(chart.dataset.x), y = scale(chart.dataset.y);
  const lines = [...chart.querySelectorAll("g[data-name]")].map((group) => {
    const path = group.querySelector(".line");
    const pieces = path ? path.getAttribute("d").split("M").slice(1) : [];
    return {
      name: group.dataset.name,
      pieces: pieces.map((piece) => {
        const numbers = piece.match(/-?\d*\.?\d+/g).map(Number);
        return numbers.flatMap((number, i) => (i % 2 ? [] : [[number, numbers[i + 1]]]));
      }),
    };
  });
  const height = (line, at) => {
    for (const piece of line.pieces)
      for (let i = 0; i < piece.length; i++) {
        const [a, b] = [piece[Math.max(0, i - 1)], piece[i]];
        if (at >= a[0] - 0.6 && at <= b[0] + 0.6)
          return b[0] > a[0] ? a[1] + ((b[1] - a[1]) * (Math.min(at, b[0]) - a[0])) / (b[0] - a[0]) : b[1];
      }
  };
  const say = (number) => {
    const size = Math.abs(number);
    return size && (size < 1e-3 || size >= 1e6) ? number.toExponential(2) : String(+number.toPrecision(size >= 1e3 ? 4 : 3));
  };
  // The native tooltip of <title> would lie over the read-out.
  const title = chart.querySelector("title"), description = chart.querySelector("desc");
  chart.removeAttribute("aria-labelledby");
  chart.setAttribute("aria-label", title.textContent + ". " + description.textContent);
  title.remove();
  const cursor = document.createElementNS(chart.namespaceURI, "path");
  cursor.setAttribute("class", "cursor");
  const readout = document.createElement("div");
  readout.className = "readout";
  const plot = chart.parentElement, figure = plot.parentElement;
  const box = chart.viewBox.baseVal;
  let at = x.from;
  const hide = () => { cursor.remove(); readout.remove(); };
  const show = () => {
    at = Math.min(x.to, Math.max(x.from, at));
    const values = lines.map((line) => [line.name, height(line, at)]).filter(([, px]) => px !== undefined);
    values.sort((a, b) => a[1] - b[1]);
    readout.textContent = ["on the lines, at " + say(x.value(at)), ...values.slice(0, 14).map(([name, px]) => say(y.value(px)) + "   " + name.slice(0, 40))].join("\n");
    cursor.setAttribute("d", `M${at} 30V${box.height - 46}`);
    chart.append(cursor);
    figure.append(readout);
    const zoom = chart.getBoundingClientRect().width / box.width;
    const left = at * zoom + 14;
    readout.style.left = (left + readout.offsetWidth > figure.clientWidth ? Math.max(0, at * zoom - readout.offsetWidth - 14) : left) + "px";
    readout.style.top = plot.offsetTop + 34 * zoom + "px";
  };
  chart.addEventListener("pointermove", (event) => {
    const edges = chart.getBoundingClientRect();
    at = ((event.clientX - edges.left) * box.width) / edges.width;
    show();
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -8, ArrowRight: 8 }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    at += step;
    show();
  });
}
