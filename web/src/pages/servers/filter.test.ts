import { expect, it } from 'vitest';

import type { ServerView } from '../../api/types';
import { NO_FILTER, select } from './filter';

const server = (name: string, rest: Partial<ServerView> = {}): ServerView =>
  ({
    name,
    state: 'running',
    owner: { id: 'me', email: 'me@example.org' },
    node: { name: 'fra-1' },
    template: { name: 'Minecraft' },
    endpoints: [{ address: '203.0.113.7', port: 25565 }],
    ...rest,
  }) as ServerView;

const names = (servers: ServerView[]): string[] => servers.map(({ name }) => name);
const all = [
  server('Lobby 10'),
  server('lobby 9', { state: 'crashed' }),
  server('Depot', { template: { name: 'OpenTTD' } as ServerView['template'], owner: { id: 'kim', email: 'kim@example.org' } }),
];

it('sorts names as people do', () => {
  expect(names(select(all, NO_FILTER, 'me'))).toEqual(['Depot', 'lobby 9', 'Lobby 10']);
});

it('wants every word, anywhere', () => {
  expect(names(select(all, { ...NO_FILTER, text: 'KIM openttd' }, 'me'))).toEqual(['Depot']);
  expect(names(select(all, { ...NO_FILTER, text: ':25565 lobby' }, 'me'))).toHaveLength(2);
});

it('finds what needs a look, and what is mine', () => {
  expect(names(select(all, { ...NO_FILTER, state: 'trouble' }, 'me'))).toEqual(['lobby 9']);
  expect(names(select(all, { ...NO_FILTER, owner: 'mine' }, 'kim'))).toEqual(['Depot']);
});

it('puts trouble first by state', () => {
  expect(names(select(all, { ...NO_FILTER, sort: 'state' }, 'me'))[0]).toBe('lobby 9');
});
