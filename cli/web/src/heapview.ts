// Everything that follows the chosen moments: flame graph, table of lines, ages.

import type { HeapData } from "./data";
import { button, choice, el } from "./dom";
import { Flame } from "./flame";
import type { Heap } from "./heap";
import { makeSortable } from "./sort";
import { amount, clip, clock, percent, shortPath, signed } from "./words";

const ROWS = 50;

export type View = "live" | "grown" | "freed";

export interface Column {
  name: string;
  value(stack: number): number;
  tone: "warm" | "cool";
}

/** A flame graph with search, buttons and a line about the chosen frame. */
export class FlameBox {
  readonly flame: Flame;
  readonly box: HTMLElement;
  readonly search: HTMLInputElement;
  private readonly matched = el("span", { class: "matched", "aria-live": "polite" });
  private readonly about = el("div", { class: "about", "aria-live": "polite" });
  private readonly nothing = el("p", { class: "empty", hidden: true });
  private column: Column | null = null;

  /** `describe` adds numbers about a node to the line below the graph. */
  constructor(private readonly heap: Heap, private readonly describe: (node: number) => string[]) {
    this.flame = new Flame(heap, { select: (node) => this.tell(node), zoom: () => this.count() });
    this.search = el("input", {
      type: "search", placeholder: "Find a function or file", "aria-label": "Find a function or file",
      oninput: () => { this.flame.find(this.search.value); this.count(); },
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === "Enter") { event.preventDefault(); this.flame.nextMatch(event.shiftKey ? -1 : 1); }
      },
    });
    this.flame.canvas.addEventListener("keydown", (event) => {
      if (event.key === "/") { event.preventDefault(); this.search.focus(); }
    });
    const tools = el("div", { class: "flame-tools" }, this.search,
      button("‹", "Previous match", () => this.flame.nextMatch(-1)), button("›", "Next match", () => this.flame.nextMatch(1)),
      this.matched, button("Zoom out", "Show everything again", () => this.flame.zoom(-1)));
    this.box = el("div", {}, tools, this.flame.box, this.nothing, this.about, key());
  }

  show(column: Column, whenEmpty: string): void {
    this.column = column;
    this.box.classList.toggle("cool", column.tone === "cool");
    this.flame.show(this.heap.totals(column.value), column.tone);
    const empty = !(this.flame.total > 0);
    this.nothing.textContent = whenEmpty;
    this.nothing.hidden = !empty;
    this.flame.box.hidden = empty;
    this.count();
    this.tell(this.flame.selected);
  }

  find(text: string): void {
    this.search.value = text;
    this.flame.find(text);
    this.count();
    this.flame.nextMatch(1);
  }

  private count(): void {
    const { matchedBytes, matchedNodes, total } = this.flame;
    const shown = this.flame.bytes(this.flame.zoomed) || total;
    this.matched.textContent = this.search.value.trim() === "" ? ""
      : `${matchedNodes.length} match${matchedNodes.length === 1 ? "" : "es"}: ${amount(matchedBytes)}, ${percent(matchedBytes / Math.max(shown, 1))}`;
  }

  private tell(node: number): void {
    const bytes = this.flame.bytes(node);
    const share = percent(bytes / Math.max(this.flame.total, 1e-9));
    const title = node < 0 ? "Everything" : this.heap.functionName(this.heap.frames[node]);
    const place = node < 0 ? "" : this.heap.place(this.heap.frames[node]);
    this.about.replaceChildren(
      el("p", {}, el("b", {}, title), place ? " " : null, place ? el("code", {}, place) : null),
      el("p", { class: "num" }, [`${amount(bytes)} ${this.column?.name ?? ""}`, `${share} of all`, ...this.describe(node)].join("  ·  ")));
  }
}

function key(): HTMLElement {
  const one = (name: string, text: string) => el("span", {}, el("span", { class: `swatch flame-${name}` }), text);
  return el("p", { class: "flame-key" }, one("own", "your code"), one("library", "libraries"), one("runtime", "interpreter"), one("match", "found"),
    el("span", { class: "keys" }, "click or Enter zooms in, Esc out, arrows move, / finds"));
}

/** Flame graph, table of lines and ages of one recording; `marks` hears of the chosen moments. */
export function heapView(heap: Heap, data: HeapData, start: number, marks: (from: number | null, to: number | null) => void): void {
  const last = data.moments.length - 1;
  let from = Math.min(data.from, last), to = last;
  const hasGrown = last > 0 && heap.leaf.some((_, stack) => heap.values[to][stack] > heap.values[from][stack]);
  let view: View = hasGrown ? "grown" : "live";
  const ages = agesChart(data);
  const totalsAt = new Map<number, Float64Array>();
  const at = (moment: number) => {
    if (totalsAt.size > 6) totalsAt.clear();
    const known = totalsAt.get(moment) ?? heap.totals((stack) => heap.values[moment][stack]);
    totalsAt.set(moment, known);
    return known;
  };
  const sumAt = (moment: number, node: number) => node >= 0 ? at(moment)[node]
    : heap.parents.reduce((sum, parent, one) => parent < 0 ? sum + at(moment)[one] : sum, 0);
  const box = new FlameBox(heap, (node) => last > 0
    ? [`${amount(sumAt(from, node))} at A, ${amount(sumAt(to, node))} at B (${signed(sumAt(to, node) - sumAt(from, node))})`] : []);
  const columns: Record<View, () => Column> = {
    live: () => ({ name: `living at ${clock(start + data.moments[to])}`, tone: "warm", value: (stack) => heap.values[to][stack] }),
    grown: () => ({ name: "grown from A to B", tone: "warm", value: (stack) => Math.max(0, heap.values[to][stack] - heap.values[from][stack]) }),
    freed: () => ({ name: "freed from A to B", tone: "cool", value: (stack) => Math.max(0, heap.values[from][stack] - heap.values[to][stack]) }),
  };
  const empty: Record<View, string> = {
    live: "Nothing that was sampled lives at this moment. Move B to another moment.",
    grown: "Nothing has grown between A and B. Move them apart, or look at what lives.",
    freed: "Nothing was freed between A and B. Move them apart, or look at what has grown.",
  };
  const table = sitesTable(heap, data, (text) => { box.find(text); document.getElementById("heap")?.scrollIntoView(); });

  function refresh(): void {
    sliderA.box.hidden = view === "live";
    sliderA.show(from); sliderB.show(to);
    box.show(columns[view](), empty[view]);
    table(from, to);
    ages(to);
    marks(view === "live" ? null : data.moments[from], data.moments[to]);
  }
  const sliderA = slider("A, from", data, start, (moment) => { from = Math.min(moment, Math.max(0, to - 1)); refresh(); });
  const sliderB = slider(last > 0 ? "B, to" : "Moment", data, start, (moment) => { to = last > 0 ? Math.max(moment, view === "live" ? 0 : from + 1) : 0;
    if (from >= to) from = Math.max(0, to - 1); refresh(); });
  const views = choice<View>("What the width shows", [["grown", "Grown from A to B"], ["live", "Living at B"], ["freed", "Freed from A to B"]],
    view, (chosen) => { view = chosen; refresh(); });
  const place = document.getElementById("flame");
  place?.replaceChildren(el("div", { class: "moments" }, last > 0 ? views : null, el("div", { class: "sliders" }, sliderA.box, last > 0 ? sliderB.box : null)), box.box);
  refresh();
}

function slider(name: string, data: HeapData, start: number, change: (moment: number) => void) {
  const output = el("output", {});
  const input = el("input", { type: "range", min: 0, max: Math.max(0, data.moments.length - 1), step: 1, oninput: () => change(input.valueAsNumber) });
  const box = el("label", { class: "slider" }, el("span", {}, name), input, output);
  const show = (moment: number) => {
    input.valueAsNumber = moment;
    output.textContent = `${clock(start + data.moments[moment])} UTC`;
    input.setAttribute("aria-valuetext", output.textContent);
  };
  return { box, show };
}

/** The lines of code that hold memory, over all stacks that pass through them. */
function sitesTable(heap: Heap, data: HeapData, find: (text: string) => void): (from: number, to: number) => void {
  const place = document.getElementById("sites-table");
  const known = [...new Set(heap.site)].filter((site) => site >= 0);
  let all = false;
  const draw = (from: number, to: number): void => {
    const rows = new Map(known.map((site) => [site, { site, live: 0, grown: 0, samples: 0 }]));
    heap.site.forEach((site, stack) => {
      const row = rows.get(site);
      if (!row) return;
      row.live += heap.values[to][stack];
      row.grown += heap.values[to][stack] - heap.values[from][stack];
      row.samples += heap.samples[stack];
    });
    const minutes = (data.moments[to] - data.moments[from]) / 60;
    const sorted = [...rows.values()].filter((row) => row.live || row.grown).sort((a, b) => b.grown - a.grown || b.live - a.live);
    const growth = sorted.reduce((sum, row) => sum + Math.max(0, row.grown), 0);
    const shown = all ? sorted : sorted.slice(0, ROWS);
    const num = (text: string, value: number, ...more: HTMLElement[]) => el("td", { class: "num", "data-value": value }, text, ...more);
    const body = shown.map((row) => {
      const where = `${heap.file(row.site)}:${heap.line(row.site)}`;
      const name = el("button", { type: "button", class: "place", title: `${where} ${heap.functionName(row.site)}: show in the flame graph`,
        onclick: () => find(where) }, el("b", {}, `${clip(shortPath(heap.file(row.site)))}:${heap.line(row.site)}`), " ",
        el("span", { class: "fn" }, clip(heap.functionName(row.site))));
      return el("tr", {}, el("td", { "data-value": where }, name), num(amount(row.live), row.live),
        num(signed(row.grown), row.grown), num(minutes > 0 && row.grown ? `${signed(row.grown / minutes)}/min` : "0", row.grown),
        num(growth > 0 ? percent(Math.max(0, row.grown) / growth) : "–", row.grown),
        num(row.samples.toLocaleString("en"), row.samples, el("small", {}, row.samples ? ` ±${percent(row.samples ** -0.5)}` : "")));
    });
    const head = ["Line of code", "Living at B", "From A to B", "Per minute", "Share of growth", "Samples at the end"];
    const table = el("table", {}, el("thead", {}, el("tr", {}, ...head.map((text, column) => el("th", { scope: "col", class: column ? "num" : "" }, text)))),
      el("tbody", {}, ...body));
    makeSortable(table);
    const more = !all && sorted.length > ROWS ? button(`Show all ${sorted.length}`, "Show all lines", () => { all = true; draw(from, to); }) : null;
    place?.replaceChildren(el("div", { class: "scroll" }, table), ...(more ? [more] : []));
  };
  return draw;
}

/** A bound of an age: "30 s", "5 min", "1 h". */
function span(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}

/** Bytes by age, for everything or one line of code. */
function agesChart(data: HeapData): (moment: number) => void {
  const place = document.getElementById("ages-chart");
  const bars = el("table", { class: "bars" });
  let group = 0, now = 0;
  const names = ["everything", ...data.ageSites.map((site) => `${clip(shortPath(site.file))}:${site.line} ${clip(site.function)}`)];
  const select = el("select", { "aria-label": "Whose age", onchange: () => { group = select.selectedIndex; draw(now); } },
    ...names.map((name) => el("option", {}, name)));
  const bounds = data.ageBounds;
  const labels = [`up to ${span(bounds[0])}`, ...bounds.slice(1).map((bound, bucket) => `${span(bounds[bucket])} to ${span(bound)}`),
    `over ${span(bounds[bounds.length - 1])}`];
  const draw = (moment: number): void => {
    now = moment;
    const values = (data.ages[group]?.[moment] ?? []).map((value) => value * 1024);
    const most = Math.max(...values, 1), total = values.reduce((a, b) => a + b, 0);
    bars.replaceChildren(el("caption", { class: "hidden" }, "Bytes by age"), el("tbody", {}, ...labels.map((label, bucket) => {
      const value = values[bucket] ?? 0;
      const bar = el("span", { class: "bar-fill" });
      bar.style.width = `${(100 * value) / most}%`;
      return el("tr", {}, el("th", { scope: "row" }, label), el("td", { class: "bar-cell" }, bar),
        el("td", { class: "num" }, value > 0 ? amount(value) : "–"), el("td", { class: "num" }, total > 0 ? percent(value / total) : ""));
    })));
  };
  place?.replaceChildren(el("p", { class: "ages-tools" }, "Age of ", select), bars);
  return draw;
}
