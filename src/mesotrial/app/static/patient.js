// Inside one patient: sliders, four drawings, one request at a time.
"use strict";
(() => {
  const bench = document.querySelector("[data-bench]");
  const form = document.querySelector("[data-case]");
  const story = document.querySelector("[data-story]");
  const MONTH = 30.4375, MONTHS = 36, LEFT = 58, RIGHT = 12;
  const phone = matchMedia("(max-width: 560px)");
  let W = 720;
  const NS = "http://www.w3.org/2000/svg";
  let latest = null;

  const knobs = [...bench.querySelectorAll("[data-slider]")].map((box) => {
    const { slider: name, scale } = box.dataset;
    const [low, high, typical] = [box.dataset.low, box.dataset.high, box.dataset.typical].map(Number);
    const to = { linear: (x) => x, log: Math.log, logit: (x) => Math.log(x / (1 - x)) }[scale];
    const from = { linear: (x) => x, log: Math.exp, logit: (x) => 1 / (1 + Math.exp(-x)) }[scale];
    const input = box.querySelector("input"), output = box.querySelector("output");
    const value = () => {
      const raw = from(to(low) + (to(high) - to(low)) * (input.value / 200));
      return Math.abs(to(raw) - to(typical)) < (to(high) - to(low)) / 300 ? typical : raw;
    };
    const set = (x) => { input.value = Math.round(200 * (to(Math.min(Math.max(x, low), high)) - to(low)) / (to(high) - to(low))); show(); };
    const show = () => { output.textContent = words(value()); input.setAttribute("aria-valuetext", words(value())); };
    input.addEventListener("input", () => { show(); ask(); });
    const knob = { name, value, set, typical, isTypical: () => value() === typical };
    set(Number(box.dataset.value));
    return knob;
  });

  function words(x) { return Number(x.toPrecision(3)).toLocaleString("en-GB", { maximumSignificantDigits: 3 }); }
  function fields() {
    const found = new URLSearchParams(new FormData(form));
    knobs.filter((knob) => !knob.isTypical()).forEach((knob) => found.set(knob.name, knob.value().toPrecision(4)));
    return found;
  }

  // Requests: never more than one under way; what is wanted meanwhile comes last.
  let busy = false, wanted = false;
  async function ask() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      const query = fields().toString();
      const late = setTimeout(() => { bench.setAttribute("aria-busy", "true"); }, 300);
      try {
        const answer = await fetch(`/patient/course.json?${query}`);
        const found = await answer.json();
        if (!answer.ok) { story.textContent = found.error; } else { latest = { query, found }; draw(found); history.replaceState(null, "", `/patient?${query}`); }
      } catch { story.textContent = "The server does not answer; move a slider to try again."; }
      clearTimeout(late);
      bench.removeAttribute("aria-busy");
    }
    busy = false;
  }

  const make = (name, attributes, parent, text) => {
    const one = document.createElementNS(NS, name);
    Object.entries(attributes).forEach(([key, value]) => one.setAttribute(key, value));
    if (text !== undefined) one.textContent = text;
    if (parent) parent.append(one);
    return one;
  };
  const across = (day) => LEFT + (W - LEFT - RIGHT) * Math.min(day / (MONTHS * MONTH), 1);

  function panel(title, unit, high) {
    const figure = document.createElement("figure");
    const svg = make("svg", { role: "img", "aria-label": title }, figure);
    document.querySelector("[data-plots]").append(figure);
    return { title, unit, high, svg, figure };
  }
  const panels = { tumour: panel("Tumour", "mL", 250), cells: panel("T cells in the tumour", "million", 170), brake: panel("PD-L1 and the brake on T cells", "relative", 150), drug: panel("Drug in the blood", "mg/L", 150) };

  function nice(most) {
    const size = 10 ** Math.floor(Math.log10(most || 1));
    return [1, 2, 2.5, 5, 10].map((step) => step * size).find((top) => top >= most) || 10 * size;
  }
  function frame({ title, unit, high, svg }, most, label) {
    svg.replaceChildren();
    svg.setAttribute("aria-label", label);
    svg.setAttribute("viewBox", `0 0 ${W} ${high}`);
    const top = phone.matches ? 46 : 30, bottom = high - 24, y = (value) => bottom - (bottom - top) * Math.min(value / most, 1.02);
    make("text", { x: 2, y: 15, class: "title" }, svg, `${title}, ${unit}`);
    for (let i = 0; i <= 2; i += 1) {
      const value = most * i / 2;
      make("line", { x1: LEFT, x2: W - RIGHT, y1: y(value), y2: y(value), class: "grid" }, svg);
      make("text", { x: LEFT - 7, y: y(value) + 4, class: "tick end" }, svg, value.toLocaleString("en-GB", { maximumSignificantDigits: 3 }));
    }
    for (let month = 0; month <= MONTHS; month += phone.matches ? 12 : 6) make("text", { x: across(month * MONTH), y: high - 7, class: "tick middle" }, svg, month === MONTHS ? `${month} months` : month).setAttribute("text-anchor", month === MONTHS ? "end" : "middle");
    return { y, top, bottom };
  }
  function line(svg, days, values, y, style, extra = "") {
    let path = "", pen = "M";
    values.forEach((value, i) => { if (value === null) { pen = "M"; } else { path += `${pen}${across(days[i]).toFixed(1)} ${y(value).toFixed(1)}`; pen = "L"; } });
    make("path", { d: path, class: `curve ${extra}`, style }, svg);
  }
  function legend(svg, items) {
    let x = W - RIGHT;
    const y = phone.matches ? 33 : 15;  // below the title where there is no room beside it
    [...items].reverse().forEach(([label, style, extra]) => {
      const text = make("text", { x, y, class: "tick end" }, svg, label);
      x -= text.getComputedTextLength() + 6;
      make("line", { x1: x - 22, x2: x, y1: y - 4, y2: y - 4, class: `curve ${extra || ""}`, style }, svg);
      x -= 36;
    });
  }
  const most = (lists) => nice(Math.max(1e-9, ...lists.flat().filter((value) => value !== null)) * 1.02);
  const LOOKS = ["stroke: var(--patient-0)", "stroke: var(--patient-1)", "stroke: var(--patient-2)", "stroke: var(--patient-3)"];

  function draw(found) {
    W = phone.matches ? 400 : 720;
    const { day, series, levels, doses, scans, stop_day: stop } = found;
    const stopped = (svg, { top, bottom }, label) => {
      if (!doses.length) return;
      make("line", { x1: across(stop), x2: across(stop), y1: top, y2: bottom, class: "stop" }, svg);
      if (label) make("text", { x: across(stop) + (stop > 30 * MONTH ? -5 : 5), y: top + 10, class: "tick", "text-anchor": stop > 30 * MONTH ? "end" : "start" }, svg, "treatment stops");
    };
    const told = tell(found);
    story.textContent = told;
    let { svg } = panels.tumour;
    let place = frame(panels.tumour, most([series.tumour_volume]), told);
    stopped(svg, place, true);
    line(svg, day, series.tumour_volume, place.y, "stroke: var(--mark)", "thick");
    scans.forEach((scan, i) => {
      const at = across(scan.day), when = Math.min(Math.round(scan.day / 3), series.tumour_volume.length - 1), level = place.y(series.tumour_volume[when] ?? 0);
      make("path", { d: `M${at - 5} ${level - 17}h10l-5 8z`, class: `scan ${scan.code}` }, svg);
      make("text", { x: at, y: level - 21, class: "tick middle", "text-anchor": "middle" }, svg, scan.code === "BL" || scan.code === scans[i - 1].code ? "" : scan.code);
    });
    ({ svg } = panels.cells);
    place = frame(panels.cells, most([series.cd8_tumour, series.cd8_exhausted]), "T cells in the tumour: working and exhausted");
    stopped(svg, place);
    line(svg, day, series.cd8_tumour, place.y, LOOKS[0]);
    line(svg, day, series.cd8_exhausted, place.y, LOOKS[1], "dashed");
    legend(svg, [["working", LOOKS[0]], ["exhausted", LOOKS[1], "dashed"]]);
    ({ svg } = panels.brake);
    place = frame(panels.brake, most([series.pdl1, series.inhibition]), "PD-L1 on the tumour, and the brake that PD-1 puts on T cells, from 0 to 1");
    stopped(svg, place);
    line(svg, day, series.pdl1, place.y, LOOKS[2]);
    line(svg, day, series.inhibition, place.y, LOOKS[3], "dashed");
    legend(svg, [["PD-L1", LOOKS[2]], ["brake, 0 to 1", LOOKS[3], "dashed"]]);
    ({ svg } = panels.drug);
    const drugs = Object.entries(levels);
    panels.drug.figure.hidden = !doses.length;
    place = frame(panels.drug, drugs.length ? most(drugs.map(([, values]) => values)) : 1, `Drug in the blood: ${drugs.map(([name]) => name).join(", ") || "no level is simulated"}`);
    stopped(svg, place);
    drugs.forEach(([, values], i) => line(svg, day, values, place.y, LOOKS[i % 4], ["", "dashed", "dotted"][i % 3]));
    legend(svg, drugs.map(([name], i) => [name, LOOKS[i % 4], ["", "dashed", "dotted"][i % 3]]));
    doses.forEach((dose) => {
      const row = Math.max(0, drugs.findIndex(([name]) => name === dose.drug));
      dose.days.forEach((when) => make("line", { x1: across(when), x2: across(when), y1: place.bottom + 1, y2: place.bottom + 6, class: "dose", style: LOOKS[row % 4] }, svg));
    });
    document.querySelectorAll("[data-code] pre code").forEach((block, i) => { block.textContent = found.code[i] ?? ""; });
  }

  function tell({ series, scans, day }) {
    const volume = series.tumour_volume, start = volume[0];
    const best = scans.reduce((low, scan) => (scan.change < low.change ? scan : low), scans[0]);
    const progressed = scans.find((scan) => scan.code === "PD"), response = scans.find((scan) => scan.code === "PR" || scan.code === "CR");
    const months = (days) => Math.round(days / MONTH * 10) / 10;
    const least = Math.min(...volume.filter((value) => value !== null)), when = day[volume.indexOf(least)];
    const parts = [`The tumour starts at ${Math.round(start)} mL`];
    parts.push(least < 0.97 * start ? `is smallest, ${Math.round(least)} mL, after ${months(when)} months` : "never gets smaller");
    parts.push(response ? `a scan after ${months(response.day)} months shows a response (${String(best.change).replace("-", "−")} % at best)` : "no scan shows a response");
    parts.push(progressed ? `the scan after ${months(progressed.day)} months shows progression` : "no scan in three years shows progression");
    return `${parts.slice(0, -1).join(", ")}, and ${parts[parts.length - 1]}.`;
  }

  phone.addEventListener("change", () => { if (latest) draw(latest.found); });
  form.querySelector("button[type=submit]").hidden = true;
  form.addEventListener("change", (event) => {
    const found = fields();
    if (event.target.name === "line" || event.target.name === "histology") [...found.keys()].forEach((name) => { if (!["treatment", "line", "histology", "dose", "interval", "stop"].includes(name)) found.delete(name); });
    location.assign(`/patient?${found}`);
  });
  bench.querySelector("[data-reset]").addEventListener("click", () => { knobs.forEach((knob) => knob.set(knob.typical)); ask(); });
  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  bench.querySelector("[data-save]").addEventListener("click", () => save("case.json", JSON.stringify({ schema: "mesotrial/case/1", ...Object.fromEntries(fields()) }, null, 2), "application/json"));
  bench.querySelector("[data-numbers]").addEventListener("click", () => {
    if (!latest) return;
    const { day, series, levels } = latest.found, columns = { ...series, ...Object.fromEntries(Object.entries(levels).map(([name, values]) => [`${name}_mg_per_l`, values])) };
    const names = Object.keys(columns);
    save("course.csv", [["day", ...names].join(","), ...day.map((when, i) => [when, ...names.map((name) => columns[name][i] ?? "")].join(","))].join("\n") + "\n", "text/csv");
  });
  bench.querySelector("[data-open]").addEventListener("change", async (event) => {
    const file = event.target.files[0];
    if (!file) return;
    try {
      if (file.size > 20000) throw new Error("too large");
      const given = JSON.parse(await file.text());
      if (given.schema !== "mesotrial/case/1") throw new Error("not a case");
      const known = ["treatment", "line", "histology", ...knobs.map((knob) => knob.name)];
      const found = new URLSearchParams(known.filter((name) => name in given).map((name) => [name, String(given[name]).slice(0, 200)]));
      location.assign(`/patient?${found}`);
    } catch { story.textContent = "This file is not a case saved from this page."; }
  });
  ask();
})();
