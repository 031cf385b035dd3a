// Numbers as memwarden_core.wording writes them.

const DECIMAL: readonly (readonly [number, string])[] = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];

function short(value: number): string {
  return Math.abs(value) >= 9.95 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "");
}

export function amount(size: number): string {
  for (const [unit, name] of DECIMAL) if (Math.abs(size) >= 0.9995 * unit) return `${short(size / unit)} ${name}`;
  return `${size.toFixed(0)} B`;
}

export function signed(size: number): string {
  return size === 0 ? "0" : `${size > 0 ? "+" : "\u2212"}${amount(Math.abs(size))}`;
}

export function percent(share: number): string {
  const value = 100 * share;
  return `${value !== 0 && Math.abs(value) < 0.95 ? value.toFixed(1) : value.toFixed(0)} %`;
}

export function duration(seconds: number): string {
  if (seconds < 120) return `${seconds >= 2 || seconds === 0 ? seconds.toFixed(0) : seconds.toFixed(1)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 2 * 86400) return `${(seconds / 3600).toFixed(0)} h`;
  return `${(seconds / 86400).toFixed(0)} days`;
}

/** The time of day in UTC; with the date where that is asked for. */
export function clock(unixSeconds: number, withDate = false): string {
  const text = new Date(unixSeconds * 1000).toISOString();
  return withDate ? text.slice(0, 19).replace("T", " ") : text.slice(11, 19);
}

export function shortPath(file: string): string {
  return file.split(/[\\/]/).filter(Boolean).slice(-2).join("/") || file;
}

const VERDICTS: Record<string, string> = { WarmingUp: "Warming up", CacheFilling: "Cache filling" };

export function verdictName(verdict: string): string {
  return VERDICTS[verdict] ?? verdict;
}

/** The beginning and the end of a name that is too long for a table. */
export function clip(text: string, most = 96): string {
  return text.length <= most ? text : `${text.slice(0, most - 28)}…${text.slice(-27)}`;
}
