"""A key-value store: writes go to a table in memory, which is written to disk and emptied when it has 2500 entries."""

import json
import os
import tempfile

from traffic.web import serve


class Store:
    """A table in memory, and files with what was there before."""

    def __init__(self, folder):
        self.folder = folder
        self.table = {}
        self.files = []

    def put(self, key, value):
        self.table[key] = value
        if len(self.table) >= 2500:
            self.flush()

    def flush(self):
        path = os.path.join(self.folder, f"{len(self.files) % 4}.json")
        with open(path, "w") as file:
            json.dump(sorted(self.table.items()), file)
        self.files.append(path)
        self.table = {}


def main():
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)

        def handle(request):
            if request.path == "/orders":
                order = request.json()
                for number, line in enumerate(order["lines"]):
                    store.put(
                        f"{request.session}-{number}-{line['sku']}",
                        {**line, "copies": [line["note"]] * 60, "tag": line["note"] * 60},
                    )
                return {"waiting": len(store.table)}
            return {"files": len(store.files)} if request.path.startswith("/items/") else None

        serve(handle)


if __name__ == "__main__":
    main()
