/** Figures and times as people read them. Pure; `null` becomes an en dash, never 0. */

const NONE = '–';

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let rest = value;
  while (rest >= 1_024 && unit < units.length - 1) {
    rest /= 1_024;
    unit += 1;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${trim(rest.toFixed(digits))} ${units[unit] ?? ''}`;
}

export function mebibytes(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : bytes(value * 1_048_576);
}

export function rate(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : `${bytes(value)}/s`;
}

export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return `${value < 10 ? trim(value.toFixed(1)) : value.toFixed(0)} %`;
}

/** `38 s`, `4 min`, `2 h 5 min`, `3 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NONE;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, 'h', minutes % 60, 'min');
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

export function millis(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return value < 1_000 ? `${value} ms` : value < 60_000 ? `${trim((value / 1_000).toFixed(1))} s` : duration(value / 1_000);
}

/** The time of day, with the date when it is another day than `now`. */
export function clock(at: number | string, now: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString('en-GB');
  return date.toDateString() === new Date(now).toDateString() ? time : `${day(date)} ${time}`;
}

/** Times that the API wrote into a sentence, as the person's own clock shows them. */
export function withLocalTimes(sentence: string, now: number): string {
  return sentence.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (at) => clock(at, now));
}

export function day(at: Date | string): string {
  return new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
}

/** `38 s ago`. */
export function ago(at: number | string, now: number): string {
  const seconds = (now - new Date(at).getTime()) / 1_000;
  return seconds < 1 ? 'just now' : `${duration(seconds)} ago`;
}

/** An address and port as a player types it; IPv6 in brackets. */
export function address(endpoint: { address: string; port: number }): string {
  return endpoint.address.includes(':') ? `[${endpoint.address}]:${endpoint.port}` : `${endpoint.address}:${endpoint.port}`;
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString('en-GB')} ${value === 1 ? one : many}`;
}

function pair(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}

function trim(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
