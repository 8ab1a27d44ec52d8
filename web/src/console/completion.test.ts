import { expect, it } from 'vitest';

import { suggest } from './completion';

const TEMPLATE = ['help', 'say ', 'stop', 'kick ', 'kick all'];

it('offers own commands nearest, newest first, then those of the template', () => {
  const history = ['kick bob', 'say hi', 'kick alice'];
  expect(suggest('ki', history, TEMPLATE)).toEqual(['kick all', 'kick ', 'kick bob', 'kick alice']);
});

it('offers nothing for nothing, and not what is typed already', () => {
  expect(suggest('', ['a'], TEMPLATE)).toEqual([]);
  expect(suggest('  ', ['  a'], TEMPLATE)).toEqual([]);
  expect(suggest('stop', ['stop'], TEMPLATE)).toEqual([]);
  expect(suggest('say', [], TEMPLATE)).toEqual([]);
});

it('does not care about case, offers a line once, and not too many', () => {
  expect(suggest('HE', ['help'], TEMPLATE)).toEqual(['help']);
  const many = Array.from({ length: 30 }, (_, n) => `give ${n}`);
  expect(suggest('give', many, [])).toEqual(['give 24', 'give 25', 'give 26', 'give 27', 'give 28', 'give 29']);
});
