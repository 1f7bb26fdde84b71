"""The command line: verbs, one file each, and how configs are found and composed.

In come the words that a user types, out go exit codes. Only `trainer` and what it needs imports
torch; the help of all other verbs does without. Open `trainer` first.
"""
