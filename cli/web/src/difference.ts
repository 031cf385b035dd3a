// The flame graph of two runs: what got worse, what got better, and both as they were.

import { choice, el } from "./dom";
import type { Heap } from "./heap";
import { type Column, FlameBox } from "./heapview";
import { amount, signed } from "./words";

type View = "worse" | "better" | "before" | "after";
type Measure = "growth" | "live";

const OFFSET: Record<Measure, number> = { growth: 0, live: 2 };
const UNIT: Record<Measure, string> = { growth: "/min", live: "" };
const NAME: Record<Measure, string> = { growth: "of growth a minute", live: "at the end" };

/** The heap's "moments" are growth before and after (bytes a minute), then bytes at the end before and after. */
export function differenceView(heap: Heap, box: HTMLElement): void {
  let view: View = "worse", measure: Measure = "growth";
  const then = (stack: number) => heap.values[OFFSET[measure]][stack];
  const now = (stack: number) => heap.values[OFFSET[measure] + 1][stack];
  const views: Record<View, () => Column> = {
    worse: () => ({ name: `more ${NAME[measure]} than before`, tone: "warm", value: (stack) => Math.max(0, now(stack) - then(stack)) }),
    better: () => ({ name: `less ${NAME[measure]} than before`, tone: "cool", value: (stack) => Math.max(0, then(stack) - now(stack)) }),
    before: () => ({ name: `${NAME[measure]}, before`, tone: "warm", value: (stack) => Math.max(0, then(stack)) }),
    after: () => ({ name: `${NAME[measure]}, after`, tone: "warm", value: (stack) => Math.max(0, now(stack)) }),
  };
  const empty: Record<View, string> = {
    worse: "Nothing got worse: no call holds or adds more than before.",
    better: "Nothing got better: no call holds or adds less than before.",
    before: "Nothing grew in the run before.",
    after: "Nothing grew in the run after.",
  };
  let known: [Measure, Float64Array, Float64Array] | null = null;
  const flame = new FlameBox(heap, (node) => {
    if (known?.[0] !== measure) known = [measure, heap.totals(then), heap.totals(now)];
    const sum = (totals: Float64Array) => node >= 0 ? totals[node]
      : heap.parents.reduce((all, parent, one) => parent < 0 ? all + totals[one] : all, 0);
    const [before, after] = [sum(known[1]), sum(known[2])];
    return [`${amount(before)}${UNIT[measure]} before, ${amount(after)}${UNIT[measure]} after (${signed(after - before)}${UNIT[measure]})`];
  });
  const refresh = () => flame.show(views[view](), empty[view]);
  const total = (one: View) => heap.leaf.reduce((sum, _, stack) => sum + views[one]().value(stack), 0);
  if (total("better") > total("worse")) view = "better";
  const chooseView = choice<View>("What the width shows", [["worse", "Got worse"], ["better", "Got better"], ["before", "Before"], ["after", "After"]],
    view, (chosen) => { view = chosen; refresh(); });
  const chooseMeasure = choice<Measure>("What is compared", [["growth", "Growth a minute"], ["live", "Living at the end"]],
    measure, (chosen) => { measure = chosen; refresh(); });
  box.replaceChildren(el("div", { class: "moments" }, chooseView, chooseMeasure), flame.box);
  refresh();
}
