"""`refseg bench VERB`: how fast things are, and how much memory they take."""

VERBS = {
    "data": "open the table of a full-size data set and read an epoch with several workers",
}
EXAMPLES = """\
examples:
  refseg bench data"""
