"""How numbers are written: few digits, a unit, the interval behind."""

from __future__ import annotations

import math

from fathometer.data.sentences import counted
from fathometer.report.record import Estimate, Measure

MINUS = "\N{MINUS SIGN}"
UNMEASURED = "not measured"


def level(value: float, unit: str = "") -> str:
    """A score or an error: one digit behind the point for per cent, else four digits in all."""
    if unit == "%":
        return f"{signed_zero(value, 1)} %"
    if abs(value) >= 1e9:
        shown = f"{value:.3g}".replace("e+0", "e").replace("e+", "e")
    elif abs(value) >= 1_000:
        shown = f"{value:,.0f}"
    else:
        shown = f"{value:.4g}"
    return (shown.replace("-", MINUS, 1) + (f" {unit}" if unit else "")).strip()


def interval(low: float, high: float, unit: str = "") -> str:
    """Ends of an interval: "[79.7, 81.9]"; the unit stands before it, with the value."""
    ends = [level(end, unit).removesuffix(unit).strip() for end in (low, high)]
    return f"[{ends[0]}, {ends[1]}]"


def score(found: Estimate | None, measure: Measure) -> tuple[str, str]:
    """A score and its interval."""
    if found is None:
        return UNMEASURED, ""
    return level(found.value, measure.unit), _ends(found, measure.unit)


def _ends(found: Estimate, unit: str) -> str:
    return "" if found.low is None or found.high is None else interval(found.low, found.high, unit)


def size(value: float) -> str:
    """A difference without its sign, in two digits."""
    value = abs(value)
    if value == 0:
        return "0"
    if value < 0.01:
        return "under 0.01"
    return f"{value:,.0f}" if value >= 100 else f"{float(f'{value:.2g}'):g}"


def difference(value: float, unit: str) -> str:
    """A difference with its sign: "+0.9 points"."""
    shown = size(value)
    if shown.startswith("under") or value == 0:
        return f"{'0' if value == 0 else 'about 0'} {unit}".strip()
    named = "point" if unit == "points" and shown == "1" else unit
    return f"{'+' if value > 0 else MINUS}{shown} {named}".strip()


def differences(found: Estimate | None, unit: str) -> tuple[str, str]:
    """A difference and its interval: "+0.9 points", "[+0.3, +1.6]"."""
    if found is None:
        return UNMEASURED, ""
    if found.low is None or found.high is None:
        return difference(found.value, unit), ""
    return difference(found.value, unit), f"[{_end(found.low)}, {_end(found.high)}]"


def _end(value: float) -> str:
    shown = size(value)
    return "0" if shown.startswith("under") or shown == "0" else f"{'+' if value > 0 else MINUS}{shown}"


def amount(value: float, unit: str) -> str:
    """A size with its unit: "1 point", "0.5 points"."""
    shown = size(value)
    return f"{shown} {'point' if unit == 'points' and shown == '1' else unit}".strip()


def share(value: float) -> str:
    """A part of one as per cent: "71 %"."""
    return f"{signed_zero(100 * value, 0)} %"


def fine_share(value: float) -> str:
    """A part of one as per cent with one digit: "3.4 %"."""
    return f"{signed_zero(100 * value, 1)} %"


def chance(value: float) -> str:
    """A probability; never 0 or 100 %, which nobody can measure."""
    if value > 0.99:
        return "over 99 %"
    return "under 1 %" if value < 0.01 else share(value)


def signed_zero(value: float, digits: int) -> str:
    """Fixed digits, a true minus, and never minus nothing."""
    shown = f"{value:,.{digits}f}"
    return shown.removeprefix("-") if float(shown.replace(",", "")) == 0 else shown.replace("-", MINUS, 1)


def seconds(value: float) -> str:
    """A time: "0.4 s", "59 s", "12 min", "3.2 h"."""
    if value < 0.01:
        return "under 0.01 s"
    if value < 10:
        return f"{value:.2g} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def span(value: float) -> str:
    """A time in words: "40 seconds", "5 minutes"."""
    if value < 120:
        return counted(max(1, round(value)), "second")
    if value >= 7200:
        return f"{value / 3600:.3g} hours"
    return f"{value / 60:.3g} minutes"


def milliseconds(value: float) -> str:
    """A short time, given in milliseconds: "60 µs", "4.2 ms", "1.5 s"."""
    if value < 0.0995:
        return f"{value * 1000:.0f} µs" if value >= 0.00995 else f"{value * 1000:.2g} µs"
    if value >= 1000:
        return seconds(value / 1000)
    # 99.7 has two digits as 1e+02
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"


def bytes_of(value: float) -> str:
    """A size on disk or in memory, in decimal units: "610 bytes", "3.9 MB"."""
    if value < 1000:
        return counted(round(value), "byte")
    power = min(4, int(math.log10(value * 1.0005) / 3))  # 999,999 bytes are a megabyte, not 1,000 kB
    scaled = value / 1000**power
    unit = ("kB", "MB", "GB", "TB")[power - 1]
    return f"{scaled:.2g} {unit}" if scaled < 10 else f"{scaled:,.0f} {unit}"


def money(value: float, currency: str) -> str:
    """A price in two digits where it is small: "0.0033 USD", "12.40 USD"."""
    if 0 < value < 0.0001:
        return f"under 0.0001 {currency}".strip()
    if 0 < value < 0.1:
        return f"{value:.2g} {currency}".strip()
    return (f"{value:,.2f} {currency}" if value < 100 else f"{value:,.0f} {currency}").strip()


def energy(value: float) -> str:
    """Watt-hours in two digits, which is more than such an estimate is worth."""
    if value >= 1000:
        return f"{value / 1000:.2g} kWh"
    return "under 0.01 Wh" if 0 < value < 0.01 else f"{float(f'{value:.2g}'):g} Wh"


def energies(found: Estimate | None) -> tuple[str, str]:
    """Watt-hours and their range: "0.064 Wh", "[0.032, 0.096]"."""
    if found is None:
        return UNMEASURED, ""
    if found.low is None or found.high is None:
        return energy(found.value), ""
    shown = [energy(value) for value in (found.value, found.low, found.high)]
    is_one_unit = len({words.rpartition(" ")[2] for words in shown}) == 1
    low, high = (words.rpartition(" ")[0] if is_one_unit else words for words in shown[1:])
    return shown[0], f"[{low}, {high}]"


def count(value: float) -> str:
    return f"{value:,.0f}"


def factor(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def about(value: float) -> str:
    """At most two leading digits, for what was forecast."""
    power = 10 ** (int(math.log10(value)) - 1) if value >= 100 else 1
    return count(round(value / power) * power)


def rows(value: float) -> str:
    """About so many rows."""
    shown = about(value)
    return f"{shown} row{'' if shown == '1' else 's'}"
