/** The `Retry-After` header (RFC 9110, 10.2.3): whole seconds, or a date. Pure. */

/** Milliseconds from `now` on; 0 for a date that has passed, `null` for what is neither form. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  // A date of HTTP always begins with its weekday; `Date.parse` would take much else.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
