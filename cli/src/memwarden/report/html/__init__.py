"""The report as one HTML file that needs no network and no server.

Two layers. The words and tables are made here, in Python: they are there without JavaScript, in a mail's preview
or behind a strict content policy. The charts, the flame graph and sorting are made in the browser by `bundle.js`
(generated from cli/web) out of one block of JSON. docs/design/20261121-report.md says why.

What comes from the watched program (names, paths, command lines) may hold anything: `markup` escapes all of it,
and `markup.shown` leaves no control character and no endless name.
"""
