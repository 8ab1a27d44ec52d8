import { expect, it } from 'vitest';

import type { ServerView } from '../../api/types';
import { canUndo, forAll, undoOf } from './bulk_power';

function server(id: string, state: ServerView['state'], allowed: (keyof ServerView['actions'])[], since = '14:00'): ServerView {
  const action = (name: keyof ServerView['actions']) => ({ allowed: allowed.includes(name), reason: null });
  const actions = { start: action('start'), stop: action('stop'), restart: action('restart'), kill: action('kill') };
  return { id, state, actions, since } as unknown as ServerView;
}

const running = server('a', 'running', ['stop', 'restart', 'kill']);
const stopping = server('b', 'stopping', ['restart', 'kill']);
const stopped = server('c', 'stopped', ['start']);

it('takes a stop back by what the state allows', () => {
  expect(undoOf('stop', stopped, running)).toBe('start');
  expect(undoOf('stop', stopping, running)).toBe('restart');
  // Its node has not yet told that it stops.
  expect(undoOf('stop', running, running)).toBe('restart');
  // Somebody has started it again meanwhile: a restart would throw its players out.
  expect(undoOf('stop', server('a', 'running', ['stop', 'restart', 'kill'], '14:05'), running)).toBeNull();
});

it('takes a start back by a stop, and a restart not at all', () => {
  expect(undoOf('start', running, stopped)).toBe('stop');
  expect(undoOf('start', stopped, stopped)).toBeNull();
  expect(canUndo('restart')).toBe(false);
});

it('asks for every server once, a few at a time, and names what failed', async () => {
  const servers = Array.from({ length: 25 }, (_, n) => server(String(n), 'running', ['stop']));
  const asked: string[] = [];
  const steps: number[] = [];
  let now = 0;
  let most = 0;
  const result = await forAll(
    servers,
    async (each) => {
      asked.push(each.id);
      now += 1;
      most = Math.max(most, now);
      await Promise.resolve();
      now -= 1;
      if (each.id === '7') throw new Error('no');
      return each;
    },
    (answered) => steps.push(answered),
  );
  expect(asked.sort()).toEqual(servers.map(({ id }) => id).sort());
  expect(most).toBeLessThanOrEqual(4);
  expect(result.done).toHaveLength(24);
  expect(result.failed.map(({ server: { id } }) => id)).toEqual(['7']);
  expect(steps.at(-1)).toBe(25);
});
