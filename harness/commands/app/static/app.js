// What a page cannot do without a script: dropped files, saving while typing, staying up to date.
"use strict";

const EVERY_MS = 2000;
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

for (const form of document.querySelectorAll("[data-caption]")) {
  const note = form.querySelector("[role=status]");
  const save = async (event) => {
    event.preventDefault();
    try {
      note.textContent = await post(form.action, new FormData(form));
    } catch (error) {
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
  for (const line of document.querySelectorAll(".methods li")) {
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
for (const form of document.querySelectorAll("form[method=post]:not([data-caption])")) {
  form.addEventListener("submit", () => {
    const buttons = form.querySelectorAll("button");
    setTimeout(() => buttons.forEach((button) => { button.disabled = true; }));
    addEventListener("pageshow", () => buttons.forEach((button) => { button.disabled = false; }), { once: true });
  });
}

// --- staying up to date ---

async function refresh() {
  const away = document.getElementById("away-note");
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) throw new TypeError();
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    away.hidden = true;
    for (const place of document.querySelectorAll("#live, .follower")) {
      const now = [...next.querySelectorAll("#live, .follower")].find((one) => one.id === place.id && one.dataset.job === place.dataset.job);
      if (!now || now.dataset.state !== place.dataset.state) return location.reload();
      const open = [...place.querySelectorAll("details")].map((one) => one.open);
      if (now.innerHTML !== place.innerHTML) place.innerHTML = now.innerHTML;
      [...place.querySelectorAll("details")].forEach((one, index) => { one.open ||= open[index] ?? false; });
    }
  } catch {
    away.hidden = false;
  }
  watch();
}

function watch() {
  const shown = !document.getElementById("away-note").hidden;
  if (shown || document.querySelector("[data-live]")) setTimeout(refresh, EVERY_MS);
}
watch();
