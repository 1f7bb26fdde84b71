"""`refseg fit`, `validate`, `test` and `predict`: from the words of a command line to a run.

In come words and configs, out go an exit code and the folder of a run. Only this folder imports
Lightning, and `help` does without it. Open `run` first, then `lightning_cli`.
"""
