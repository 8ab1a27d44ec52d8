import { expect, it } from 'vitest';

import type { ServerView } from '../api/types';
import { isOlder } from './older';

const at = (second: number): string => new Date(second * 1_000).toISOString();

function view(part: Partial<Pick<ServerView, 'generation' | 'state' | 'since' | 'as_of'>>): ServerView {
  return { generation: 3, state: 'running', since: at(10), as_of: at(20), ...part } as ServerView;
}

it('goes by the wish first', () => {
  expect(isOlder(view({ generation: 2, as_of: at(99) }), view({}))).toBe(true);
  expect(isOlder(view({ generation: 4, as_of: at(1) }), view({}))).toBe(false);
});

it('does not go back to a state that had ended, however fresh the answer that tells it', () => {
  const stopped = view({ state: 'stopped', since: at(21), as_of: at(21) });
  const late = view({ as_of: at(22) });
  expect(isOlder(late, stopped)).toBe(true);
  expect(isOlder(stopped, late)).toBe(false);
});

it('goes by the last word of the node where the state is the same', () => {
  expect(isOlder(view({ as_of: at(19) }), view({}))).toBe(true);
  expect(isOlder(view({ as_of: at(21) }), view({}))).toBe(false);
});

it('lets a node that was silent come back with the state that it had', () => {
  const silent = view({ state: 'unreachable', since: at(30), as_of: at(20) });
  expect(isOlder(view({ as_of: at(40) }), silent)).toBe(false);
  expect(isOlder(silent, view({ as_of: at(40) }))).toBe(true);
});
