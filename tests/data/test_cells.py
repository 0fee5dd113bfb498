"""What cells look like at a glance."""

import pytest

from fathometer.data.cells import look


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("NA", "missing"),
        ("?", "missing"),
        ("-200", "number"),
        ("1e-5", "number"),
        ("2,6", "number"),
        ("1,234,567.89", "number"),
        ("1.234.567,89", "number"),
        ("£68,486.66", "number"),
        ("12.5 %", "number"),
        ("(3.20)", "number"),
        ("2024-05-01", "moment"),
        ("10/03/2004", "moment"),
        ("18.00.00", "moment"),
        ("09-Mar-11", "moment"),
        ("Oct-14", "moment"),
        ("January 7, 2018", "moment"),
        ("2024-05-01T10:00:00Z", "moment"),
        ("New York", "word"),
        ("A11", "word"),
        ("1,5;2,3", "text"),
        ("a long sentence that goes on, and on, and on", "text"),
        ("x" * 10_000_000, "text"),
    ],
)
def test_cells_look_like_what_they_are(cell: str, expected: str) -> None:
    assert look(cell) == expected
