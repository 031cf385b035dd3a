"""Rendering a product page costs 20 ms of template and pricing, so the shop keeps rendered pages.

`PageCache` has the bug: the key is the whole URL, and the URL carries the campaign and click id that the
advertising network adds. Every visitor from an advertisement is a new key, and nothing is ever thrown away.
`BoundedPageCache` is the fix: the product decides, and the least recently used page goes.
"""

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock

from flask import Request, render_template


class PageCache:
    """Rendered pages, found again by the address that was asked for."""

    def __init__(self) -> None:
        self._pages: dict[str, str] = {}
        self._lock = Lock()

    def page(self, request: Request, product: Mapping[str, object]) -> str:
        key = request.full_path
        with self._lock:
            known = self._pages.get(key)
        return known if known is not None else self.remember(key, product)

    def remember(self, key: str, product: Mapping[str, object]) -> str:
        """Render the page and keep it for the next visitor."""
        page = render_template("product.html", product=product)
        with self._lock:
            self._pages[key] = page
        return page


class BoundedPageCache(PageCache):
    """The fix: one page a product, and at most `bound` of them."""

    def __init__(self, bound: int = 200) -> None:
        super().__init__()
        self._bound = bound
        self._kept: OrderedDict[str, str] = OrderedDict()

    def page(self, request: Request, product: Mapping[str, object]) -> str:
        key = str(product["id"])
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        return self.remember(key, product)

    def remember(self, key: str, product: Mapping[str, object]) -> str:
        page = render_template("product.html", product=product)
        with self._lock:
            self._kept[key] = page
            while len(self._kept) > self._bound:
                self._kept.popitem(last=False)
        return page
