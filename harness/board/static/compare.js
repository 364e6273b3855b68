// Two contributions of one track, side by side and paired by seed.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const data = readData("data");
  const entries = Object.fromEntries(data.entries.map((e) => [e.name, e]));
  const one = document.getElementById("one");
  const two = document.getElementById("two");
  const obey = () => {
    const asked = askedNames();
    if (Object.hasOwn(entries, asked[0])) one.value = asked[0];
    if (Object.hasOwn(entries, asked[1])) two.value = asked[1];
    else if (two.options.length > 1 && one.value === two.value) two.selectedIndex = 1;
  };
  const show = () => {
    const [a, b] = [entries[one.value], entries[two.value]];
    if (!a || !b) return;
    history.replaceState(null, "", "#" + [a.name, b.name].map(encodeURIComponent).join(","));
    fillFigures(a, b, data.figures);
    fillSeeds(a, b, data.t);
    fillSheets(a, b);
    const curves = [a, b].filter((e) => Object.hasOwn(CURVES, e.name)).map((e) => [e.name, CURVES[e.name]]);
    drawCurves(document.getElementById("curves"), curves);
  };
  one.addEventListener("change", show);
  two.addEventListener("change", show);
  // A link to the page that is open already changes the part after "#" and loads nothing.
  addEventListener("hashchange", () => {
    obey();
    show();
  });
  charts.push(show);
  obey();
  show();
});

// The two names after "#"; none when a link was cut off in the middle of an escaped character.
function askedNames() {
  try {
    return decodeURIComponent(location.hash.slice(1)).split(",");
  } catch (error) {
    if (error instanceof URIError) return [];
    throw error;
  }
}

function cells(row, values) {
  values.forEach((value, i) => {
    const cell = document.createElement(i ? "td" : "th");
    if (!i) cell.scope = "row";
    if (typeof value === "number" || (i && /^[-+\d.–]/.test(value))) cell.className = "n";
    cell.textContent = value;
    row.append(cell);
  });
}

function fill(id, rows) {
  const body = document.querySelector(`#${id} tbody`);
  body.replaceChildren(
    ...rows.map((values) => {
      const row = document.createElement("tr");
      cells(row, values);
      return row;
    }),
  );
}

function fillFigures(a, b, figures) {
  document.getElementById("head-one").textContent = a.name;
  document.getElementById("head-two").textContent = b.name;
  document.getElementById("seeds-one").textContent = `${a.name}, gain %`;
  document.getElementById("seeds-two").textContent = `${b.name}, gain %`;
  fill(
    "figures",
    figures.map(([key, label, direction, factor, digits]) => {
      const say = (v) => (v === null ? "–" : (factor * v).toFixed(digits));
      const known = a[key] !== null && b[key] !== null && a[key] !== b[key];
      const first = direction > 0 ? a[key] > b[key] : a[key] < b[key];
      return [label, say(a[key]), say(b[key]), known ? (first ? a.name : b.name) : ""];
    }),
  );
}

function fillSeeds(a, b, t) {
  const shared = a.seeds.filter((seed) => b.seeds.includes(seed));
  const pairs = shared.map((seed) => [
    seed,
    a.gains[a.seeds.indexOf(seed)],
    b.gains[b.seeds.indexOf(seed)],
  ]);
  const percent = (v) => (100 * v).toFixed(2);
  fill("seeds", pairs.map(([seed, x, y]) => [seed, percent(x), percent(y), percent(x - y)]));
  const differences = pairs.map(([, x, y]) => x - y);
  const n = differences.length;
  const sentence = document.getElementById("sentence");
  if (a.name === b.name) sentence.textContent = "Choose two different ones.";
  else if (!n) sentence.textContent = "They share no seed, so nothing can be paired.";
  else {
    const mean = differences.reduce((sum, d) => sum + d, 0) / n;
    const [more, less] = mean < 0 ? [b, a] : [a, b];
    let text = `${more.name} gains ${percent(Math.abs(mean))} points more than ${less.name}, `;
    text += `mean over ${n} seeds`;
    if (n > 1 && t[n - 2]) {
      const spread = Math.sqrt(differences.reduce((s, d) => s + (d - mean) ** 2, 0) / (n - 1));
      const half = (t[n - 2] * spread) / Math.sqrt(n);
      const clear = mean - half > 0 || mean + half < 0;
      const ends = [Math.abs(mean) - half, Math.abs(mean) + half].map(percent).join(" to ");
      text += `; 95 % interval ${ends}: `;
      text += clear ? "a clear difference between these two" : "no clear difference";
      text += ". Among many pairs, some look clear by chance: the groups correct for that.";
    }
    sentence.textContent = text;
  }
}

function fillSheets(a, b) {
  const figures = [a, b].map((e) => {
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = e.sheet ? e.name : `${e.name}: no pictures`;
    if (e.sheet) {
      const picture = new Image();
      picture.className = "sheet";
      picture.src = e.sheet;
      picture.alt = `Pictures of ${e.name}`;
      picture.addEventListener("load", sameScale);
      figure.append(picture);
    }
    figure.prepend(caption);
    return figure;
  });
  document.getElementById("sheets").replaceChildren(...figures);
}

// The reference's sheet has a column less: both are shown so large that their pictures are as large.
function sameScale() {
  const pictures = [...document.querySelectorAll("#sheets img")];
  const widest = Math.max(...pictures.map((p) => p.naturalWidth));
  for (const p of pictures) p.style.maxWidth = `${(100 * p.naturalWidth) / widest}%`;
}
