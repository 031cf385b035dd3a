"""The report in a real browser, opened from disk. Screenshots are kept in test-output/report/.

Needs Debian's chromium and playwright from PyPI: `make test-system`.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memwarden.report.difference import compare
from memwarden.report.formats import html
from memwarden.report.html.difference import difference_parts

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed"),
    pytest.mark.filterwarnings("ignore"),
]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = Path(__file__).resolve().parents[3] / "test-output" / "report"
LONGEST_TASK_MS = 2000
"""The main thread is never busy for longer, on a machine that does other things too."""

# Whether a canvas has something drawn on it, by the number of colours in it.
COLOURS = """canvas => {
  const c = canvas.getContext('2d'), {data} = c.getImageData(0, 0, canvas.width, canvas.height), seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3]) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return seen.size;
}"""
LONG_TASKS = """() => { window.tasks = []; new PerformanceObserver(list =>
  window.tasks.push(...list.getEntries().map(e => e.duration))).observe({type: 'longtask', buffered: true}); }"""
# Text whose contrast with what lies behind it is under 4.5.
CONTRAST = """() => {
  const parse = text => {
    const p = text.match(/[\\d.]+/g).map(Number);
    return [p[0], p[1], p[2], p[3] ?? 1];
  };
  const channel = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > .99) return c;
    }
    return [255, 255, 255, 1];
  };
  const bad = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !e.checkVisibility() || e.closest('script,style,noscript,.hidden')) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.add(`${e.tagName}.${e.className} ${ratio.toFixed(2)} ${text.slice(0, 30)}`);
  }
  return [...bad];
}"""


class Opened:
    """A page, and all that it complained about or asked the network for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss())
        )
        page.on("request", lambda request: self.requests.append(request.url))

    def colours(self, selector: str) -> int:
        return int(self.page.locator(selector).evaluate(COLOURS))

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    opened: list[tuple[Any, Opened]] = []

    def start(text: str, width: int = 1280, scheme: str = "light", script: bool = True) -> Opened:
        path = tmp_path / f"report{len(opened)}.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        one = Opened(context.new_page())
        opened.append((context, one))
        if script:
            one.page.add_init_script(f"({LONG_TASKS})()")
        one.page.goto(path.as_uri())
        if script:
            one.page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
            one.settle()
        return one

    yield start
    for context, one in opened:
        assert one.complaints == []
        assert len(one.requests) == 1, "nothing but the file itself is asked for"
        context.close()


@pytest.fixture
def leaking(make: Any) -> str:
    return make.page_of(make.leak())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_and_readable_in_both_themes(
    open_page: Callable[..., Opened], leaking: str, scheme: str
) -> None:
    opened = open_page(leaking, scheme=scheme)
    assert opened.page.evaluate("document.documentElement.dataset.theme") == scheme
    assert opened.colours("#chart canvas") > 20
    assert opened.colours("#flame canvas") > 5
    assert opened.page.locator("#ages-chart tr").count() == 10
    assert opened.page.evaluate(CONTRAST) == []
    opened.picture(f"leak-{scheme}")
    opened.page.locator("#theme").click()
    other = "light" if scheme == "dark" else "dark"
    assert opened.page.evaluate("document.documentElement.dataset.theme") == other
    assert opened.page.evaluate(CONTRAST) == []


def test_the_chart_zooms_by_drag_and_by_keys_and_tells_values(
    open_page: Callable[..., Opened], leaking: str
) -> None:
    page = open_page(leaking).page
    readout = page.locator("#chart .readout")
    area = page.locator("#chart .u-over").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + 80)
    assert re.search(r"\d\d:\d\d:\d\d UTC  ·  .*Memory \d+ MB", readout.text_content() or "")
    before = page.locator("#chart canvas").evaluate("c => c.toDataURL()")
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.5, area["y"] + 80, steps=5)
    page.mouse.up()
    zoomed = page.locator("#chart canvas").evaluate("c => c.toDataURL()")
    assert zoomed != before
    page.locator(".plot").focus()
    page.keyboard.press("0")
    page.mouse.move(0, 0)
    page.keyboard.press("ArrowRight")
    first = readout.text_content()
    page.keyboard.press("ArrowRight")
    assert readout.text_content() != first
    whole = page.locator("#chart canvas").evaluate("c => c.toDataURL()")
    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator("#chart canvas").evaluate("c => c.toDataURL()") != whole
    page.get_by_role("button", name="Show all", exact=True).click()


def test_the_limit_comes_into_view_when_asked(open_page: Callable[..., Opened], make: Any) -> None:
    page = open_page(make.page_of(make.steady())).page
    button = page.get_by_role("button", name="Show the limit in the chart")
    before = page.locator("#chart canvas").evaluate("c => c.toDataURL()")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator("#chart canvas").evaluate("c => c.toDataURL()") != before


def test_the_flame_graph_finds_and_zooms_by_mouse_and_by_keys(
    open_page: Callable[..., Opened], leaking: str
) -> None:
    opened = open_page(leaking)
    page = opened.page
    about, canvas = page.locator("#flame .about"), page.locator("#flame canvas")
    assert "Everything" in (about.text_content() or "")
    canvas.focus()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("REMEMBER")
    assert re.search(r"1 match: \d+ MB, \d+ %", page.locator("#flame .matched").text_content() or "")
    page.keyboard.press("Enter")
    assert "/srv/shop/remember.py:10" in (about.text_content() or "")
    assert re.search(r"\d+ MB at A, \d+ MB at B \(\+\d+ MB\)", about.text_content() or "")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    canvas.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert "handle" in (about.text_content() or "")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    opened.settle()
    assert "/srv/shop/remember.py:10" in (about.text_content() or "")
    page.keyboard.press("ArrowDown")
    assert "raw_decode" in (about.text_content() or "")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    opened.settle()
    area = canvas.bounding_box()
    assert area is not None
    page.mouse.click(area["x"] + 40, area["y"] + 21 + 10)
    opened.settle()
    assert "handle" in (about.text_content() or "")
    page.get_by_role("button", name="Show everything again").click()
    assert "Everything" in (about.text_content() or "")


def test_moments_move_graph_table_and_ages_together(open_page: Callable[..., Opened], leaking: str) -> None:
    opened = open_page(leaking)
    page = opened.page
    first_row = page.locator("#sites-table tbody tr").first
    assert "shop/remember.py:10" in (first_row.text_content() or "")
    was = first_row.text_content()
    slider = page.get_by_label("B, to")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    opened.settle()
    assert first_row.text_content() != was
    page.get_by_label("Living at B").check()
    opened.settle()
    assert "living at" in (page.locator("#flame .about").text_content() or "")
    page.get_by_label("Freed from A to B").check()
    page.locator("#ages-chart select").select_option(index=1)
    assert page.locator("#ages-chart .bar-fill").count() == 10
    page.get_by_label("Grown from A to B").check()
    first_row.get_by_role("button").click()
    assert page.locator("#flame input[type=search]").input_value() == "/srv/shop/remember.py:10"


def test_tables_sort_both_ways(open_page: Callable[..., Opened], leaking: str) -> None:
    page = open_page(leaking).page
    head = page.locator("#sites-table th").nth(5)
    head.get_by_role("button").click()
    values = [
        int(cell)
        for cell in page.locator("#sites-table td:nth-child(6)").evaluate_all(
            "c => c.map(x => x.dataset.value)"
        )
    ]
    assert values == sorted(values, reverse=True)
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"


def test_everything_can_be_reached_by_tab(open_page: Callable[..., Opened], leaking: str) -> None:
    page = open_page(leaking).page
    seen = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate(
                "(document.activeElement.id || document.activeElement.className || document.activeElement.tagName) + ''"
            )
        )
    assert {"skip", "theme", "plot", "sort", "place"} <= {word for name in seen for word in name.split()}
    assert "CANVAS" in seen


@pytest.mark.parametrize("width", [360, 768])
def test_narrow_screens_scroll_down_and_never_sideways(
    open_page: Callable[..., Opened], leaking: str, width: int
) -> None:
    opened = open_page(leaking, width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    opened.picture(f"leak-{width}")


def test_paper_is_light_and_holds_the_pictures(open_page: Callable[..., Opened], leaking: str) -> None:
    opened = open_page(leaking, scheme="dark")
    PICTURES.mkdir(parents=True, exist_ok=True)
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not opened.page.locator(".bar").is_visible()
    for canvas in ("#chart canvas", "#flame canvas"):
        assert opened.page.locator(canvas).evaluate("c => c.getBoundingClientRect().width") <= 680
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.evaluate("document.documentElement.dataset.theme") == "dark"
    opened.page.emulate_media(media="screen", color_scheme="dark")
    # The last step: after it this page draws no frame any more.
    paper = opened.page.pdf(path=PICTURES / "leak.pdf", format="A4", print_background=True)
    assert paper.startswith(b"%PDF")
    assert len(paper) > 50_000, "the canvases are in it"


def test_without_javascript_the_words_and_tables_are_there(
    open_page: Callable[..., Opened], leaking: str
) -> None:
    opened = open_page(leaking, script=False)
    text = opened.page.locator("main").inner_text()
    assert "shop/remember.py:10" in text
    assert "Is it a slope and not a single jump?" in text
    assert "JavaScript" in text
    opened.picture("leak-no-javascript")


@pytest.mark.parametrize("maker", ["empty", "one_sample", "steady"])
def test_little_to_show_is_shown_without_complaint(
    open_page: Callable[..., Opened], make: Any, maker: str
) -> None:
    opened = open_page(make.page_of(getattr(make, maker)()))
    assert "could not be drawn" not in opened.page.locator("main").inner_text()
    opened.picture(maker)


def test_hostile_names_are_inert(open_page: Callable[..., Opened], make: Any) -> None:
    opened = open_page(make.page_of(make.hostile()))
    page = opened.page
    assert page.locator("img, iframe, object, [onmouseover], [onerror]").count() == 0
    assert page.evaluate("document.scripts.length") == 3
    assert "<script>alert(1)</script>" in page.locator("main").inner_text()
    canvas = page.locator("#flame canvas")
    canvas.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter", "Escape"):
        page.keyboard.press(key)
    page.locator("#flame input[type=search]").fill("<script>")
    page.locator("#sites-table button.place").first.click()
    for option in range(page.locator("#ages-chart option").count()):
        page.locator("#ages-chart select").select_option(index=option)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    opened.picture("hostile")


def test_two_runs_are_compared_in_pictures(open_page: Callable[..., Opened], make: Any) -> None:
    before, after = make.chosen(make.leak()), make.chosen(make.steady())
    both = compare(before, after, "before.mwrec", "after.mwrec")
    opened = open_page(
        html.render(after.report, after.recording, extra=difference_parts(both)), scheme="dark"
    )
    page = opened.page
    about = page.locator("#difference-flame .about")
    assert page.get_by_label("Got better").is_checked()
    assert "less of growth a minute than before" in (about.text_content() or "")
    assert opened.colours("#difference-flame canvas") > 5
    page.get_by_label("Got worse").check()
    page.get_by_label("Living at the end").check()
    page.locator("#difference-flame").get_by_label("Before").check()
    opened.settle()
    assert "at the end, before" in (about.text_content() or "")
    assert page.locator("#chart .legend").get_by_text("Memory before").is_visible()
    assert page.evaluate(CONTRAST) == []
    opened.picture("difference-dark")


@pytest.mark.slow
def test_a_hundred_thousand_stacks_without_a_freeze(
    open_page: Callable[..., Opened], make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bound of the file's size would cut most of them: here the page is to be tried, not the bound.
    monkeypatch.setattr("memwarden.report.html.profile.pack.__defaults__", (100_000, 100_000_000))
    text = make.page_of(make.many_stacks(100_000))
    opened = open_page(text)
    page = opened.page
    assert "smallest of" not in page.locator("#heap").inner_text(), "all of them are in the page"
    canvas = page.locator("#flame canvas")
    assert opened.colours("#flame canvas") > 5
    canvas.focus()
    for key in ("ArrowDown", "Enter", "ArrowDown", "ArrowRight", "Enter", "Escape", "Home"):
        page.keyboard.press(key)
        opened.settle()
    page.locator("#flame input[type=search]").fill("call_7")
    page.keyboard.press("Enter")
    page.get_by_label("Living at B").check()
    opened.settle()
    assert re.search(r"\d+ matches: ", page.locator("#flame .matched").text_content() or "")
    longest = max(page.evaluate("window.tasks"), default=0)
    print(f"100 000 stacks: {len(text) / 1e6:.1f} MB, longest task {longest:.0f} ms")
    assert longest < LONGEST_TASK_MS
    opened.picture("stacks-100000")
