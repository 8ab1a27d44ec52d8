/**
 * Game output is somebody else's text: of all terminal controls only colours and weights (SGR) get through, and of the
 * colours only the sixteen whose contrast the panel's themes guarantee; others become the nearest of them. Pure.
 */

/* eslint-disable no-control-regex -- control characters are what this file is about */
const ESCAPES =
  /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]?/g;
const CONTROLS = /[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]/g;
const LONE_ESCAPES = /\x1b(?!\[[0-9;]*m)/g;
/* eslint-enable no-control-regex */

/** The text with its colours and nothing else. */
export function coloured(text: string): string {
  if (!text.includes('\x1b')) return text.replace(CONTROLS, '');
  return text
    .replace(ESCAPES, (_, parameters: string | undefined, final: string | undefined) =>
      final === 'm' ? sgr(parameters ?? '') : '',
    )
    .replace(CONTROLS, '')
    .replace(LONE_ESCAPES, '');
}

/** The text alone. */
export function plain(text: string): string {
  return text.includes('\x1b') ? text.replace(ESCAPES, '').replace(CONTROLS, '') : text.replace(CONTROLS, '');
}

/** Attributes that are passed on: reset, bold, dim, italic, underline, inverse, their ends, and the sixteen colours. */
function isSimple(code: number): boolean {
  return (
    code === 0 || (code >= 1 && code <= 4) || code === 7 || (code >= 22 && code <= 24) || code === 27 ||
    (code >= 30 && code <= 37) || code === 39 || (code >= 40 && code <= 47) || code === 49 ||
    (code >= 90 && code <= 97) || (code >= 100 && code <= 107)
  );
}

function sgr(parameters: string): string {
  if (!/^[0-9;:]*$/.test(parameters)) return '';
  const codes = parameters.split(/[;:]/).map((part) => (part === '' ? 0 : Number(part)));
  const kept: number[] = [];
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] ?? 0;
    if (code === 38 || code === 48) {
      const { index, used } = extended(codes.slice(i + 1));
      i += used;
      if (index !== null) kept.push(sixteen(index, code === 48));
    } else if (isSimple(code)) {
      kept.push(code);
    }
  }
  return kept.length === 0 ? '' : `\x1b[${kept.join(';')}m`;
}

/** Reads what follows 38 or 48: `5;n` or `2;r;g;b`. */
function extended(rest: number[]): { index: number | null; used: number } {
  if (rest[0] === 5) return { index: indexed(rest[1] ?? 0), used: 2 };
  if (rest[0] === 2) return { index: nearest(rest[1] ?? 0, rest[2] ?? 0, rest[3] ?? 0), used: 4 };
  return { index: null, used: rest.length };
}

function sixteen(index: number, background: boolean): number {
  const base = index < 8 ? 30 + index : 82 + index;
  return background ? base + 10 : base;
}

const STEPS = [0, 95, 135, 175, 215, 255];

function indexed(n: number): number | null {
  if (n < 0 || n > 255) return null;
  if (n < 16) return n;
  if (n >= 232) return nearest(8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10);
  const cube = n - 16;
  return nearest(STEPS[Math.floor(cube / 36)] ?? 0, STEPS[Math.floor(cube / 6) % 6] ?? 0, STEPS[cube % 6] ?? 0);
}

/** The usual sixteen, to measure distances by; what is drawn is the theme's. */
const USUAL: readonly (readonly [number, number, number])[] = [
  [0, 0, 0], [205, 0, 0], [0, 205, 0], [205, 205, 0], [0, 0, 238], [205, 0, 205], [0, 205, 205], [229, 229, 229],
  [127, 127, 127], [255, 80, 80], [80, 255, 80], [255, 255, 80], [92, 92, 255], [255, 80, 255], [80, 255, 255], [255, 255, 255],
];

function nearest(r: number, g: number, b: number): number {
  let best = 0;
  let least = Infinity;
  USUAL.forEach(([red, green, blue], index) => {
    const distance = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}
