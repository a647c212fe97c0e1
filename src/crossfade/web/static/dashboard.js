// Keeps the page current from the JSON of the live dashboard. Values reach the page as text only.
// The words come with the page, from web/pages.py.

import { age, clip, locale, show } from "./figures.js";

const LOST = 5000;      // milliseconds without news, after which the reader is told
const STATES = ["real", "stale", "legacy", "mock", "unavailable"];

const main = document.querySelector("main");
const statusLine = document.querySelector("#status");
const pause = document.querySelector("#pause");
const words = JSON.parse(main.dataset.words);
const zoned = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" });

const all = (root, selector) => [...root.querySelectorAll(selector)];
const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const lookup = (value, path) => path.split(".").filter(Boolean).reduce((at, key) => at?.[key], value);
const moment = (stamp) => stamp ? zoned.format(new Date(stamp)) : words["unknown-time"];

function fill(root, payload) {
  for (const element of all(root, "[data-figure]")) {
    put(element, show(lookup(payload, element.dataset.figure), element.dataset.kind));
  }
}

// As many copies of the model as there are items, the present ones kept: a reader's selection survives.
function match(parent, present, model, items, write) {
  present.slice(items.length).forEach((extra) => extra.remove());
  items.forEach((item, index) => {
    const element = present[index] ?? parent.appendChild(model.cloneNode(true));
    write(element, item, index);
  });
}

function writeRow(row, item) {
  fill(row, item);
  if (item?.status !== undefined) row.dataset.status = item.status;
}

function drawChart(figure, days) {
  const svg = figure.querySelector("svg");
  const counts = days.map((day) => (Number.isInteger(day.files) && day.files >= 0 ? day.files : null));
  const most = Math.max(0, ...counts);
  svg.setAttribute("viewBox", `0 0 ${10 * days.length} 100`);
  match(svg, all(svg, ":scope > .day"), svg.querySelector("defs .day"), days, (bar, day, index) => {
    const count = counts[index];
    const height = count === null ? 0 : 2 + (most ? (98 * count) / most : 0);
    const title = words[count === null ? "bar.gap" : "bar"];
    bar.setAttribute("transform", `translate(${10 * index})`);
    bar.querySelector(".bar").setAttribute("y", 100 - height);
    bar.querySelector(".bar").setAttribute("height", height);
    put(bar.querySelector("title"), title.replace("{count}", show(count, "count")).replace("{date}", () => show(day.date, "text")));
  });
  put(figure.querySelector("figcaption"), words.legend.replace("{most}", show(most, "count")));
}

function stateOf(payload, provenance) {
  if (payload == null || !provenance) return "unavailable";
  if (provenance.synthetic) return "mock";
  if (provenance.source === "real" && provenance.reason === "stale") return "stale";
  return STATES.includes(provenance.source) ? provenance.source : "unavailable";
}

function note(state, provenance) {
  const why = state === "stale" && provenance?.error ? "failing" : provenance?.reason;
  const text = words[`note.${state}.${why}`] ?? words[`note.${state}`];
  const error = clip(provenance?.error || words["no-reason"]);
  return text.replace("{flag}", () => provenance?.flag ?? "").replace("{error}", () => error);
}

function writeSection(section, live) {
  const provenance = live.meta.sources[section.dataset.component];
  const state = stateOf(live[provenance?.section], provenance);
  const payload = state === "unavailable" ? null : live[provenance.section];
  section.dataset.state = state;
  put(section.querySelector(".badge .words"), words[state]);
  put(section.querySelector(".note"), note(state, provenance));
  const time = section.querySelector("time");
  time.dateTime = provenance?.asOf ?? "";
  put(time, moment(time.dateTime));
  all(section, "dl").forEach((list) => fill(list, payload));
  for (const body of all(section, "tbody")) {
    const found = lookup(payload, body.dataset.rows) ?? [];
    const items = body.closest("details") ? [...found].reverse() : found;
    match(body, all(body, "tr"), body.querySelector("template").content.firstElementChild, items, writeRow);
  }
  all(section, "figure").forEach((figure) => drawChart(figure, payload ?? []));
  return state;
}

function writePage(live, heard) {
  const states = all(main, "section").map((section) => writeSection(section, live));
  const count = (state) => states.filter((each) => each === state).length;
  const rest = STATES.slice(1).filter(count).map((state) => ` · ${count(state)} ${state}`);
  put(main.querySelector("#truth .words"), `${count("real")} of ${states.length} components real${rest.join("")}`);
  main.querySelector("#truth").dataset.state = STATES.findLast(count) ?? "unavailable";
  main.dataset.at = live.meta.at;
  shownAt = heard;
  writeAges();
}

// The longer of two clocks: one stops while the machine sleeps, the other may be set back. No age is ever understated.
const clocks = () => [Date.now(), performance.now()];
const since = ([date, running]) => Math.max(Date.now() - date, performance.now() - running);

function writeAges() {
  for (const element of all(main, ".age")) {
    const asOf = Date.parse(element.parentElement.querySelector("time").dateTime);
    const seconds = (Date.parse(main.dataset.at) - asOf + since(shownAt)) / 1000;
    put(element, Number.isNaN(seconds) ? "" : ` · ${age(seconds)}`);
  }
}

function writeStatus() {
  const paused = pause.getAttribute("aria-pressed") === "true";
  const state = since(heardAt) > LOST ? "lost" : paused ? "paused" : latest ? "live" : "waiting";
  document.body.dataset.status = state;
  put(statusLine, words[state].replace("{at}", () => moment(main.dataset.at)));
}

const opened = [Date.now() - performance.now(), 0];
let shownAt = opened;
let heardAt = opened;
let streamedAt = opened;
let latest = null;
let polling = false;
let stream = connect();

function take(live, heard) {
  const newest = latest?.meta.at ?? main.dataset.at;
  if (Date.parse(live.meta.at) < Date.parse(newest)) return;  // overtaken on its way, or kept by something between
  if (pause.getAttribute("aria-pressed") !== "true") writePage(live, heard);
  latest = live;
  heardAt = heard;
  writeStatus();
}

function connect() {
  const source = new EventSource("/api/dashboard/stream");
  source.addEventListener("live", (message) => {
    streamedAt = clocks();
    take(JSON.parse(message.data), streamedAt);
  });
  return source;
}

async function poll() {
  polling = true;
  const asked = clocks();
  try {
    const answer = await fetch("/api/dashboard/live?section=all", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (!answer.ok) throw new Error(`the live dashboard answered ${answer.status}`);
    take(await answer.json(), asked);
  } catch (error) {
    console.warn(error);  // the reader learns of it from the status line and the ages
  } finally {
    polling = false;
  }
}

let ticks = 0;
function tick() {
  ticks += 1;
  writeAges();
  writeStatus();
  if (ticks % 2 === 0 && since(streamedAt) > 3000 && !polling) poll();
  if (ticks % 10 === 0 && since(streamedAt) > 10000) {
    stream.close();
    stream = connect();
  }
}

pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", paused);
  if (!paused && latest) writePage(latest, heardAt);
  writeStatus();
});

all(main, "time").forEach((time) => put(time, moment(time.dateTime)));
pause.hidden = false;
poll();  // the page in the reader's locale, at once
setInterval(tick, 1000);
