import { expect, it } from 'vitest';

import type { ServerView } from '../../../api/types';
import { stillFits } from './conflict';

const saw = {
  generation: 3,
  name: 'Lobby',
  variables: { MOTD: 'hello', SEED: '1' },
  limits: { memory_mib: 512, cpu_percent: null, disk_mib: null, pids: null },
  crash: { first_delay_ms: 1_000, max_delay_ms: 300_000, healthy_after_ms: 60_000 },
  owner: { id: 'o', email: 'o@example.org' },
  template: { id: 't', version: 1 },
} as unknown as ServerView;
const later = (change: object): ServerView => ({ ...saw, generation: 4, ...change });

it('fits when only the power or other fields were changed meanwhile', () => {
  expect(stillFits({ name: 'Hub' }, saw, later({}))).toBe(true);
  expect(stillFits({ name: 'Hub' }, saw, later({ limits: { ...saw.limits, memory_mib: 1_024 } }))).toBe(true);
  expect(stillFits({ variables: { MOTD: 'hi' } }, saw, later({ name: 'Hub', variables: { MOTD: 'hello', SEED: '2' } }))).toBe(true);
});

it('does not fit when what it replaces is somebody else’s', () => {
  expect(stillFits({ name: 'Hub' }, saw, later({ name: 'Arena' }))).toBe(false);
  expect(stillFits({ variables: { SEED: '3' } }, saw, later({ variables: { MOTD: 'hello', SEED: '2' } }))).toBe(false);
  expect(stillFits({ limits: saw.limits }, saw, later({ limits: { ...saw.limits, pids: 9 } }))).toBe(false);
  expect(stillFits({ crash: saw.crash }, saw, later({ crash: { ...saw.crash, max_delay_ms: 1 } }))).toBe(false);
});
