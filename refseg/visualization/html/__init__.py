"""Pages that need no network: markup, galleries with outlines, filters. Open `pages` first."""
