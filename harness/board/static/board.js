// The table, the gallery and the copy buttons. Without JavaScript the pages still hold everything.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const table = document.getElementById("board");
  if (table && window.DataTable) enhance(table);
  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", () => copy(button));
  }
  const gallery = document.getElementById("gallery");
  for (const radio of document.querySelectorAll("input[name=prompt]")) {
    radio.addEventListener("change", () => {
      gallery.className = "gallery p" + radio.value;
    });
  }
});

function enhance(table) {
  const board = new DataTable(table, {
    order: [], // as the hub sorted it: by gain, parted into groups
    pageLength: 50,
    lengthMenu: [25, 50, 100, { label: "all", value: -1 }],
    autoWidth: false,
    deferRender: true,
    layout: { topStart: null, topEnd: null, bottomStart: "pageLength", bottomEnd: "paging" },
  });
  const search = document.getElementById("search");
  const wanted = (name) => document.getElementById("filter-" + name).value;
  board.search.fixed("filters", (text, data, index) => {
    const row = board.row(index).node();
    const [hook, evidence] = [wanted("hook"), wanted("evidence")];
    return (
      (!wanted("state") || row.dataset.state === wanted("state")) &&
      (!evidence || row.dataset.evidence.split(", ").includes(evidence)) &&
      (!hook || row.dataset.hooks.split(", ").includes(hook))
    );
  });
  const shown = document.getElementById("shown");
  const say = () => {
    const info = board.page.info();
    shown.textContent = `${info.recordsDisplay} of ${info.recordsTotal} lines`;
  };
  board.on("draw", say);
  // The lines between groups mean something only while the table is sorted by them.
  board.on("order", () => {
    const [first] = board.order();
    table.classList.toggle("resorted", Boolean(first) && first[0] !== 0);
  });
  search.addEventListener("input", () => board.search(search.value).draw());
  for (const select of document.querySelectorAll("#filters select")) {
    select.addEventListener("change", () => board.draw());
  }
  const form = document.getElementById("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  say();
}

function copy(button) {
  const code = button.parentElement.querySelector("code");
  const done = () => {
    button.textContent = "copied";
    setTimeout(() => (button.textContent = "copy"), 2000);
  };
  const byHand = () => {
    // A page opened from a file may not use the clipboard: select it for Ctrl-C.
    getSelection().selectAllChildren(code);
    button.textContent = "selected";
  };
  if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, byHand);
  else byHand();
}
