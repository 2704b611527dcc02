"""Irradiance under a cloudless sky, and what modules make of it: pvlib's formulae on plain arrays.

pvlib itself brings SciPy and pandas, seconds and 150 MB at each start of a service that needs six lines of it; a test
holds these functions equal to pvlib's.
"""

from __future__ import annotations

import numpy as np

from ingest.sun import Floats

FAIMAN_U0, FAIMAN_U1 = 25.0, 6.84
STC_C, STC_W_M2 = 25.0, 1000.0


def relative_airmass(zenith_deg: Floats) -> Floats:
    """F. Kasten and A. T. Young, Applied Optics 28 (1989) 4735-4738. The sun above the horizon."""
    airmass: Floats = 1 / (np.cos(np.radians(zenith_deg)) + 0.50572 * (96.07995 - zenith_deg) ** -1.6364)
    return airmass


def ineichen(
    cos_zenith: Floats, airmass: Floats, turbidity: float, altitude_m: float, extra_w_m2: Floats
) -> tuple[Floats, Floats]:
    """Global horizontal and direct normal irradiance, W/m2; the sun above the horizon.

    P. Ineichen and R. Perez, Solar Energy 73 (2002) 151-157, as `pvlib.clearsky.ineichen` computes it.
    """
    low, high = np.exp(-altitude_m / 8000), np.exp(-altitude_m / 1250)
    scale, damping = 5.09e-5 * altitude_m + 0.868, 3.92e-5 * altitude_m + 0.0387
    ghi = scale * extra_w_m2 * cos_zenith * np.exp(-damping * airmass * (low + high * (turbidity - 1)))
    direct = extra_w_m2 * (0.664 + 0.163 / low) * np.exp(-0.09 * airmass * (turbidity - 1))
    most = ghi * (1 - (0.1 - 0.2 * np.exp(-turbidity)) / (0.1 + 0.882 / low)) / cos_zenith
    return ghi, np.minimum(direct, most)


def module_temperature(poa_w_m2: Floats, ambient_c: Floats, wind_m_s: Floats) -> Floats:
    """D. Faiman, Progress in Photovoltaics 16 (2008) 307-315; degC."""
    return ambient_c + poa_w_m2 / (FAIMAN_U0 + FAIMAN_U1 * wind_m_s)


def dc_power(poa_w_m2: Floats, module_c: Floats, dc_capacity_kw: Floats, per_degree: float) -> Floats:
    """PVWatts: A. P. Dobos, "PVWatts Version 5 Manual", NREL/TP-6A20-62641 (2014); kW."""
    return poa_w_m2 / STC_W_M2 * dc_capacity_kw * (1 + per_degree * (module_c - STC_C))
