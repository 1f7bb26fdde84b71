"""Pages that need no network: HTML templates, galleries with outlines, filters.

In come texts, tables, figures and masks, out comes one HTML file. Open `pages` first.
"""
