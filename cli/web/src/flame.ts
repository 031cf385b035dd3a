// A flame graph on one canvas, root at the top. Why it is our own: docs/design/20261121-report.md.
//
// Only bars of half a pixel and more are visited, so that drawing costs what is seen and not what there is.

import { el, onPrint, onTheme, styleOf } from "./dom";
import { type Heap, KINDS } from "./heap";
import { amount, percent } from "./words";

const ROW = 21;
const SMALLEST = 0.5;
const PADDING = 5;
const ROOT = -1;

interface Bar {
  node: number;
  x: number;
  width: number;
  row: number;
}

export interface FlameEvents {
  /** The frame under the pointer or the keyboard's; ROOT (-1) for everything. */
  select(node: number): void;
  zoom(node: number): void;
}

export class Flame {
  readonly canvas = el("canvas", {
    tabindex: "0",
    role: "application",
    "aria-label": "Flame graph. Arrow keys move, Enter zooms in, Escape zooms out, / searches.",
  });
  readonly box = el("div", { class: "flame" }, this.canvas);
  zoomed = ROOT;
  selected = ROOT;
  total = 0;
  matchedBytes = 0;
  matchedNodes: number[] = [];
  private totals: Float64Array = new Float64Array(0);
  private matches: Uint8Array | null = null;
  private bars: Bar[] = [];
  private tone = "warm";
  private width = 0;
  private planned = 0;
  private paper: number | null = null;

  constructor(private readonly heap: Heap, private readonly events: FlameEvents) {
    new ResizeObserver(() => this.plan()).observe(this.box);
    onTheme(() => this.draw());
    onPrint((width) => { this.paper = width; this.layOut(); this.draw(); });
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => this.choose(this.zoomed, false));
    this.canvas.addEventListener("click", (event) => {
      const bar = this.at(event);
      if (bar) this.zoom(bar.node === this.zoomed ? this.parent(bar.node) : bar.node);
    });
    for (const name of ["focus", "blur"]) this.canvas.addEventListener(name, () => this.plan());
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** Show these totals of nodes (see Heap.totals). */
  show(totals: Float64Array, tone: "warm" | "cool"): void {
    this.totals = totals;
    this.tone = tone;
    this.total = 0;
    this.heap.parents.forEach((parent, node) => {
      if (parent < 0) this.total += totals[node];
    });
    if (this.zoomed !== ROOT && !(totals[this.zoomed] > 0)) this.zoomed = this.selected = ROOT;
    this.countMatches();
    this.plan();
  }

  /** Bytes of a node; of ROOT: of all. */
  bytes(node: number): number {
    return node === ROOT ? this.total : this.totals[node];
  }

  zoom(node: number): void {
    this.zoomed = this.selected = node;
    this.countMatches();
    this.plan();
    this.events.zoom(node);
    this.events.select(node);
  }

  /** Mark frames whose function or place holds `text`; "" takes the marks away. */
  find(text: string): void {
    const wanted = text.trim().toLowerCase();
    if (wanted === "") this.matches = null;
    else {
      this.matches = new Uint8Array(this.heap.frameCount);
      for (let frame = 0; frame < this.matches.length; frame++) {
        const name = `${this.heap.functionName(frame)} ${this.heap.place(frame)}`.toLowerCase();
        this.matches[frame] = name.includes(wanted) ? 1 : 0;
      }
    }
    this.countMatches();
    this.plan();
  }

  /** Select the next match, the heaviest first; zooms out where it is not in view. */
  nextMatch(step: 1 | -1): void {
    const found = this.matchedNodes;
    if (!found.length) return;
    const place = found.indexOf(this.selected);
    const next = found[place < 0 ? (step > 0 ? 0 : found.length - 1) : (place + step + found.length) % found.length];
    if (!this.isBelow(next, this.zoomed)) this.zoomed = ROOT;
    this.choose(next, true);
  }

  private isMatch(node: number): boolean {
    return this.matches !== null && this.matches[this.heap.frames[node]] === 1;
  }

  /** What matches below the zoomed frame; a match inside of a match counts once. */
  private countMatches(): void {
    this.matchedBytes = 0;
    this.matchedNodes = [];
    if (this.matches === null) return;
    const inside = new Uint8Array(this.totals.length);
    const below = new Uint8Array(this.totals.length);
    this.heap.parents.forEach((parent, node) => {
      below[node] = this.zoomed === ROOT || node === this.zoomed || (parent >= 0 && below[parent]) ? 1 : 0;
      const covered = parent >= 0 && inside[parent] === 1;
      const matching = this.isMatch(node);
      inside[node] = covered || matching ? 1 : 0;
      if (matching && !covered && below[node] && this.totals[node] > 0) {
        this.matchedBytes += this.totals[node];
        this.matchedNodes.push(node);
      }
    });
    this.matchedNodes.sort((a, b) => this.totals[b] - this.totals[a]);
  }

  private isBelow(node: number, root: number): boolean {
    for (; node !== root; node = this.parent(node)) if (node === ROOT) return false;
    return true;
  }

  private parent(node: number): number {
    return node === ROOT ? ROOT : this.heap.parents[node];
  }

  /** Children with bytes, the heaviest first. */
  private children(node: number): Int32Array {
    const { childStart, childList } = this.heap;
    const found = childList.slice(childStart[node + 1], childStart[node + 2]).filter((child) => this.totals[child] > 0);
    return found.sort((a, b) => this.totals[b] - this.totals[a] || a - b);
  }

  private plan(): void {
    if (this.planned) return;
    this.planned = requestAnimationFrame(() => {
      this.planned = 0;
      this.layOut();
      this.draw();
    });
  }

  private layOut(): void {
    this.width = this.paper ?? Math.max(120, this.box.clientWidth);
    this.bars = [];
    const above = [];
    for (let node = this.zoomed; node !== ROOT; node = this.parent(node)) above.push(node);
    above.push(ROOT);
    above.reverse().forEach((node, row) => this.bars.push({ node, x: 0, width: this.width, row }));
    const todo: Bar[] = [this.bars[this.bars.length - 1]];
    const scale = this.width / Math.max(this.bytes(this.zoomed), 1e-9);
    while (todo.length) {
      const bar = todo.pop() as Bar;
      let x = bar.x;
      for (const child of this.children(bar.node)) {
        const width = this.totals[child] * scale;
        if (width < SMALLEST) break;
        const next = { node: child, x, width, row: bar.row + 1 };
        this.bars.push(next);
        todo.push(next);
        x += width;
      }
    }
  }

  private draw(): void {
    const rows = this.bars.reduce((most, bar) => Math.max(most, bar.row + 1), 1);
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(Math.min(rows * ROW * ratio, 16000));
    this.canvas.style.height = `${rows * ROW}px`;
    this.canvas.style.width = this.paper === null ? "" : `${this.width}px`;
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.scale(ratio, ratio);
    context.font = `12px ${styleOf("--sans")}`;
    context.textBaseline = "middle";
    const letter = context.measureText("abcdefghij_lmnop").width / 16;
    const colours = new Map<string, string>();
    const colour = (name: string) => colours.get(name) ?? colours.set(name, styleOf(name)).get(name)!;
    for (const bar of this.bars) this.drawBar(context, bar, letter, colour);
  }

  private drawBar(c: CanvasRenderingContext2D, bar: Bar, letter: number, colour: (name: string) => string): void {
    const frame = bar.node === ROOT ? -1 : this.heap.frames[bar.node];
    const kind = frame < 0 ? "process" : KINDS[this.heap.kind(frame)];
    const matching = frame >= 0 && this.isMatch(bar.node);
    const shade = frame < 0 ? 0 : this.heap.functionName(frame).length % 3;
    const name = matching ? "match" : kind === "own" ? `${this.tone}-${shade}` : kind;
    const top = bar.row * ROW;
    const width = Math.max(bar.width - (bar.width > 3 ? 1 : 0), 0.5);
    const faded = (this.matches !== null && !matching) || this.isAbove(bar.node);
    c.globalAlpha = faded ? 0.5 : 1;
    c.fillStyle = colour(`--flame-${name}`);
    c.fillRect(bar.x, top, width, ROW - 1);
    c.globalAlpha = 1;
    if (bar.node === this.selected && (bar.node !== this.zoomed || document.activeElement === this.canvas)) {
      c.strokeStyle = colour("--text");
      c.lineWidth = 2;
      c.strokeRect(bar.x + 1, top + 1, Math.max(width - 2, 1), ROW - 3);
    }
    const fits = Math.floor((width - 2 * PADDING) / letter);
    if (fits < 3) return;
    const text = this.label(bar.node);
    c.fillStyle = colour(faded ? "--text" : matching ? "--flame-match-text" : kind === "own" ? "--flame-own-text" : "--flame-text");
    c.fillText(text.length > fits ? `${text.slice(0, fits - 1)}…` : text, bar.x + PADDING, top + ROW / 2, width - 2 * PADDING);
  }

  private isAbove(node: number): boolean {
    return node !== this.zoomed && this.zoomed !== ROOT && this.isBelow(this.zoomed, node);
  }

  /** What a bar says. */
  label(node: number): string {
    if (node === ROOT) return `everything · ${amount(this.total)}`;
    const frame = this.heap.frames[node];
    const place = this.heap.place(frame);
    const short = place.split(/[\\/]/).slice(-1)[0];
    const share = percent(this.bytes(node) / Math.max(this.total, 1e-9));
    return `${this.heap.functionName(frame)}${short ? `  ${short}` : ""} · ${amount(this.bytes(node))} · ${share}`;
  }

  private at(event: MouseEvent): Bar | undefined {
    const area = this.canvas.getBoundingClientRect();
    const x = event.clientX - area.left;
    const row = Math.floor((event.clientY - area.top) / ROW);
    return this.bars.find((bar) => bar.row === row && bar.x <= x && x < bar.x + bar.width);
  }

  private hover(event: MouseEvent): void {
    const bar = this.at(event);
    this.canvas.style.cursor = bar ? "pointer" : "default";
    if (bar && bar.node !== this.selected) this.choose(bar.node, false);
  }

  private choose(node: number, reveal: boolean): void {
    this.selected = node;
    this.events.select(node);
    if (reveal && !this.bars.some((bar) => bar.node === node)) {
      this.zoomed = this.parent(node);
      this.events.zoom(this.zoomed);
    }
    this.plan();
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const node = this.selected;
    const family = node === ROOT ? new Int32Array() : this.children(this.parent(node));
    const place = family.indexOf(node);
    const moves: Record<string, () => void> = {
      ArrowDown: () => this.children(node).length && this.choose(this.children(node)[0], true),
      ArrowUp: () => this.choose(this.parent(node), true),
      ArrowLeft: () => place > 0 && this.choose(family[place - 1], true),
      ArrowRight: () => place >= 0 && place + 1 < family.length && this.choose(family[place + 1], true),
      Enter: () => this.zoom(node),
      Escape: () => this.zoom(this.parent(this.zoomed)),
      Home: () => this.zoom(ROOT),
      n: () => this.nextMatch(1),
      p: () => this.nextMatch(-1),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }
}
