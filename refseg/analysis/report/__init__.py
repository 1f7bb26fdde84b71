"""One HTML page about one run or several, made of what `analysis` finds. Open `page` first."""
