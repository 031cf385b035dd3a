"""`memwarden top`: what a run or a collector sees right now, in the terminal.

`targets` finds what can be watched, `watcher` asks its collector and makes a `Picture`, `lines` turns a picture into
lines of a given width; `plain` prints them, `app` (the only part that needs Textual) shows them live.
"""
