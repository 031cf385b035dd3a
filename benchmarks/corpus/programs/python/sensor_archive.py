"""Archives the readings of a plant's sensors as Parquet: batches are gathered to row groups, and files to hours."""

import random
import tempfile
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
from traffic.shape import arrivals, seed

GROUP_ROWS = 260_000
FILE_SECONDS = 60.0
ROWS = 900
KEPT = 2
SCHEMA = pyarrow.schema(
    [
        ("sensor", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        ("at", pyarrow.float64()),
        ("value", pyarrow.float64()),
        ("raw", pyarrow.binary(24)),
        ("remark", pyarrow.string()),
    ]
)
SENSORS = [f"line {line}, sensor {sensor}" for line in range(12) for sensor in range(40)]


class Archive:
    """The file of this hour, and the batches that are not in it yet."""

    def __init__(self, folder):
        self.folder, self.files, self.batches, self.rows = folder, [], [], 0
        self.open()

    def open(self):
        self.files.append(self.folder / f"{len(self.files):05d}.parquet")
        self.writer = pyarrow.parquet.ParquetWriter(self.files[-1], SCHEMA, compression="snappy")
        self.ends = time.monotonic() + FILE_SECONDS

    def take(self, batch):
        self.batches, self.rows = [*self.batches, batch], self.rows + batch.num_rows
        if self.rows >= GROUP_ROWS:
            self.flush()
        if time.monotonic() > self.ends:
            self.flush()
            self.writer.close()
            for name in self.files[-KEPT - 1 : -KEPT]:
                name.unlink()
            self.open()

    def flush(self):
        if self.batches:
            self.writer.write_table(pyarrow.Table.from_batches(self.batches, SCHEMA))
        self.batches, self.rows = [], 0


def batch(draw):
    """Readings of one second, from all over the plant."""
    now, raw = time.time(), draw.randbytes(24 * ROWS)
    codes = pyarrow.array([draw.randrange(len(SENSORS)) for _ in range(ROWS)], pyarrow.int32())
    columns = [
        pyarrow.DictionaryArray.from_arrays(codes, SENSORS),
        pyarrow.array([now + place / ROWS for place in range(ROWS)]),
        pyarrow.array([draw.random() for _ in range(ROWS)]),
        pyarrow.array([raw[place : place + 24] for place in range(0, len(raw), 24)], pyarrow.binary(24)),
        pyarrow.array(["drift" * (place % 7) for place in range(ROWS)]),
    ]
    return pyarrow.record_batch(columns, SCHEMA)


def main():
    draw = random.Random(seed())
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder))
        for _ in arrivals(15):
            archive.take(batch(draw))


if __name__ == "__main__":
    main()
