"""What a probe in a container hands over: the folder of its /proc and that of its memory cgroup.

A sidecar sees neither the process ids nor the cgroup of another container of its pod. An open folder of procfs
shows the process namespace of its mount to whoever holds it, and one of cgroupfs the cgroup: read through
`/proc/self/fd/N` they are what `ProcFolder` and `MemoryCgroup` read anyway, at no cost for the program.

They come from a user's process, so they are checked: the kernel's own file systems only (a folder of FUSE could
keep the reader waiting for ever), and of procfs the root only. Whoever lies about them lies about itself alone.
"""

import os
from pathlib import Path
from typing import Final

from memwarden_sidecar.errors import Unreadable
from memwarden_sidecar.sources.cgroup import MemoryCgroup
from memwarden_sidecar.sources.proc_files import ProcFolder

# linux/magic.h
PROC_MAGIC: Final = 0x9FA0
CGROUP_MAGIC: Final = 0x27E0EB
CGROUP2_MAGIC: Final = 0x63677270
PROC_ROOT_INODE: Final = 1
"""fs/proc/internal.h; folders of processes and of namespaces have other numbers."""


class ContainerFolders:
    """The folders of one container, open until `close`. Takes the descriptors over, whatever happens."""

    def __init__(self, proc: int, cgroup: int | None) -> None:
        """Raises Unreadable for what is no /proc. A cgroup that can't be used is left out."""
        self._descriptors = [proc] if cgroup is None else [proc, cgroup]
        try:
            if _file_system(proc) != PROC_MAGIC or os.fstat(proc).st_ino != PROC_ROOT_INODE:
                raise Unreadable("the folder that came as /proc is none", denied=False)
            self.device = os.fstat(proc).st_dev
            """One number for all that is seen through one mount of procfs."""
            self.proc = ProcFolder(_path(proc))
            self.group = None if cgroup is None else _memory_cgroup(cgroup)
        except OSError as error:
            self.close()
            raise Unreadable(f"a folder that came with hello: {error.strerror}", denied=False) from None
        except Unreadable:
            self.close()
            raise

    @property
    def is_inhabited(self) -> bool:
        """Whether a process lives there; the namespace of a container that has ended shows none."""
        try:
            return bool(self.proc.pids())
        except OSError:
            return False

    @property
    def life(self) -> str:
        """What tells this life of the container from others: when its first process started, since boot."""
        try:
            return str(self.proc.stat(1).key.start_ticks)
        except Unreadable:
            return "0"

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())


def _memory_cgroup(descriptor: int) -> MemoryCgroup | None:
    folder = _path(descriptor)
    version = {CGROUP_MAGIC: 1, CGROUP2_MAGIC: 2}.get(_file_system(descriptor))
    if version is None or not (folder / "memory.stat").exists():
        return None
    return MemoryCgroup(folder, folder, version)


def _path(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")


def _file_system(descriptor: int) -> int:
    """f_type of fstatfs(2), which Python has no function for. Raises OSError."""
    import ctypes  # a megabyte that only containers need

    buffer = (ctypes.c_long * 32)()  # struct statfs has 120 bytes; f_type is its first member
    if ctypes.CDLL(None, use_errno=True).fstatfs(descriptor, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(buffer[0])
