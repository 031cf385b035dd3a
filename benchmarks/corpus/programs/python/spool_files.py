"""An upload server that spools each upload to a file; after an upload that was cancelled the file stays open."""

import os
import random
import tempfile

from traffic.shape import arrivals, seed

OPEN = {}
PART = b"part of an upload, sixty-four bytes long, with a line's end...\n"


def begin(upload, folder):
    """A file with a big buffer, because uploads come in small parts."""
    OPEN[upload] = open(os.path.join(folder, f"{upload}.part"), "wb", buffering=65536)  # LEAK
    return OPEN[upload]


def finish(upload):
    file = OPEN.pop(upload)
    file.close()
    os.unlink(file.name)


def main():
    draw = random.Random(seed())
    with tempfile.TemporaryDirectory() as folder:
        for number in arrivals(12):
            upload = f"upload-{number}"
            file = begin(upload, folder)
            for _ in range(draw.randint(300, 1000)):
                file.write(PART)
            if draw.random() < 0.3:
                finish(upload)


if __name__ == "__main__":
    main()
