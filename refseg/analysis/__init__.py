"""What runs left, compared: intervals, paired tests, breakdowns, cases, and a verdict in words.

In come `results.parquet` and `summary.json` of finished runs, out come tables and texts. Open
`findings` first.
"""
