"""The 17 provinces of Korea, the regions of the national map."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A province: ISO 3166-2 code, its names, and the middle of its land (degrees, WGS 84)."""

    code: str
    name: str
    name_ko: str
    latitude: float
    longitude: float


KOREA = tuple(
    Region(*row)
    for row in (
        ("KR-11", "Seoul", "서울", 37.5665, 126.9780),
        ("KR-26", "Busan", "부산", 35.1796, 129.0756),
        ("KR-27", "Daegu", "대구", 35.8714, 128.6014),
        ("KR-28", "Incheon", "인천", 37.4563, 126.7052),
        ("KR-29", "Gwangju", "광주", 35.1595, 126.8526),
        ("KR-30", "Daejeon", "대전", 36.3504, 127.3845),
        ("KR-31", "Ulsan", "울산", 35.5384, 129.3114),
        ("KR-41", "Gyeonggi", "경기", 37.4138, 127.5183),
        ("KR-42", "Gangwon", "강원", 37.8228, 128.1555),
        ("KR-43", "Chungbuk", "충북", 36.8000, 127.7000),
        ("KR-44", "Chungnam", "충남", 36.5184, 126.8000),
        ("KR-45", "Jeonbuk", "전북", 35.7175, 127.1530),
        ("KR-46", "Jeonnam", "전남", 34.8679, 126.9910),
        ("KR-47", "Gyeongbuk", "경북", 36.4919, 128.8889),
        ("KR-48", "Gyeongnam", "경남", 35.4606, 128.2132),
        ("KR-49", "Jeju", "제주", 33.4890, 126.4983),
        ("KR-50", "Sejong", "세종", 36.4800, 127.2890),
    )
)
BY_CODE = {region.code: region for region in KOREA}
