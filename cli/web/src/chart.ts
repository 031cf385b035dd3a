// Memory over time: what was measured, its floors, the trend, where it will meet the limit, and what was said when.

import uPlot from "uplot";
import type { ChartData, DifferenceData, Points } from "./data";
import { button, el, onPrint, onTheme, styleOf } from "./dom";
import { amount, clock, duration, percent, verdictName } from "./words";

const HEIGHT = 340;
const STRIP = 9;
const DASH = [6, 4];

interface Line {
  name: string;
  colour: string;
  points: Points;
  shown: boolean;
  kind: "area" | "line" | "dots" | "dashed" | "halo";
  hint: string;
}

export interface Marks {
  /** Moments chosen at the flame graph, in seconds since the start. */
  from: number | null;
  to: number | null;
}

/** The chart with its legend and buttons; returns a function that moves the marks. */
export function memoryChart(box: HTMLElement, data: ChartData, difference?: DifferenceData): (marks: Marks) => void {
  const lines = linesOf(data, difference);
  const start = data.start;
  const [first, last] = span(data);
  let marks: Marks = { from: null, to: null };
  let withLimit = limitFits(data, last);
  const readout = el("p", { class: "readout", "aria-live": "polite" });
  const canvasBox = el("div", { class: "plot", tabindex: "0", role: "application", "aria-label":
    "Memory over time. Left and right move, plus and minus zoom, Shift with left and right pans, 0 shows all." });

  const joined = () => uPlot.join(lines.map((line) => [line.points.t.map((t) => t + start), line.points.v] as uPlot.AlignedData));
  const range = (_: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax => {
    const bottom = low === null ? 0 : low;
    const limit = withLimit && data.limit ? data.limit.bytes : 0;
    const top = Math.max(high ?? 1e6, limit);
    const pad = Math.max((top - bottom) * 0.08, 1e5);
    return [Math.max(0, bottom - pad < top * 0.35 ? 0 : bottom - pad), top + pad];
  };
  const axis = { stroke: () => styleOf("--muted"), grid: { stroke: () => styleOf("--grid"), width: 1 },
    ticks: { stroke: () => styleOf("--grid"), width: 1, size: 5 }, font: `12px ${styleOf("--sans")}` };
  const plot = new uPlot(
    {
      width: Math.max(240, box.clientWidth),
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "UTC"),
      padding: [10, 30, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 7 }, y: false },
      scales: { x: { time: true, min: start + first, max: start + last }, y: { range } },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((tick) => clock(tick).replace(/:00$/, "")), space: 80, size: 36 },
        { ...axis, values: (_, ticks) => ticks.map(amount), size: 66 },
      ],
      series: [{}, ...lines.map(seriesOf)],
      hooks: {
        drawClear: [(self: uPlot) => drawBand(self, data, start)],
        draw: [(self: uPlot) => { drawLimit(self, data); drawMarks(self, marks, start); drawStrip(self, data, start); }],
        setCursor: [(self: uPlot) => tell(self)],
      },
    },
    joined(),
    canvasBox,
  );

  function tell(self: uPlot): void {
    const index = self.cursor.idx;
    if (index === null || index === undefined) {
      readout.textContent = "Drag to zoom, double-click for all. Move over the chart for values.";
      return;
    }
    const at = self.data[0][index];
    const values = lines.flatMap((line, place) => {
      const value = valueNear(self.data[place + 1] as (number | null)[], index);
      return line.shown && value !== null && line.kind !== "halo" && line.kind !== "dots" ? [`${line.name} ${amount(value)}`] : [];
    });
    const said = [...data.history].reverse().find((entry) => entry.t + start <= at + 0.5);
    readout.textContent = [`${clock(at)} UTC`, ...values, ...(said && at <= start + data.end + 1 ? [verdictName(said.verdict)] : [])].join("  ·  ");
  }

  function zoom(factor: number, centre?: number): void {
    const { min, max } = plot.scales.x as { min: number; max: number };
    const middle = centre ?? plot.data[0][plot.cursor.idx ?? -1] ?? (min + max) / 2;
    setX(middle - (middle - min) * factor, middle + (max - middle) * factor);
  }
  function pan(share: number): void {
    const { min, max } = plot.scales.x as { min: number; max: number };
    const by = Math.max(start + first - min, Math.min(start + last - max, (max - min) * share));
    setX(min + by, max + by);
  }
  function setX(min: number, max: number): void {
    const low = Math.max(min, start + first), high = Math.min(max, start + last);
    if (high - low >= 1) plot.setScale("x", { min: low, max: high });
  }
  const reset = () => setX(start + first, start + last);

  canvasBox.addEventListener("dblclick", reset);
  canvasBox.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, () => void> = {
      ArrowLeft: () => event.shiftKey ? pan(-0.2) : step(-1), ArrowRight: () => event.shiftKey ? pan(0.2) : step(1),
      "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), "0": reset, Escape: reset,
    };
    const move = moves[event.key];
    if (move) { event.preventDefault(); move(); }
  });
  function step(by: number): void {
    const [low, high] = [plot.scales.x.min as number, plot.scales.x.max as number];
    const times = plot.data[0];
    let index = plot.cursor.idx ?? times.findIndex((time) => time >= low);
    const jump = Math.max(1, Math.round(times.filter((time) => time >= low && time <= high).length / 100));
    index = Math.max(0, Math.min(times.length - 1, index + by * jump));
    const at = Math.max(low, Math.min(high, times[index]));
    plot.setCursor({ left: plot.valToPos(at, "x"), top: 20 });
  }

  const tools = el("div", { class: "tools" },
    button("−", "Zoom out", () => zoom(1 / 0.6)), button("+", "Zoom in", () => zoom(0.6)), button("All", "Show all", reset));
  if (data.limit && !withLimit) {
    const toggle = button("Show limit", "Show the limit in the chart", () => {
      withLimit = !withLimit;
      toggle.setAttribute("aria-pressed", String(withLimit));
      plot.redraw(true, true);
      plot.setScale("x", { min: plot.scales.x.min as number, max: plot.scales.x.max as number });
    });
    toggle.setAttribute("aria-pressed", "false");
    tools.append(toggle);
  }
  box.append(el("div", { class: "chart-head" }, legend(lines, plot, data), tools), canvasBox, readout);
  tell(plot);
  const resize = (width: number | null) => plot.setSize({ width: width ?? Math.max(240, box.clientWidth), height: HEIGHT });
  new ResizeObserver(() => { if (!matchMedia("print").matches) resize(null); }).observe(box);
  onPrint(resize);
  onTheme(() => plot.redraw(false, true));
  return (next) => { marks = next; plot.redraw(false, false); };
}

function linesOf(data: ChartData, difference?: DifferenceData): Line[] {
  const { trend, forecast, limit } = data;
  const lines: Line[] = [];
  if (trend) lines.push({ name: "Trend", colour: "--c-halo", points: { t: [trend.from, trend.to], v: [trend.first, trend.last] },
    shown: true, kind: "halo", hint: "the growth that the judge found, since it began" });
  lines.push({ name: "Memory", colour: "--c-memory", points: data.memory, shown: true, kind: "area", hint: "anonymous memory of all processes" });
  if (difference) lines.push({ name: "Memory before", colour: "--c-before", points: difference.beforeMemory, shown: true, kind: "dashed",
    hint: "the run compared with, moved so that both start together" });
  if (data.heap.t.length) lines.push({ name: "Living objects", colour: "--c-heap", points: data.heap, shown: true, kind: "line",
    hint: "bytes of living allocations, estimated from samples" });
  if (data.floors.t.length) lines.push({ name: "Floors", colour: "--c-floor", points: data.floors, shown: true, kind: "dots",
    hint: "the lowest memory of each stretch of time: what could not be freed" });
  if (forecast && limit) {
    const [, last] = span(data);
    const to = (seconds: number): Points => {
      const share = Math.min(1, Math.max(0, last - forecast.from) / Math.max(seconds, 1e-3));
      return { t: [forecast.from, forecast.from + Math.max(seconds, 1e-3) * share],
        v: [forecast.level, forecast.level + (limit.bytes - forecast.level) * share] };
    };
    lines.push({ name: "Forecast", colour: "--c-trend", points: to(forecast.p50), shown: true, kind: "dashed",
      hint: `the limit is met in ${duration(forecast.p10)} to ${duration(forecast.p90)} (80 % sure), if it goes on like this` });
  }
  data.processes.forEach((process, place) => lines.push({ name: `pid ${process.pid}`, colour: `--c-process-${place % 6}`, points: process,
    shown: false, kind: "line", hint: process.command }));
  return lines;
}

function seriesOf(line: Line): uPlot.Series {
  const stroke = () => styleOf(line.colour);
  const common: uPlot.Series = { label: line.name, stroke, show: line.shown, spanGaps: true, points: { show: false } };
  if (line.kind === "dots") return { ...common, paths: () => null, points: { show: true, size: 6, width: 1, fill: stroke, stroke: () => styleOf("--surface") } };
  if (line.kind === "halo") return { ...common, width: 8 };
  if (line.kind === "area") return { ...common, width: 2, fill: () => styleOf("--c-memory-fill") };
  return { ...common, width: line.colour === "--c-trend" ? 2.5 : 1.75, dash: line.kind === "dashed" ? DASH : undefined };
}

/** The span of the chart: the run, and of the forecast at most as much again. */
function span(data: ChartData): [number, number] {
  const end = Math.max(data.end, 1);
  const ahead = data.forecast ? Math.min(data.forecast.p90 * 1.05, Math.max(end * 0.6, 30)) : 0;
  return [0, end + ahead];
}

function limitFits(data: ChartData, last: number): boolean {
  if (!data.limit) return false;
  const top = Math.max(...data.memory.v, 1);
  if (data.limit.bytes <= 1.6 * top) return true;
  return data.forecast !== null && data.forecast.from + data.forecast.p10 <= last;
}

function drawBand(self: uPlot, data: ChartData, start: number): void {
  const { forecast, limit } = data;
  if (!forecast || !limit) return;
  const { ctx, bbox } = self;
  const x = (seconds: number) => self.valToPos(Math.min(start + seconds, 1e15), "x", true);
  const y = (bytes: number) => self.valToPos(bytes, "y", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.beginPath();
  ctx.moveTo(x(forecast.from), y(forecast.level));
  ctx.lineTo(x(forecast.from + forecast.p10), y(limit.bytes));
  ctx.lineTo(x(forecast.from + forecast.p90), y(limit.bytes));
  ctx.closePath();
  ctx.fillStyle = styleOf("--c-forecast");
  ctx.fill();
  ctx.restore();
}

function drawLimit(self: uPlot, data: ChartData): void {
  if (!data.limit) return;
  const { ctx, bbox } = self;
  const ratio = devicePixelRatio;
  const label = `limit ${limitText(data.limit.bytes)}`;
  const y = self.valToPos(data.limit.bytes, "y", true);
  const inside = y >= bbox.top;
  ctx.save();
  ctx.font = `600 ${12 * ratio}px ${styleOf("--sans")}`;
  ctx.fillStyle = ctx.strokeStyle = styleOf("--c-limit");
  ctx.textAlign = "left";
  ctx.textBaseline = inside ? "bottom" : "top";
  if (inside) {
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  const text = inside ? label : `↑ ${label}`;
  const x = bbox.left + 8 * ratio, top = inside ? y - 4 * ratio : bbox.top + 22 * ratio;
  const height = 16 * ratio;
  ctx.fillStyle = styleOf("--veil");
  ctx.fillRect(x - 3 * ratio, inside ? top - height : top - 2 * ratio, ctx.measureText(text).width + 6 * ratio, height);
  ctx.fillStyle = styleOf("--c-limit");
  ctx.fillText(text, x, top);
  ctx.restore();
}

function limitText(bytes: number): string {
  for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"]] as const) if (bytes >= unit && bytes % unit === 0) return `${bytes / unit} ${name}`;
  return amount(bytes);
}

function drawMarks(self: uPlot, marks: Marks, start: number): void {
  const { ctx, bbox } = self;
  const ratio = devicePixelRatio;
  const places: (readonly [number, string])[] = [];
  if (marks.from !== null) places.push([marks.from, "A"]);
  if (marks.to !== null) places.push([marks.to, "B"]);
  ctx.save();
  ctx.font = `600 ${11 * ratio}px ${styleOf("--sans")}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  for (const [moment, name] of places) {
    const x = self.valToPos(start + moment, "x", true);
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    ctx.strokeStyle = ctx.fillStyle = styleOf("--muted");
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + 14 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.beginPath();
    ctx.arc(x, bbox.top + 8 * ratio, 8 * ratio, 0, 7);
    ctx.fill();
    ctx.fillStyle = styleOf("--surface");
    ctx.fillText(name, x, bbox.top + 8.5 * ratio);
  }
  ctx.restore();
}

/** What was said when, as a strip at the bottom: a colour each, and the word where it has room. */
function drawStrip(self: uPlot, data: ChartData, start: number): void {
  const { ctx, bbox } = self;
  const ratio = devicePixelRatio;
  const changes = data.history.filter((entry, place, all) => place === 0 || all[place - 1].verdict !== entry.verdict);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * ratio}px ${styleOf("--sans")}`;
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  changes.forEach((entry, place) => {
    const x = self.valToPos(start + entry.t, "x", true);
    const end = self.valToPos(start + (changes[place + 1]?.t ?? data.end), "x", true);
    const y = bbox.top + bbox.height - STRIP * ratio;
    ctx.fillStyle = styleOf(`--v-${entry.verdict}`);
    ctx.fillRect(x, y, Math.max(end - x - ratio, 2 * ratio), STRIP * ratio);
    const text = verdictName(entry.verdict);
    if (ctx.measureText(text).width < end - x - 6 * ratio) {
      ctx.fillStyle = styleOf("--muted");
      ctx.fillText(text, x + 2 * ratio, y - 2 * ratio);
    }
  });
  ctx.restore();
}

function valueNear(values: (number | null | undefined)[], index: number): number | null {
  for (let step = 0; step < 40; step++) {
    const value = values[index - step] ?? values[index + step];
    if (value !== null && value !== undefined) return value;
  }
  return null;
}

function legend(lines: Line[], plot: uPlot, data: ChartData): HTMLElement {
  const items = lines.map((line, place) => {
    const input = el("input", { type: "checkbox", onchange: () => {
      line.shown = input.checked;
      plot.setSeries(place + 1, { show: input.checked });
    } });
    input.checked = line.shown;
    const swatch = el("span", { class: `swatch ${line.kind}` });
    swatch.style.setProperty("--swatch", `var(${line.colour})`);
    return el("label", { title: line.hint }, input, swatch, line.name);
  });
  const band = data.forecast ? [el("span", { class: "key", title: "80 % of forecasts lie in it" }, el("span", { class: "swatch band" }), "P10–P90")] : [];
  return el("div", { class: "legend", role: "group", "aria-label": "Lines of the chart" }, ...items, ...band);
}

/** The verdicts in words, for those who can't see the strip. */
export function historyList(list: HTMLElement, data: ChartData): boolean {
  const changes = data.history.filter((entry, place, all) => place === 0 || all[place - 1].verdict !== entry.verdict);
  list.append(...changes.map((entry) =>
    el("li", {}, `${clock(data.start + entry.t)}  ${verdictName(entry.verdict)}, ${percent(entry.confidence)} sure`)));
  return changes.length > 0;
}
