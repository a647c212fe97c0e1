// Keeps the migration dashboard current: asks what is news, and takes that from the page as the server writes it.
// Nothing changes under the reader's hand: not while a form is being filled in, nor while paused.

import { locale, show } from "./figures.js";

const EVERY = 3000;  // milliseconds
const PATIENCE = 10000;
const FOCUSABLE = "a, button, summary, input, select, textarea, [tabindex]";

const main = document.querySelector("main");
const pause = document.querySelector("#pause");
const line = document.querySelector(".top .line");
const zoned = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" });
const all = (root, selector) => [...root.querySelectorAll(selector)];
const put = (element, text) => { if (element.textContent !== text) element.textContent = text; };

function localise(root) {
  for (const time of all(root, "time[datetime]")) put(time, zoned.format(new Date(time.dateTime)));
  for (const figure of all(root, "[data-value]")) put(figure, show(Number(figure.dataset.value), figure.dataset.kind));
}

const isFilled = (field) => field.type !== "hidden" && (field.tagName === "SELECT"
  ? [...field.options].some((option) => option.selected !== option.defaultSelected && field.selectedIndex > 0)
  : field.value !== field.defaultValue);

// Whether the reader is about to use this part: it stays as it is then.
function inUse(part) {
  const within = part.contains(document.activeElement) ? document.activeElement : null;
  return part.matches(":active") || part.querySelector("[data-keep]") || within?.matches("input, select, textarea") || within?.closest("details.ask[open]")
    || all(part, "input, select, textarea").some(isFilled);
}

const nameOf = (element) => element.tagName + element.textContent + (element.closest("form")?.action ?? element.href ?? "");

function replace(old, fresh) {
  const open = new Map(all(old, "details[id]").map((each) => [each.id, each.open]));
  const focus = old.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  for (const each of all(fresh, "details[id]")) each.open = open.get(each.id) ?? each.open;
  localise(fresh);
  old.replaceChildren(...fresh.childNodes);
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  if (focus !== null) all(old, FOCUSABLE).find((each) => nameOf(each) === focus)?.focus({ preventScroll: true });
}

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok || answer.redirected) throw new Error(`${address} answered ${answer.status}`);
  return answer;
}

async function look() {
  const news = await (await ask(main.dataset.news)).json();
  const old = all(main, "[data-part]").filter((part) => part.dataset.digest !== news.parts[part.dataset.part]);
  if (old.length) {
    const fresh = new DOMParser().parseFromString(await (await ask(main.dataset.page)).text(), "text/html");
    for (const part of old) {
      const made = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (!made || inUse(part)) continue;
      replace(part, made);
      if (part.dataset.part === "verdict") put(document.querySelector("#said"), part.querySelector(".sentence").textContent.trim());
    }
  }
  told(`Live: as of ${zoned.format(new Date(news.at))}`, "live");
}

function told(text, status) {
  put(line, text);
  document.body.dataset.status = status;
}

async function turn() {
  if (pause.getAttribute("aria-pressed") === "true" || document.hidden) return;
  try {
    await look();
  } catch (error) {
    console.warn(error);
    told(`Stale: not connected. ${line.textContent.replace(/^.*?as of/i, "As of")}`, "lost");
  }
}

async function keep() {
  await turn();
  setTimeout(keep, EVERY);
}

localise(document);
if (main.dataset.news) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", paused);
    if (paused) told(`Paused: ${line.textContent.replace(/^.*?as of/i, "as of")}`, "paused");
    else turn();
  });
  setTimeout(keep, EVERY);
}
