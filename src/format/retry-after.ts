/** `Retry-After` (RFC 9110 §10.2.3): seconds, or a date; in milliseconds from now on, 0 where it asks for nothing. */
export function retryAfter(header: string | string[] | undefined): number {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
