// Elements whose text is always text: nothing here reads HTML.

type Child = Node | string | null | undefined;
type Attributes = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/** An element with attributes, listeners (`onclick: f`) and children; strings become text nodes. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value as unknown as EventListener);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined));
  return element;
}

/** The value of a colour or length that the style sheet names. */
export function styleOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

let fields = 0;

/** A radio group that looks like one control. */
export function choice<T extends string>(
  label: string,
  options: readonly (readonly [T, string])[],
  chosen: T,
  change: (value: T) => void,
): HTMLElement {
  const name = `choice-${fields++}`;
  return el(
    "fieldset",
    { class: "choice" },
    el("legend", { class: "hidden" }, label),
    ...options.map(([value, text]) => {
      const input = el("input", { type: "radio", name, value, onchange: () => change(value) });
      input.checked = value === chosen;
      return el("label", {}, input, el("span", {}, text));
    }),
  );
}

export function button(text: string, title: string, click: () => void): HTMLButtonElement {
  return el("button", { type: "button", title, "aria-label": title, onclick: click }, text);
}

const watchers: (() => void)[] = [];

/** Called when light becomes dark, when the page is printed, and back. */
export function onTheme(watcher: () => void): void {
  watchers.push(watcher);
}

export function themeChanged(): void {
  for (const watcher of watchers) watcher();
}

/** Pixels that a sheet of paper is wide. */
const PAPER = 680;

/** Give what is drawn the width of paper while it is printed, and `null` (its own width) afterwards. */
export function onPrint(resize: (width: number | null) => void): void {
  addEventListener("beforeprint", () => resize(PAPER));
  addEventListener("afterprint", () => resize(null));
}
