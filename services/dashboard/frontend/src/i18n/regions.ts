/** Names of the provinces by ISO 3166-2 code, as in `heliograph.regions`; a test holds the two together. */

import { language } from "../prefs";

export const REGION_NAMES: Record<string, readonly [en: string, ko: string]> = {
  "KR-11": ["Seoul", "서울"],
  "KR-26": ["Busan", "부산"],
  "KR-27": ["Daegu", "대구"],
  "KR-28": ["Incheon", "인천"],
  "KR-29": ["Gwangju", "광주"],
  "KR-30": ["Daejeon", "대전"],
  "KR-31": ["Ulsan", "울산"],
  "KR-41": ["Gyeonggi", "경기"],
  "KR-42": ["Gangwon", "강원"],
  "KR-43": ["Chungbuk", "충북"],
  "KR-44": ["Chungnam", "충남"],
  "KR-45": ["Jeonbuk", "전북"],
  "KR-46": ["Jeonnam", "전남"],
  "KR-47": ["Gyeongbuk", "경북"],
  "KR-48": ["Gyeongnam", "경남"],
  "KR-49": ["Jeju", "제주"],
  "KR-50": ["Sejong", "세종"],
};

export function regionName(code: string): string {
  const names = REGION_NAMES[code];
  return names ? names[language() === "ko" ? 1 : 0] : code;
}
