// The stacks as the report holds them, and what is computed from them for a flame graph.

export const KINDS = ["own", "library", "runtime", "process", "rest"] as const;

interface PackedTree {
  unit: number;
  strings: string[];
  files: number[];
  lines: number[];
  functions: number[];
  kinds: number[];
  parents: number[];
  frames: number[];
  leaf: number[];
  site: number[];
  samples: number[];
  values: number[][];
}

/** Frames, nodes (a parent comes before its children) and the values of stacks by moment, in bytes. */
export class Heap {
  readonly parents: Int32Array;
  readonly frames: Int32Array;
  readonly leaf: Int32Array;
  readonly site: Int32Array;
  readonly samples: Int32Array;
  /** values[moment][stack] */
  readonly values: Float64Array[];
  /** Children of node n: childList[childStart[n + 1] … childStart[n + 2]); of the root: from childStart[0]. */
  readonly childStart: Int32Array;
  readonly childList: Int32Array;
  readonly depth: Int16Array;

  constructor(private readonly tree: PackedTree, moments: number) {
    this.parents = Int32Array.from(tree.parents);
    this.frames = Int32Array.from(tree.frames);
    this.leaf = Int32Array.from(tree.leaf);
    this.site = Int32Array.from(tree.site);
    this.samples = Int32Array.from(tree.samples);
    this.values = Array.from({ length: moments }, () => new Float64Array(tree.leaf.length));
    tree.values.forEach((steps, stack) => {
      let value = 0;
      for (let moment = 0; moment < moments; moment++) {
        value += steps[moment] ?? 0;
        this.values[moment][stack] = value * tree.unit;
      }
    });
    const size = this.parents.length;
    this.childStart = new Int32Array(size + 2);
    for (const parent of this.parents) this.childStart[parent + 2]++;
    for (let place = 1; place < size + 2; place++) this.childStart[place] += this.childStart[place - 1];
    const next = this.childStart.slice();
    this.childList = new Int32Array(size);
    this.depth = new Int16Array(size);
    this.parents.forEach((parent, node) => {
      this.childList[next[parent + 1]++] = node;
      this.depth[node] = parent < 0 ? 1 : this.depth[parent] + 1;
    });
  }

  get frameCount(): number {
    return this.tree.files.length;
  }

  file(frame: number): string {
    return this.tree.strings[this.tree.files[frame]];
  }

  line(frame: number): number {
    return this.tree.lines[frame];
  }

  functionName(frame: number): string {
    return this.tree.strings[this.tree.functions[frame]];
  }

  kind(frame: number): number {
    return this.tree.kinds[frame];
  }

  /** "file.py:41", "" for a frame that is no line of code. */
  place(frame: number): string {
    const file = this.file(frame);
    return file ? `${file}:${this.line(frame)}` : "";
  }

  /** Totals of all nodes for one value a stack. */
  totals(value: (stack: number) => number): Float64Array {
    const total = new Float64Array(this.parents.length);
    for (let stack = 0; stack < this.leaf.length; stack++) total[this.leaf[stack]] += value(stack);
    for (let node = total.length - 1; node >= 0; node--) {
      const parent = this.parents[node];
      if (parent >= 0) total[parent] += total[node];
    }
    return total;
  }
}

/** Read a packed block: base64 of gzip of JSON. */
export async function unpack(identity: string, moments: number): Promise<Heap> {
  const text = document.getElementById(identity)?.textContent ?? "";
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Heap(JSON.parse(await new Response(stream).text()) as PackedTree, moments);
}
