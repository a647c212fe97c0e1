// A figure over time, drawn by uPlot: a line for each source, hatched where it is made up, broken where nobody counted.

import { locale, show } from "./figures.js";

/* global uPlot */
const SOURCES = { real: [], legacy: [7, 3], mock: [2, 3] };  // how each one's line is dashed
const GAP = 1.5;       // steps between two points, beyond which there is a gap
const HEIGHT = 240;
const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const zone = new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts(new Date())
  .find((part) => part.type === "timeZoneName")?.value ?? "";
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric" });
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

async function fetchCurve({ component, range }) {
  const asked = new URLSearchParams({ component, since: range, points: 500 });
  const answer = await fetch(`/api/figures?${asked}`, { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw new Error(`figures over time answered ${answer.status}`);
  return answer.json();
}

// What is met on the way along the chart: points, and the gaps between them.
function stopsOf(curve, path) {
  const stops = [];
  const last = {};
  for (const point of curve.points) {
    const value = point.values[path];
    if (value === undefined) continue;
    const at = Date.parse(point.at) / 1000;
    const before = last[point.source];
    const stop = { at, value, source: point.source, synthetic: point.synthetic, asOf: point.asOf, length: Math.max(point.lengthSeconds, curve.stepSeconds) };
    if (before && at - before.at > GAP * before.length) stops.push({ at: before.at + before.length, source: point.source, gap: true });
    stops.push(stop);
    last[point.source] = stop;
  }
  return stops.sort((one, other) => one.at - other.at);
}

function tablesOf(stops, sources) {
  return uPlot.join(sources.map((source) => {
    const mine = stops.filter((stop) => stop.source === source);
    return [mine.map((stop) => stop.at), mine.map((stop) => stop.gap ? null : stop.value)];
  }), sources.map(() => [1, 2]));  // a gap reaches to the source's next point, whatever others have in between
}

function hatch(context) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8 * devicePixelRatio;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour("mock");
  pen.globalAlpha = 0.35;
  pen.lineWidth = devicePixelRatio;
  for (const shift of [-1, 0, 1]) {
    pen.beginPath();
    pen.moveTo(shift * tile.width, tile.height);
    pen.lineTo((shift + 1) * tile.width, 0);
    pen.stroke();
  }
  return context.createPattern(tile, "repeat");
}

// Spans of made-up points, each from its first to the end of its last.
function spansOf(stops) {
  const spans = [];
  let span = null;
  for (const stop of stops.filter((each) => each.source === "mock")) {
    if (stop.gap) span = null;
    else if (span) span[1] = stop.at + stop.length;
    else spans.push(span = [stop.at, stop.at + stop.length]);
  }
  return spans;
}

function drawSpans(plot, spans) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = hatch(ctx);
  for (const [from, to] of spans) {
    const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}

function drawLine(ctx, from, to, dash, name) {
  ctx.strokeStyle = colour(name);
  ctx.setLineDash(dash.map((part) => part * devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}

// The limit across, and a line at each change of a flag, with what it was set to.
function drawMarks(plot, cutovers, limit) {
  const { ctx, bbox } = plot;
  const [right, bottom] = [bbox.left + bbox.width, bbox.top + bbox.height];
  ctx.save();
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  if (limit !== undefined) {
    const y = plot.valToPos(limit, "y", true);
    if (y >= bbox.top && y <= bottom) drawLine(ctx, [bbox.left, y], [right, y], [6, 4], "cached");
  }
  let free = -Infinity;  // names that would lie upon each other are left out: the list below has them all
  for (const { at, flag, new: value } of cutovers) {
    const x = plot.valToPos(Date.parse(at) / 1000, "x", true);
    if (x < bbox.left || x > right) continue;
    drawLine(ctx, [x, bbox.top], [x, bottom], [3, 3], "ink");
    const text = flag.startsWith("percent_") ? `${value} % real` : value === "true" ? "real on" : "real off";
    const width = ctx.measureText(text).width + 8 * devicePixelRatio;
    const left = Math.min(x + 4 * devicePixelRatio, right - width);
    if (left < free) continue;
    ctx.fillStyle = colour("ink");
    ctx.fillText(text, left, bbox.top - 5 * devicePixelRatio);
    free = left + width;
  }
  ctx.restore();
}

function options(curve, stops, sources, { kind, label, unit, limit, width, height = HEIGHT }) {
  const [begin, end] = [Date.parse(curve.since) / 1000, Date.parse(curve.until) / 1000];
  const mark = end - begin > 2 * 86400 ? day : clock;
  const spans = spansOf(stops);
  const axis = { stroke: colour("ink"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 },
    font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 20 };
  const series = (source) => ({
    label: source, stroke: colour(source), width: 2, dash: SOURCES[source], spanGaps: false,
    points: { show: stops.length <= 120 ? true : undefined, size: 5, fill: colour(source) },
  });
  const bounds = limit === undefined ? [] : [limit];
  return {
    width, height, padding: [18, 12, 0, 0], legend: { show: false }, cursor: { drag: { x: false, y: false }, y: false, points: { size: 9 } },
    scales: {
      x: { range: [begin, end] },
      y: { range: (_, low, high) => {
        const [bottom, top] = [Math.min(0, low ?? 0, ...bounds), Math.max(high ?? 1, ...bounds)];
        return [bottom, top > bottom ? top + (top - bottom) * 0.1 : bottom + 1];
      } },
    },
    axes: [
      { ...axis, label: `Time, ${zone}`, size: 40, values: (_, splits) => splits.map((at) => mark.format(at * 1000)), space: 70,
        incrs: mark === day ? [1, 2, 4, 7, 14, 28].map((days) => days * 86400) : undefined },
      { ...axis, label: unit && !label.toLowerCase().includes(unit) ? `${label}, ${unit}` : label, values: (_, splits) => splits.map((value) => show(value, kind)),
        incrs: kind === "count" ? [1, 2, 5, 10, 20, 50, ...[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].flatMap((power) => [1, 2, 5].map((part) => part * 10 ** power))] : undefined,
        size: (plot, values) => 24 + 7 * Math.max(3, ...(values ?? []).map((text) => text.length)) },
    ],
    series: [{}, ...sources.map(series)],
    hooks: {
      drawClear: [(plot) => drawSpans(plot, spans)],
      draw: [(plot) => drawMarks(plot, curve.cutovers, limit)],
    },
  };
}

const about = (data) => ({ ...data, limit: data.limit === undefined ? undefined : Number(data.limit) });

export class Chart {
  constructor(figure) {
    this.figure = figure;
    this.place = figure.querySelector(".plot");
    this.readout = figure.querySelector(".extent");
    this.drawn = this.place.firstElementChild;  // as the server drew it, for as long as this cannot
    this.at = -1;
    this.place.tabIndex = 0;
    this.place.setAttribute("aria-roledescription", "chart; arrow keys walk its points");
    this.place.addEventListener("keydown", (event) => this.walk(event));
    new ResizeObserver(() => this.fit()).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  async load() {
    try {
      this.curve = await fetchCurve(this.figure.dataset);
      this.figure.dataset.reach = "connected";
    } catch (error) {
      console.warn(error);
      this.figure.dataset.reach = "gone";
      this.readout.textContent = "Not connected: the server does not answer; this is what it said before.";
      return;
    }
    this.draw();
  }

  draw() {
    if (!this.curve) return;
    const data = about(this.figure.dataset);
    this.stops = stopsOf(this.curve, data.path);
    this.plot?.destroy();
    this.plot = null;
    if (!this.stops.length) {
      this.place.replaceChildren(this.drawn);
      this.readout.textContent = "";
      return;
    }
    const sources = Object.keys(SOURCES).filter((source) => this.stops.some((stop) => stop.source === source));
    this.place.replaceChildren();
    this.plot = new uPlot({ ...options(this.curve, this.stops, sources, { ...data, width: this.place.clientWidth }) },
      tablesOf(this.stops, sources), this.place);
    this.plot.over.addEventListener("mousemove", () => this.point());
    this.readout.textContent = this.figure.dataset.hint ?? "Point at the chart, or walk it with the arrow keys.";
  }

  fit() {
    if (this.plot && this.place.clientWidth && this.place.clientWidth !== this.plot.width) {
      this.plot.setSize({ width: this.place.clientWidth, height: HEIGHT });
    }
  }

  words(stop) {
    const when = moment.format(stop.at * 1000);
    if (stop.gap) return `${when}: a gap, nobody counted`;
    const unit = this.figure.dataset.unit;
    return `${when}: ${show(stop.value, this.figure.dataset.kind)}${unit ? ` ${unit}` : ""}, ${stop.source.toUpperCase()}${stop.synthetic ? ", made up" : ""}`;
  }

  // The point nearest to the mouse.
  point() {
    const at = this.plot.posToVal(this.plot.cursor.left, "x");
    const near = this.stops.reduce((best, stop) => Math.abs(stop.at - at) < Math.abs(best.at - at) ? stop : best);
    this.readout.textContent = this.words(near);
  }

  walk(event) {
    const last = (this.stops?.length ?? 0) - 1;
    const to = { ArrowLeft: this.at < 0 ? last : this.at - 1, ArrowRight: this.at + 1, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0 || !this.plot) return;
    event.preventDefault();
    this.at = Math.min(Math.max(to, 0), last);
    const stop = this.stops[this.at];
    this.plot.setCursor({ left: this.plot.valToPos(stop.at, "x"), top: 10 }, false);
    this.readout.textContent = this.words(stop);
    this.figure.querySelector(".walk").textContent = this.words(stop);
  }
}

// A card's figure as a picture to keep, which says by itself what it shows and where that comes from.
export async function picture(data) {
  const curve = await fetchCurve(data);
  const stops = stopsOf(curve, data.path);
  const sources = Object.keys(SOURCES).filter((source) => stops.some((stop) => stop.source === source));
  if (!stops.length) return;
  const plot = await new Promise((done) => new uPlot({
    ...options(curve, stops, sources, { ...about(data), width: 900, height: 360 }),
  }, tablesOf(stops, sources), (made, init) => {
    init();
    setTimeout(() => done(made));
  }));
  const sheet = document.createElement("canvas");
  const scale = devicePixelRatio;
  [sheet.width, sheet.height] = [plot.ctx.canvas.width, plot.ctx.canvas.height + 56 * scale];
  const pen = sheet.getContext("2d");
  pen.fillStyle = colour("card");
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.fillStyle = colour("ink");
  pen.font = `600 ${15 * scale}px system-ui, sans-serif`;
  pen.fillText(`${data.label}, ${data.range}`, 12 * scale, 22 * scale);
  pen.drawImage(plot.ctx.canvas, 0, 28 * scale);
  pen.font = `${12 * scale}px system-ui, sans-serif`;
  const told = sources.map((source) => source === "mock" ? "MOCK (hatched: made up)" : source.toUpperCase()).join(", ");
  pen.fillText(`${data.component}: ${told}; until ${moment.format(Date.parse(curve.until))} ${zone}`, 12 * scale, sheet.height - 10 * scale);
  plot.destroy();
  const link = document.createElement("a");
  link.download = `${data.component}-${data.path}-${data.range}.png`;
  link.href = URL.createObjectURL(await new Promise((done) => sheet.toBlob(done, "image/png")));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
