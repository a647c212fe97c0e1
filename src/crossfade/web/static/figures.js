// Writes a value for the eye, in the reader's locale, as web/writing.py does for a reader without JavaScript.

// Chromium under LANG=C names a language "en-US@posix", which Intl refuses.
export const locale = navigator.languages.filter((tag) => /^[\w-]+$/.test(tag));
const NONE = "—";
const SPACE = "\u00a0";
const TEXT_LENGTH = 300;  // characters of a text from outside that are shown

export function clip(text) {
  const characters = [...text];
  return characters.length <= TEXT_LENGTH ? text : `${characters.slice(0, TEXT_LENGTH).join("")}…`;
}

function number(value, significant = 3) {
  if (value && Math.abs(value) < 0.01) return `${value > 0 ? "<" : ">"}${SPACE}${(Math.sign(value) / 100).toLocaleString(locale)}`;
  const decimals = value ? Math.max(0, significant - 1 - Math.floor(Math.log10(Math.abs(value)))) : 0;
  return value.toLocaleString(locale, { maximumFractionDigits: Math.min(2, decimals) });
}

function size(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  while (Math.abs(value) >= 1024 && units.length > 1) {
    value /= 1024;
    units.shift();
  }
  return number(value) + SPACE + units[0];
}

export function duration(seconds) {
  const whole = Math.floor(seconds);
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(whole / unit));
  if (days) return `${number(days)}${SPACE}d ${hours % 24}${SPACE}h`;
  if (hours) return `${hours}${SPACE}h ${minutes % 60}${SPACE}min`;
  if (minutes) return `${minutes}${SPACE}min ${whole % 60}${SPACE}s`;
  return `${whole}${SPACE}s`;
}

export function age(seconds) {
  return seconds <= -1 ? `${duration(-seconds)} in the future: a clock is wrong` : `${duration(Math.max(seconds, 0))} ago`;
}

const writers = {
  count: (value) => value.toLocaleString(locale, { maximumFractionDigits: 0 }),
  number: (value) => number(value),
  percent: (value) => number(value < 100 ? Math.min(value, 99.99) : value, 4) + SPACE + "%",
  milliseconds: (value) => number(value) + SPACE + "ms",
  bytes: size,
  duration,
};

export function show(value, kind) {
  if (kind === "text") return value == null || value === "" ? NONE : clip(String(value));
  return Number.isFinite(value) && Math.abs(value) < 1e300 ? writers[kind](value) : NONE;
}
