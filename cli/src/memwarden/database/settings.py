"""PostgreSQL's settings for a database that lives as long as one run of one program."""

from typing import Final

SOCKET_PORT: Final = 5432
"""Only the name of the socket file: there is no TCP port."""

INITDB: Final = (
    "--username=postgres",
    "--auth=trust",  # its socket lies in a folder that only we may enter
    "--no-sync",
    "--no-instructions",
    "--no-data-checksums",
    "--encoding=UTF8",
    "--locale=C",
    "--wal-segsize=1",
)

SERVER: Final = {
    # Nobody but the collector, over a socket file.
    "listen_addresses": "",
    "port": str(SOCKET_PORT),
    "max_connections": "20",
    "superuser_reserved_connections": "1",
    # Small: it shares the machine with the program that is watched.
    "shared_buffers": "32MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "16MB",
    "huge_pages": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "max_worker_processes": "1",
    "autovacuum_max_workers": "1",
    "io_method": "sync",  # from 18 on: else three workers more
    # In the data folder, not in /dev/shm: nothing is left there after kill -9.
    "dynamic_shared_memory_type": "mmap",
    # The database dies with the run: a crash of the machine leaves nobody who would read it.
    "fsync": "off",
    # But a killed server is started again, and what was acknowledged must be there: a commit waits until the kernel has
    # it, and a page of which only a half was written can be made whole.
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "wal_buffers": "1MB",
    "min_wal_size": "2MB",
    "max_wal_size": "64MB",
    "checkpoint_timeout": "15min",
    # What it writes to stderr is our log, and bounded.
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

# Every run copies the data folder: databases that nobody uses are not worth 15 MB of copying.
SLIM: Final = """\
UPDATE pg_database SET datistemplate = false;
DROP DATABASE template0;
DROP DATABASE template1;
CHECKPOINT;
"""


def configuration(major: int) -> str:
    """postgresql.conf for the server's major version."""
    settings = {name: value for name, value in SERVER.items() if major >= 18 or name != "io_method"}
    return "".join(f"{name} = '{value}'\n" for name, value in settings.items())
