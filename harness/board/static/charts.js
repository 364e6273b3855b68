// The plot of gain against cost, and the curves of the training loss.
"use strict";

const LIGHT = ["#0969da", "#bf3989", "#1a7f37", "#bc4c00", "#8250df", "#4d7c8a", "#9a6700", "#cf222e"];
const DARK = ["#6cb6ff", "#ff9bce", "#56d364", "#ffa657", "#bc8cff", "#9ecbd6", "#e3b341", "#ff8a80"];
const scheme = matchMedia("(prefers-color-scheme: dark)");
const charts = [];

function palette(i) {
  return (scheme.matches ? DARK : LIGHT)[i % LIGHT.length];
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function axis(title, type = "linear") {
  return {
    type,
    title: { display: true, text: title, color: colour("text") },
    ticks: { color: colour("soft") },
    grid: { color: colour("line") },
  };
}

function readData(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

// Writes names beside the points of tier 1 and the reference, where there is room for them.
const NAMES = {
  id: "names",
  afterDatasetsDraw(chart) {
    const { ctx, chartArea: area } = chart;
    const taken = chart.data.datasets.flatMap((_, i) =>
      chart.getDatasetMeta(i).data.map((p) => [p.x - 6, p.y - 6, p.x + 6, p.y + 6]),
    );
    const free = (box) =>
      box[0] >= area.left && box[2] <= area.right && box[1] >= area.top && box[3] <= area.bottom &&
      taken.every((t) => box[2] < t[0] || box[0] > t[2] || box[3] < t[1] || box[1] > t[3]);
    ctx.save();
    ctx.font = "12px system-ui, sans-serif";
    ctx.fillStyle = colour("text");
    ctx.textBaseline = "middle";
    let written = 0;
    for (const i of [2, 0]) {
      chart.getDatasetMeta(i).data.forEach((point, n) => {
        const name = chart.data.datasets[i].data[n].entry.name;
        const width = ctx.measureText(name).width;
        for (const [dx, dy] of [[10, 0], [-10 - width, 0], [-width / 2, -14], [-width / 2, 14]]) {
          const [x, y] = [point.x + dx, point.y + dy];
          const box = [x, y - 7, x + width, y + 7];
          if (!free(box)) continue;
          ctx.fillText(name, x, y);
          taken.push(box);
          written += 1;
          break;
        }
      });
    }
    ctx.restore();
    chart.canvas.dataset.names = written;
  },
};

function drawPlot(canvas, entries, select) {
  let chart;
  const draw = () => {
    const key = select.value;
    const label = select.selectedOptions[0].textContent;
    const points = entries
      .filter((e) => e.gain !== null && e[key] !== null)
      .map((e) => ({ x: e[key], y: 100 * e.gain, entry: e }));
    const first = points.filter((p) => p.entry.tier === 1);
    const rest = points.filter((p) => p.entry.tier !== 1 && !p.entry.is_reference);
    const reference = points.filter((p) => p.entry.is_reference);
    if (chart) chart.destroy();
    chart = new Chart(canvas, {
      type: "scatter",
      plugins: [NAMES],
      data: {
        datasets: [
          { label: "Pareto tier 1", data: first, backgroundColor: palette(0), borderColor: palette(0), pointRadius: 6, pointHoverRadius: 8 },
          { label: "tier 2", data: rest, backgroundColor: "transparent", borderColor: palette(0), pointRadius: 5, borderWidth: 1.5 },
          { label: "reference", data: reference, backgroundColor: palette(3), borderColor: palette(3), pointStyle: "rectRot", pointRadius: 9 },
        ],
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        scales: { x: axis(label), y: axis("gain, % of the base's held-out loss") },
        plugins: {
          legend: { labels: { color: colour("text"), usePointStyle: true } },
          tooltip: { callbacks: { label: (c) => `${c.raw.entry.name}: gain ${c.raw.y.toFixed(1)} %, ${label} ${c.raw.x}` } },
        },
        onClick: (event, hits) => {
          if (hits.length) {
            const { datasetIndex, index } = hits[0];
            const name = chart.data.datasets[datasetIndex].data[index].entry.name;
            location.href = `../contributions/${name}.html`;
          }
        },
      },
    });
    canvas.dataset.points = points.length;
  };
  select.addEventListener("change", draw);
  charts.push(draw);
  draw();
}

function drawCurves(canvas, named) {
  const previous = Chart.getChart(canvas);
  if (previous) previous.destroy();
  new Chart(canvas, {
    type: "line",
    data: {
      datasets: named.map(([name, curve], i) => ({
        label: name,
        data: curve.map(([x, y]) => ({ x, y })),
        borderColor: palette(i),
        borderDash: i < LIGHT.length ? [] : [6, 4],
        borderWidth: 2,
        pointRadius: 0,
      })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: { x: axis("step"), y: axis("training loss") },
      plugins: { legend: { labels: { color: colour("text") } } },
    },
  });
  canvas.dataset.curves = named.map(([name]) => name).join(" ");
}

function curvesOfTrack(canvas, data) {
  let names = data.first.filter((name) => Object.hasOwn(CURVES, name));
  const draw = () => drawCurves(canvas, names.map((name) => [name, CURVES[name]]));
  const field = document.getElementById("curve-name");
  const add = () => {
    const name = field.value.trim();
    if (Object.hasOwn(CURVES, name) && !names.includes(name)) names.push(name);
    field.value = "";
    draw();
  };
  document.getElementById("curve-add").addEventListener("click", add);
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    add();
  });
  document.getElementById("curve-clear").addEventListener("click", () => {
    names = [];
    draw();
  });
  charts.push(draw);
  draw();
}

addEventListener("DOMContentLoaded", () => {
  const data = readData("data");
  const plot = document.getElementById("plot");
  if (plot) drawPlot(plot, data.entries, document.getElementById("plot-x"));
  const canvas = document.getElementById("curves");
  if (plot && canvas) curvesOfTrack(canvas, data);
  const own = readData("own-curves");
  if (own) {
    const draw = () => drawCurves(canvas, own);
    charts.push(draw);
    draw();
  }
});

scheme.addEventListener("change", () => {
  for (const draw of charts) draw();
});
