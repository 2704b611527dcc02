/** The page's words in the viewer's language. */

import { language } from "../prefs";
import { type MessageKey, en } from "./en";
import { ko } from "./ko";

export type { MessageKey } from "./en";

const messages: Record<MessageKey, string> = language() === "ko" ? ko : en;

/** The message with its `{holes}` filled. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return messages[key].replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}

/** A message whose key is made of data; the data itself where there is no message for it. */
export function tData(prefix: "rule-", value: string): string {
  return (messages as Record<string, string>)[prefix + value] ?? value;
}
