// What the report does in a browser. Words and tables are in the page already; this draws and sorts.

import "uplot/dist/uPlot.min.css";
import "./style.css";
import { historyList, memoryChart } from "./chart";
import { read } from "./data";
import { el, themeChanged } from "./dom";
import { unpack } from "./heap";
import { heapView } from "./heapview";
import { differenceView } from "./difference";
import { fold, makeSortable } from "./sort";

const data = read();

function theme(): void {
  const toggle = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen: string | null = null;
  const show = (): void => {
    const isDark = chosen ? chosen === "dark" : dark.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    if (toggle) toggle.textContent = isDark ? "Light" : "Dark";
    toggle?.setAttribute("aria-label", `Switch to ${isDark ? "light" : "dark"} colours`);
    themeChanged();
  };
  toggle?.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  if (toggle) toggle.hidden = false;
  let before = "";
  addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme ?? "";
    document.documentElement.dataset.theme = "light";
    themeChanged();
  });
  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = before;
    themeChanged();
  });
  show();
}

/** A part that fails says so in its place; the others go on. */
async function part(identity: string, draw: (box: HTMLElement) => void | Promise<void>): Promise<void> {
  const box = document.getElementById(identity);
  if (!box) return;
  try {
    await draw(box);
  } catch (error) {
    console.error(error);
    box.replaceChildren(el("p", { class: "empty" },
      "This part could not be drawn in this browser; use a current Chrome, Edge, Firefox or Safari."));
  }
}

async function main(): Promise<void> {
  theme();
  let marks: (from: number | null, to: number | null) => void = () => {};
  document.querySelectorAll<HTMLTableElement>("table[data-sortable]").forEach((table) => {
    makeSortable(table);
    fold(table);
  });
  await part("chart", (box) => {
    if (!data.chart) return;
    const move = memoryChart(box, data.chart, data.difference);
    marks = (from, to) => move({ from, to });
    const list = document.getElementById("history");
    const outer = document.getElementById("history-box");
    if (list && outer) outer.hidden = !historyList(list, data.chart);
  });
  const heap = data.heap;
  if (heap && data.chart) {
    const start = data.chart.start;
    await part("flame", async () => heapView(await unpack("heap-stacks", heap.moments.length), heap, start, marks));
  }
  await part("difference-flame", async (box) => differenceView(await unpack("difference-stacks", 4), box));
  document.documentElement.dataset.ready = "true";
}

void main();
