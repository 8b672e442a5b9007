/** Times in records: RFC 3339 in UTC, all of them claims. */
import type { Json } from "../statement/json.js";

/** Milliseconds since 1970 of a checked time; undefined for what is none. */
export function timeOf(value: Json | undefined): number | undefined {
  if (typeof value !== "string") return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

const UTC = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|\+00:00)$/;

/** RFC 3339 §5.6 in UTC, which is `Z` or `+00:00` (`-00:00` says that the offset is not known), of a day that the calendar has. */
export function isUtcTime(text: string): boolean {
  const match = UTC.exec(text);
  if (match === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  const onCalendar = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return onCalendar && hour < 24 && minute < 60 && second < 60;
}
