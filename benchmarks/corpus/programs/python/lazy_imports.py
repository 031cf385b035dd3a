"""A toolbox service that imports what a request needs when it is first asked for: memory grows with what is new."""

import importlib

from traffic.web import serve

TOOLS = """
argparse ast asyncio base64 bdb bisect bz2 calendar cgitb cmd code codeop colorsys compileall configparser
concurrent.futures contextlib copy csv ctypes curses.ascii dataclasses datetime decimal difflib dis doctest
email.mime.text email.parser enum filecmp fileinput fnmatch fractions ftplib functools getopt getpass gettext
glob graphlib gzip heapq hmac html.parser http.cookiejar http.cookies imaplib importlib.metadata inspect
ipaddress json.tool keyword linecache locale logging.config logging.handlers lzma mailbox mailcap mimetypes
modulefinder multiprocessing.pool netrc nntplib numbers opcode optparse pathlib pdb pickletools pkgutil
platform plistlib poplib pprint profile pstats py_compile pyclbr pydoc queue quopri random re reprlib
rlcompleter runpy sched secrets selectors shelve shlex shutil site smtplib socketserver sqlite3.dump ssl
statistics stringprep subprocess symtable tabnanny tarfile telnetlib tempfile textwrap timeit token tokenize
trace tracemalloc turtledemo types typing unittest.mock urllib.request urllib.robotparser uuid venv warnings
wave weakref webbrowser wsgiref.simple_server xdrlib xml.dom.minidom xml.etree.ElementTree xml.sax
xmlrpc.client xmlrpc.server zipapp zipfile zipimport zoneinfo
""".split()


def tool(number):
    """The module with a number; None where this Python hasn't got it."""
    try:
        return importlib.import_module(TOOLS[number % len(TOOLS)])
    except ImportError:
        return None


def handle(request):
    if request.path.startswith("/items/"):
        module = tool(int(request.path.rsplit("/", 1)[-1]))
        return {
            "tool": getattr(module, "__name__", ""),
            "help": (module.__doc__ or "")[:80] if module else "",
        }
    return {"tools": len(TOOLS)} if request.path == "/orders" else None


if __name__ == "__main__":
    serve(handle)
