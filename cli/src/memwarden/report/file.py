"""Files that appear whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from memwarden.errors import Failed, reason


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` by a rename, with the rights that a new file gets. Raises Failed."""
    draft = ""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        mask = os.umask(0o077)
        os.umask(mask)
        Path(draft).chmod(0o666 & ~mask)
        Path(draft).replace(path)
    except OSError as error:
        if draft:
            with suppress(OSError):
                Path(draft).unlink()
        raise Failed(f"{path} could not be written: {reason(error)}; choose another folder") from error
