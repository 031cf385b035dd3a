"""What makes a start quick."""

import subprocess
import sys


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, contextlib, io\n"
        "from memwarden.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(['--help'])\n"
        "print([name for name in ('numpy', 'pydantic', 'psycopg', 'http.client', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_command_stays_small_while_the_app_runs() -> None:
    code = (
        "import sys\n"
        "import memwarden.run.session, memwarden.database.server\n"
        "print([name for name in ('numpy', 'pydantic', 'psycopg', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
