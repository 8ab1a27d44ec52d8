import { describe, expect, it } from 'vitest';

import { remaining } from './draft';

describe('what a draft still holds once a part of it was saved', () => {
  const empty = { name: null as string | null, variables: {} as Record<string, string> };

  it('is nothing when nothing was typed meanwhile', () => {
    const sent = { name: 'Lobby', variables: { motd: 'hello' } };
    expect(remaining(sent, sent, empty)).toEqual(empty);
  });

  it('is what was typed meanwhile', () => {
    const sent = { name: 'Lobby', variables: { motd: 'hello', seed: '1' } };
    const now = { name: 'Lobby 2', variables: { motd: 'hello', seed: '2', mode: 'hard' } };
    expect(remaining(now, sent, empty)).toEqual({ name: 'Lobby 2', variables: { seed: '2', mode: 'hard' } });
  });

  it('is what was emptied meanwhile', () => {
    expect(remaining({ name: '', variables: {} }, { name: 'Lobby', variables: {} }, empty)).toEqual({ name: '', variables: {} });
  });

  it('has no fields that the empty draft has not', () => {
    const nothing: Record<string, string> = {};
    expect(remaining({ first: '1', max: '9' }, { first: '1', max: '8' }, nothing)).toEqual({ max: '9' });
  });
});
