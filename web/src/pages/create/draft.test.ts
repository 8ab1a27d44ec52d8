import { expect, it } from 'vitest';

import type { TemplateView } from '../../api/types';
import { EMPTY, body, stepOfField } from './draft';

const template = { id: 't1', limits: { memory_mib: 512 } } as TemplateView;

it('sends only what was chosen', () => {
  expect(body({ ...EMPTY, name: ' Lobby ' }, template)).toEqual({ name: 'Lobby', template: 't1', variables: {}, start: true });
});

it('sends limits and ports as numbers, and empty limits as none', () => {
  const limits = { memory_mib: '2048', cpu_percent: '', disk_mib: '', pids: '' };
  expect(body({ ...EMPTY, name: 'a', limits, ports: { game: '25570', rcon: ' ' } }, template)).toMatchObject({
    limits: { memory_mib: 2048, cpu_percent: null },
    ports: { game: 25570 },
  });
});

it('knows where a field is asked for', () => {
  expect(['template', 'limits.memory_mib', 'ports.game', 'name', 'variables.motd'].map(stepOfField)).toEqual([0, 1, 1, 2, 2]);
});
