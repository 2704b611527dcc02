"""Distances between points of GeoJSON, on the ellipsoid WGS 84. What concerns lines and polygons is not served."""

from geographiclib.geodesic import Geodesic

from local_azure.cosmos.jsontext import Json
from local_azure.cosmos.query.semantics import is_number

_MAX_LONGITUDE = 180
_MAX_LATITUDE = 90


def _coordinates(value: Json) -> tuple[float, float]:
    """(longitude, latitude) in degrees. Raises ValueError for anything but a point."""
    if not isinstance(value, dict) or value.get("type") != "Point":
        raise ValueError("not a point")
    coordinates = value.get("coordinates")
    if not isinstance(coordinates, list) or len(coordinates) not in (2, 3) or not all(map(is_number, coordinates)):
        raise ValueError("a point has a longitude and a latitude")
    longitude, latitude = coordinates[:2]
    if abs(longitude) > _MAX_LONGITUDE or abs(latitude) > _MAX_LATITUDE:
        raise ValueError(f"{longitude}, {latitude} is not on Earth")
    return longitude, latitude


def _distance(one: Json, other: Json) -> Json:
    """Metres; undefined unless both are points."""
    (one_longitude, one_latitude), (other_longitude, other_latitude) = _coordinates(one), _coordinates(other)
    found = Geodesic.WGS84.Inverse(one_latitude, one_longitude, other_latitude, other_longitude, Geodesic.DISTANCE)
    return float(found["s12"])


FUNCTIONS = {"ST_DISTANCE": (_distance, 2, 2)}
