// Tables that are sorted by a click on a column's head, or Enter on it.

export function makeSortable(table: HTMLTableElement): void {
  const heads = [...table.querySelectorAll<HTMLTableCellElement>("thead th")];
  heads.forEach((head, column) => {
    if (head.querySelector("button")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      sortBy(table, column, up);
    });
    head.replaceChildren(button);
  });
}

function sortBy(table: HTMLTableElement, column: number, up: boolean): void {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, key: keyOf(row.cells[column]) }));
  rows.sort((a, b) => (up ? 1 : -1) * compare(a.key, b.key) || a.place - b.place);
  body.append(...rows.map((one) => one.row));
}

function keyOf(cell: HTMLTableCellElement | undefined): number | string {
  const text = cell?.dataset.value ?? cell?.textContent ?? "";
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b));
}

const FIRST_ROWS = 12;

/** A long table shows its first rows, and the others when asked. Printed are those that show. */
export function fold(table: HTMLTableElement): void {
  const body = table.tBodies[0];
  if (!body || body.rows.length <= FIRST_ROWS + 3) return;
  table.classList.add("folded");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "more";
  button.textContent = `Show all ${body.rows.length}`;
  button.addEventListener("click", () => {
    table.classList.remove("folded");
    button.remove();
  });
  (table.parentElement ?? table).after(button);
}
