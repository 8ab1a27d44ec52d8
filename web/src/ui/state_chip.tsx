/** A server's state as an icon and a word; the colour only repeats what they say. */
import type { ServerState } from '../api/types';
import { Chip, type Mark } from './chip';
import { AlertIcon, BusyIcon, RunningIcon, StoppedIcon, UnknownIcon } from './icons';

const STATES: Record<ServerState, Mark & { busy?: boolean }> = {
  installing: { word: 'Installing', tone: 'busy', icon: BusyIcon, busy: true },
  stopped: { word: 'Stopped', tone: 'idle', icon: StoppedIcon },
  starting: { word: 'Starting', tone: 'busy', icon: BusyIcon, busy: true },
  running: { word: 'Running', tone: 'good', icon: RunningIcon },
  stopping: { word: 'Stopping', tone: 'busy', icon: BusyIcon, busy: true },
  crashed: { word: 'Crashed', tone: 'bad', icon: AlertIcon },
  crash_looping: { word: 'Crash loop', tone: 'bad', icon: AlertIcon },
  unreachable: { word: 'Unreachable', tone: 'warn', icon: UnknownIcon },
};

/** States in the order in which a person wants to see them: trouble first. */
export const STATE_ORDER: readonly ServerState[] = [
  'crash_looping', 'crashed', 'unreachable', 'installing', 'starting', 'stopping', 'running', 'stopped',
];

export function stateWord(state: ServerState): string {
  return STATES[state].word;
}

export function StateChip({ state, percent = null }: { state: ServerState; percent?: number | null }) {
  const { busy = false, ...mark } = STATES[state];
  return (
    <Chip mark={mark} busy={busy}>
      {state === 'installing' && percent !== null && ` ${percent} %`}
    </Chip>
  );
}
