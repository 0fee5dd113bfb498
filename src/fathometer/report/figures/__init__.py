"""Drawings as SVG, made here: no library, no script, no font; colours come from the page's style sheet."""
