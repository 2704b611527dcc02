"""One window of all plants of a lane: what was measured and what the weather should have given."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.columns import Floats, Ints, Mask, Micros


@dataclass(frozen=True, slots=True)
class Observed:
    """(rows,) each; NaN where unknown. Powers are means over the window in kW."""

    start_us: int
    end_us: int
    present: Mask
    """Whether the plant has readings in the window."""
    first_us: Micros
    """Its first reading; meaningful where present."""
    last_us: Micros
    actual_kw: Floats
    capacity_kw: Floats
    expected_kw: Floats
    """In this weather, by the model alone."""
    measured: Mask
    """Whether that rests on irradiance reported for the plant."""
    in_plane: Mask
    """Whether that was measured in the plane of its modules, not horizontally."""
    surveyed: Mask
    """Whether the site registry knows the plant."""
    left: Mask
    """Whose readings go to another lane by now, so that none here is no silence."""
    clear_kw: Floats
    """Under a clear sky, by the model alone."""
    elevation_deg: Floats
    """Of the sun."""
    index: Floats
    """Clear-sky index of the neighbours; dimensionless."""
    neighbours: Ints
    module_c: Floats
    """Greatest in the window."""
    ambient_c: Floats
    modelled_module_c: Floats
    """What sun, air and wind explain; NaN unless all but the wind are measured."""
