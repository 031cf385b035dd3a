// The page's data as memwarden.report.html.page writes it. Times in seconds since `start`, sizes in bytes.

export interface Points {
  t: number[];
  v: number[];
}

export interface ChartData {
  start: number;
  end: number;
  memory: Points;
  heap: Points;
  floors: Points;
  processes: (Points & { pid: number; command: string })[];
  trend: { from: number; to: number; first: number; last: number } | null;
  limit: { bytes: number; source: string } | null;
  forecast: { from: number; level: number; p10: number; p50: number; p90: number } | null;
  history: { t: number; verdict: string; confidence: number }[];
}

export interface HeapData {
  moments: number[];
  from: number;
  /** In KiB: ages[0] is everything, ages[1 + i] is ageSites[i]; then by moment, then by bucket. */
  ages: number[][][];
  ageSites: { file: string; line: number; function: string }[];
  ageBounds: number[];
}

export interface DifferenceData {
  beforeMemory: Points;
  minutes: [number, number];
}

export interface PageData {
  interval: number;
  chart?: ChartData;
  heap?: HeapData | null;
  difference?: DifferenceData;
}

export function read(): PageData {
  return JSON.parse(document.getElementById("data")?.textContent ?? "{}") as PageData;
}
