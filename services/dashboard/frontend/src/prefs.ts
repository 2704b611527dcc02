/** What the viewer chose, kept in the browser. */

export type Theme = "dark" | "light";
export type Language = "en" | "ko";

function read(key: string): string | null {
  try {
    return localStorage.getItem(`heliograph.${key}`);
  } catch {
    // Storage can be switched off; the page then forgets, and works.
    return null;
  }
}

export function remember(key: "theme" | "language" | "sound" | "grouping" | "operator", value: string): void {
  try {
    localStorage.setItem(`heliograph.${key}`, value);
  } catch {
    // See read().
  }
}

export function language(): Language {
  const chosen = read("language") ?? navigator.language.slice(0, 2);
  return chosen === "ko" ? "ko" : "en";
}

export function theme(): Theme {
  return read("theme") === "light" ? "light" : "dark";
}

export const soundOn = (): boolean => read("sound") === "on";
export const groupingOn = (): boolean => read("grouping") !== "off";
/** The name under which this viewer last acted on an alert. */
export const operator = (): string => read("operator") ?? "";
