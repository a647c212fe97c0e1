// Keeps the page current from the JSON of the live dashboard. Values reach the page as text only.
// The words come with the page, from web/words.py.

import { Chart, picture } from "./chart.js";
import { clocks, since } from "./feed.js";
import { age, clip, duration, locale, show } from "./figures.js";
import { listen } from "./link.js";

const LOST = 5000;      // milliseconds without news, after which the reader is told
const REFRESH = 60000;  // between two looks at the past
const STATES = ["real", "cached", "legacy", "mock", "unavailable"];
const NOT_REAL = ["cached", "legacy", "mock", "none", "unavailable"];

const main = document.querySelector("main");
const statusLine = document.querySelector("#status");
const sinceLine = document.querySelector("#since");
const truth = document.querySelector("#truth");
const pause = document.querySelector("#pause");
const words = JSON.parse(main.dataset.words);
const zoned = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" });

const all = (root, selector) => [...root.querySelectorAll(selector)];
const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const fillIn = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const lookup = (value, path) => path.split(".").filter(Boolean).reduce((at, key) => at?.[key], value);
const moment = (stamp) => stamp ? zoned.format(new Date(stamp)) : words["unknown-time"];
const count = (value) => show(value, "count");

function fill(root, payload) {
  for (const element of all(root, "[data-figure]")) {
    put(element, show(lookup(payload, element.dataset.figure), element.dataset.kind));
  }
}

// As many copies of the model as there are items, the present ones kept: a reader's selection survives.
function match(parent, present, model, items, write) {
  present.slice(items.length).forEach((extra) => extra.remove());
  items.forEach((item, index) => write(present[index] ?? parent.appendChild(model.cloneNode(true)), item));
}

function writeRow(row, item) {
  fill(row, item);
  if (item?.status !== undefined) row.dataset.status = item.status;
}

function stateOf(payload, provenance) {
  if (payload == null || !provenance) return "unavailable";
  if (provenance.synthetic) return "mock";
  if (provenance.source === "real" && provenance.reason === "stale") return "cached";
  return STATES.includes(provenance.source) ? provenance.source : "unavailable";
}

function note(state, provenance) {
  const why = state === "cached" && provenance?.error ? "failing" : provenance?.reason;
  const text = words[`note.${state}.${why}`] ?? words[`note.${state}`];
  return fillIn(text, { flag: provenance?.flag ?? "", error: clip(provenance?.error || words["no-reason"]) });
}

function emptiness(state, value, waiting) {
  if (state === "unavailable") return "failed";
  if (waiting && state === "real" && !value) return "waiting";
  if (value == null) return "nodata";
  return value === 0 && state !== "mock" ? "zero" : "";
}

function proof(state, found) {
  if (state === "mock" || state === "unavailable") return state === "mock" ? words["proof.made-up"] : "";
  if (!found || state === "legacy") return words["proof.none"];
  const wrong = found.compared - found.agreeing;
  return fillIn(words[`proof.${found.reference}${wrong ? ".wrong" : ""}`], { n: count(found.compared), wrong: count(wrong) });
}

function writeCard(card, payload, provenance, live) {
  const state = stateOf(payload, provenance);
  const root = state === "unavailable" ? null : Array.isArray(payload) ? payload.at(-1) : payload;
  const value = lookup(root, card.dataset.path);
  const nothing = emptiness(state, value, live.meta.waitingForFirstEvent);
  card.dataset.state = state;
  card.dataset.part = ["waiting", "nodata"].includes(nothing) ? "none" : state;
  card.hidden = Boolean(main.dataset.only) && main.dataset.only !== card.dataset.part;
  put(card.querySelector(".badge .words"), words[state]);
  put(card.querySelector(".number"), show(nothing === "waiting" ? null : value, card.dataset.kind));
  put(card.querySelector(".empty"), nothing && fillIn(words[`empty.${nothing}`], { error: clip(provenance?.error || words["no-reason"]) }));
  put(card.querySelector(".proof"), proof(state, provenance?.proof));
}

function writeTables(section, payload) {
  for (const body of all(section, "tbody[data-rows]")) {
    const items = lookup(payload, body.dataset.rows) ?? [];
    const rows = all(body, "tr");
    if (body.dataset.days === undefined) match(body, rows, body.querySelector("template").content.firstElementChild, items, writeRow);
    else for (const row of rows) writeRow(row, items.find((item) => item.date === row.cells[0].textContent));
  }
}

function writeSection(section, live) {
  const provenance = live.meta.sources[section.dataset.component];
  const payload = live[provenance?.section];
  const state = stateOf(payload, provenance);
  section.dataset.state = state;
  put(section.querySelector(".note"), note(state, provenance));
  const time = section.querySelector("time");
  time.dateTime = provenance?.asOf ?? "";
  put(time, moment(time.dateTime));
  all(section, ".as-of").forEach((line) => fill(line, state === "unavailable" ? null : payload));
  const cards = all(section, ".card");
  cards.forEach((card) => writeCard(card, payload, provenance, live));
  if (truth) section.hidden = Boolean(main.dataset.only) && cards.every((card) => card.hidden);
  if (state !== "unavailable") writeTables(section, payload);
  all(section, ".chart").forEach((figure) => { figure.dataset.state = state; });
}

// How many values are real, and what the others are. The age goes on; only what changes otherwise is announced.
function writeTruth() {
  if (!truth) return;
  const cards = all(main, ".card");
  const many = (part) => cards.filter((card) => card.dataset.part === part).length;
  const ages = cards.filter((card) => card.dataset.part === "cached").map(ageOf).filter(Number.isFinite);
  const values = { all: count(cards.length), age: ages.length ? duration(Math.max(0, ...ages)) : "" };
  const said = [];
  for (const item of all(truth, "li[data-part]")) {
    const part = item.dataset.part, number = many(part);
    put(item.querySelector(".words"), fillIn(words[`truth.${part}`], { ...values, count: count(number) }));
    item.hidden = !number && part !== "real";
    if (!item.hidden) said.push(fillIn(words[`truth.${part}`], { ...values, age: "", count: count(number) }).trim());
  }
  truth.dataset.state = NOT_REAL.findLast(many) ?? "real";
  const text = said.join(", ");
  const line = document.querySelector("#said");
  if (line.dataset.said !== undefined && line.dataset.said !== text) put(line, text);
  line.dataset.said = text;
}

// Seconds since the time of the data; more and more of them when nothing new comes.
function ageOf(card) {
  const stamp = card.closest("section").querySelector("time")?.dateTime;
  return (Date.parse(main.dataset.at) - Date.parse(stamp) + since(shownAt)) / 1000;
}

function writeAges() {
  for (const card of all(main, ".card")) {
    const seconds = ageOf(card);
    put(card.querySelector(".age"), Number.isNaN(seconds) ? "" : age(seconds));
  }
  writeTruth();
}

function writeStatus() {
  const paused = pause.getAttribute("aria-pressed") === "true";
  const state = since(heardAt) > LOST ? "lost" : paused ? "paused" : latest ? "live" : "waiting";
  document.body.dataset.status = state;
  put(statusLine, fillIn(words[state], { at: moment(main.dataset.at) }));
  put(sinceLine, state === "lost" || state === "paused" ? age(since(shownAt) / 1000) : "");
}

function writePage(live, heard) {
  main.dataset.at = live.meta.at;
  shownAt = heard;
  all(main, "section[data-component]").forEach((section) => writeSection(section, live));
  writeAges();
}

const opened = [Date.now() - performance.now(), 0];
let shownAt = opened;
let heardAt = opened;
let latest = null;
let refreshed = clocks();

function hear(text, milliseconds) {
  const live = JSON.parse(text);
  const heard = clocks().map((clock) => clock - milliseconds);
  if (Date.parse(live.meta.at) < Date.parse(latest?.meta.at ?? main.dataset.at)) return;  // overtaken on its way, or kept by something between
  if (pause.getAttribute("aria-pressed") !== "true") writePage(live, heard);
  latest = live;
  heardAt = heard;
  writeStatus();
}

// What lies in the past comes as the server draws it.
async function refresh() {
  refreshed = clocks();
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of [".picture", "tbody[data-days]", ".points tbody"]) {
      const made = all(fresh, part);
      all(main, part).forEach((old, index) => { if (made[index]) old.replaceChildren(...made[index].childNodes); });
    }
    localise();
    if (latest) writePage(latest, heardAt);
    charts.forEach((chart) => chart.load());
  } catch (error) {
    console.warn(error);  // the status line tells when the server is gone
  }
}

function localise() {
  all(main, "time[datetime]").forEach((time) => put(time, moment(time.dateTime)));
}

function tick() {
  writeAges();
  writeStatus();
  if (document.body.dataset.status === "live" && !document.hidden && since(refreshed) > REFRESH) refresh();
}

pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", paused);
  if (!paused && latest) writePage(latest, heardAt);
  writeStatus();
});

main.addEventListener("click", ({ target }) => {
  const card = target.closest(".png")?.closest(".card");
  if (card) picture({ ...card.dataset, label: card.querySelector("h2, h3").textContent.trim(), range: main.dataset.range });
});

const charts = all(main, ".chart").map((figure) => new Chart(figure));
charts.forEach((chart) => chart.load());
localise();
all(main, ".png").forEach((button) => { button.hidden = false; });
pause.hidden = false;
listen(hear);
setInterval(tick, 1000);
