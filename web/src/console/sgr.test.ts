import { expect, it } from 'vitest';

import { coloured, plain } from './sgr';

it('keeps the sixteen colours and the weights', () => {
  expect(coloured('\x1b[1;31merror\x1b[0m: \x1b[92mok\x1b[m')).toBe('\x1b[1;31merror\x1b[0m: \x1b[92mok\x1b[0m');
});

it('brings other colours to the nearest of the sixteen', () => {
  expect(coloured('\x1b[38;5;196mx')).toBe('\x1b[31mx');
  expect(coloured('\x1b[38;2;0;200;0mx')).toBe('\x1b[32mx');
  expect(coloured('\x1b[48;2;0;0;240;1mx')).toBe('\x1b[44;1mx');
});

it.each([
  ['cursor movement', '\x1b[2J\x1b[10;10Hx'],
  ['window titles', '\x1b]0;owned\x07x'],
  ['an unfinished title', '\x1b]0;owned'],
  ['hyperlinks', '\x1b]8;;http://evil.test\x1b\\x\x1b]8;;\x1b\\'],
  ['device control', '\x1bPq#0\x1b\\x'],
  ['private modes', '\x1b[?1049hx\x1b[>0m'],
  ['resets and character sets', '\x1bcx\x1b(0'],
  ['8-bit controls', '\x9b2Jx\x9d0;t\x07'],
  ['bells, backspaces, returns', 'a\x07b\x08\rx'],
])('removes %s', (_, text) => {
  // eslint-disable-next-line no-control-regex
  expect(coloured(text)).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f-\x9f]/);
});

/* eslint-disable no-control-regex */
it('leaves no escape behind when removal joins the rest to a new one', () => {
  expect(coloured('\x1b\x1b[2J[31mx')).not.toMatch(/\x1b(?!\[[0-9;]*m)/);
});

it('has a plain form, and keeps tabs', () => {
  expect(plain('\x1b[31ma\tb\x1b[0m')).toBe('a\tb');
});
