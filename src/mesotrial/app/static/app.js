// What every page has: filters that act at once, copying, printing, the progress of a run. Everything also works without this script.
"use strict";
const all = (selector, act) => document.querySelectorAll(selector).forEach(act);

all("[data-copy]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => copied(button, button.closest(".snippet").querySelector("code").textContent));
});
all("[data-link]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => copied(button, location.href));
});
all("[data-print]", (button) => {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
});
all("[data-back]", (button) => {
  button.hidden = history.length < 2;
  button.addEventListener("click", () => history.back());
});

function copied(button, text) {
  const done = () => {
    const before = button.innerHTML;
    button.textContent = "Copied";
    setTimeout(() => { button.innerHTML = before; }, 1200);
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => select(button));
  else select(button);
}
function select(button) {
  const code = button.closest(".snippet");
  if (code) getSelection().selectAllChildren(code.querySelector("code"));
}

// A choice in a filter acts at once; typing after a pause. Focus comes back to the field that was used.
all("form[data-auto]", (form) => {
  let waiting;
  const send = (field) => {
    const fields = new URLSearchParams(new FormData(form));
    [...fields.keys()].forEach((name) => { if (!fields.get(name)) fields.delete(name); });
    sessionStorage.setItem("focus", field.name);
    location.assign(`${form.getAttribute("action")}?${fields}`);
  };
  form.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") send(event.target); });
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(waiting);
    waiting = setTimeout(() => send(event.target), 450);
  });
  const field = form.elements[sessionStorage.getItem("focus")];
  sessionStorage.removeItem("focus");
  if (field) {
    field.focus({ preventScroll: true });
    if (field.type === "search") field.setSelectionRange(field.value.length, field.value.length);
  }
});

all("[data-file]", (label) => {
  label.hidden = false;
  const input = label.querySelector("input");
  const area = label.closest("form").querySelector("textarea");
  input.addEventListener("change", () => {
    const file = input.files[0];
    if (!file) return;
    input.setCustomValidity(file.size > area.maxLength ? "This file is too large." : "");
    if (input.reportValidity()) file.text().then((text) => { area.value = text; area.focus(); });
  });
});

// The progress of a run: ask every second while somebody looks.
all("[data-run]", (section) => {
  if (!["waiting", "running"].includes(section.dataset.state)) return;
  const ask = async () => {
    if (document.hidden) return setTimeout(ask, 1000);
    try {
      const answer = await fetch(`/runs/${encodeURIComponent(section.dataset.run)}/status.json`);
      const state = await answer.json();
      if (!answer.ok || !["waiting", "running"].includes(state.state)) return location.reload();
      section.querySelector("[data-word]").textContent = state.word;
      const sentence = section.querySelector("[data-sentence]");
      if (sentence.textContent !== state.sentence) sentence.textContent = state.sentence;
      section.querySelector("progress").value = state.share;
    } catch {
      section.querySelector("[data-sentence]").textContent = "The server does not answer; trying again. The run itself is kept.";
    }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 700);
});

// What a result hangs on: a tornado, drawn from the numbers of the server.
all("[data-sensitivity]", async (box) => {
  try {
    const answer = await fetch("/evidence/sensitivity.json");
    const { rows, error } = await answer.json();
    if (!answer.ok) throw new Error(error);
    const most = Math.max(1, ...rows.flatMap((row) => [Math.abs(row.down), Math.abs(row.up)]));
    const share = (value) => `${(48 * Math.abs(value)) / most}%`;
    const table = document.createElement("table");
    table.className = "tornado";
    table.innerHTML = "<thead><tr><th scope='col'>Quantity</th><th scope='col' class='n less'>Less of it</th><th scope='col' class='n more'>More of it</th><th scope='col'><span class='hidden'>Drawn</span></th></tr></thead><tbody></tbody>";
    rows.forEach((row) => {
      const line = table.tBodies[0].insertRow();
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = row.label + (row.status === "guess" ? " (a guess)" : "");
      line.append(name);
      [row.down, row.up].forEach((value) => { const cell = line.insertCell(); cell.className = "n"; cell.textContent = `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(0)} %`; });
      const cell = line.insertCell();
      cell.className = "bars";
      [["down", row.down], ["up", row.up]].forEach(([kind, value]) => {
        const bar = document.createElement("span");
        bar.className = kind;
        bar.style.width = share(value);
        bar.style[value < 0 ? "right" : "left"] = "50%";
        cell.append(bar);
      });
    });
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    Object.entries({ role: "region", "aria-label": "What a result hangs on, table", tabindex: "0" }).forEach(([key, value]) => scroll.setAttribute(key, value));
    scroll.append(table);
    box.replaceChildren(scroll);
  } catch {
    box.querySelector("p").textContent = "This could not be computed now; reload the page to try again.";
  }
});
