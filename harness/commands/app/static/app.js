// What a page cannot do without a script: dropped files, saving while typing, staying up to date.
"use strict";

const EVERY_MS = 2000; // while something goes on
const AT_REST_MS = 10000; // another window, or the command line, may begin something
const AT_ONCE = 20; // files in one request
const asText = { headers: { accept: "text/plain" } };

async function post(address, body) {
  const answer = await fetch(address, { method: "POST", body, ...asText });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

function said(error) {
  return error instanceof TypeError ? "The app does not answer. Start it again: nox -s app" : error.message;
}

// --- pictures ---

const drop = document.getElementById("drop");
if (drop) {
  const note = document.getElementById("drop-note");
  const send = async (files) => {
    let refused = "";
    try {
      for (let done = 0; done < files.length; done += AT_ONCE) {
        note.textContent = `Copying ${done + 1} of ${files.length} ...`;
        const form = new FormData();
        for (const file of files.slice(done, done + AT_ONCE)) form.append("files", file);
        refused += await post(drop.dataset.address, form);
      }
    } catch (error) {
      refused += said(error);
    }
    if (!refused) return location.reload();
    note.className = "fault";
    note.textContent = refused;
    note.append(" ", Object.assign(document.createElement("a"), { href: "", textContent: "Show the others" }));
  };
  document.getElementById("files").addEventListener("change", (event) => send([...event.target.files]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault(); // a file beside the field must not replace the page
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") send([...event.dataTransfer.files]);
    });
  }
}

for (const form of document.querySelectorAll("[data-caption], [data-draft]")) {
  const note = form.querySelector("[role=status]");
  const save = async (event) => {
    if (event.type === "submit" && form.hasAttribute("data-draft")) return; // its buttons lead on
    event.preventDefault();
    const { seen, caption, picture } = form.elements; // a draft has no "seen"
    const sent = caption.value;
    try {
      note.textContent = await post(form.action, new FormData(form));
      if (seen) seen.value = sent;
    } catch (error) {
      if (seen && !(error instanceof TypeError)) seen.value = captionsOf(await load()).get(picture.value) ?? "";
      note.textContent = said(error);
    }
  };
  form.addEventListener("submit", save);
  form.addEventListener("change", save);
  form.addEventListener("input", () => { note.textContent = "not saved yet"; });
}

// --- method ---

document.getElementById("filter")?.addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const line of document.querySelectorAll(".methods.all > li")) {
    line.hidden = !line.textContent.toLowerCase().includes(wanted);
  }
});

document.getElementById("check")?.addEventListener("click", async (event) => {
  const out = document.getElementById("checked");
  event.target.disabled = true;
  out.hidden = false;
  out.textContent = "Looking at pictures, base and settings ...";
  try {
    out.textContent = await post(event.target.dataset.address, new FormData(event.target.form));
  } catch (error) {
    out.textContent = said(error);
  }
  event.target.disabled = false;
});

// A second press must not start a second training; Back brings the button alive again.
for (const form of document.querySelectorAll("form[method=post]:not([data-caption], [data-draft])")) {
  form.addEventListener("submit", () => {
    const buttons = form.querySelectorAll("button");
    setTimeout(() => buttons.forEach((button) => { button.disabled = true; }));
    addEventListener("pageshow", () => buttons.forEach((button) => { button.disabled = false; }), { once: true });
  });
}

// --- drawing ---

const again = document.querySelector("[data-drop]");
if (again) {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    again.elements.picture.files = event.dataTransfer.files;
    again.requestSubmit();
  });
}
again?.addEventListener("change", () => again.requestSubmit());

// One picture above another: up to where the slider is, or their difference, as bright as it says.
function compare(box) {
  const [left, right] = box.querySelectorAll("select");
  const [below, above] = box.querySelectorAll(".stage img");
  const [cut, differs] = box.querySelectorAll("input");
  for (const [image, select] of [[below, right], [above, left]]) {
    if (image.getAttribute("src") !== select.value) image.src = select.value;
  }
  above.style.clipPath = differs.checked ? "none" : `inset(0 ${100 - cut.value}% 0 0)`;
  above.style.mixBlendMode = differs.checked ? "difference" : "normal";
  box.querySelector(".stage").style.filter = differs.checked ? `brightness(${1 + cut.value / 20})` : "none";
}
for (const name of ["input", "toggle"]) {
  document.addEventListener(name, (event) => {
    const box = event.target.closest?.("[data-compare]");
    if (box) compare(box);
  }, true);
}

// --- staying up to date ---

// What the server said last; what a page has made of it since (an open detail) is no news.
const shown = new Map([...document.querySelectorAll("[data-place]")].map((one) => [one, one.innerHTML]));

async function load() {
  const answer = await fetch(location.href);
  if (!answer.ok) throw new TypeError();
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function captionsOf(page) {
  return new Map([...page.querySelectorAll("[data-caption]")].map(({ elements: one }) => [one.picture.value, one.seen.value]));
}

async function refresh() {
  const away = document.getElementById("away-note");
  clearTimeout(waiting);
  try {
    const next = await load();
    away.hidden = true;
    for (const place of document.querySelectorAll("[data-place]")) {
      const now = next.querySelector(`[data-place="${place.dataset.place}"]`);
      if (!now || now.dataset.state !== place.dataset.state) return location.reload();
      if (now.innerHTML === shown.get(place)) continue;
      shown.set(place, now.innerHTML);
      const open = [...place.querySelectorAll("details")].map((one) => one.open);
      place.innerHTML = now.innerHTML;
      [...place.querySelectorAll("details")].forEach((one, index) => { one.open ||= open[index] ?? false; });
    }
    const [main, fresh] = [document, next].map((page) => page.getElementById("main"));
    [...fresh.children].forEach((one, at) => { // what another window has begun
      const place = one.dataset.place;
      if (place && !main.querySelector(`[data-place="${place}"]`)) main.insertBefore(one, main.children[at]);
    });
    const saved = captionsOf(next);
    for (const { elements: one } of document.querySelectorAll("[data-caption]")) {
      if (one.caption.value !== one.seen.value) continue; // typed here and not saved yet
      one.caption.value = one.seen.value = saved.get(one.picture.value) ?? one.seen.value;
    }
  } catch {
    away.hidden = false;
  }
  watch();
}

let waiting = 0;
function watch() {
  const soon = !document.getElementById("away-note").hidden || document.querySelector("[data-live]");
  waiting = setTimeout(refresh, soon ? EVERY_MS : AT_REST_MS);
}
// Only a page on which something may happen.
if (shown.size) addEventListener("focus", refresh);
if (shown.size) watch();
