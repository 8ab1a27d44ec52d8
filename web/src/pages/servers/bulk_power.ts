/**
 * Power actions on many servers: each is a request of its own, a few at a time, and what failed is named. Knows what takes
 * an action back. Sends nothing itself.
 */
import type { PowerAction, ServerView } from '../../api/types';

export type BulkAction = 'start' | 'stop' | 'restart';

export interface BulkResult {
  done: ServerView[];
  failed: { server: ServerView; error: unknown }[];
}

const AT_ONCE = 4;

/** Runs `send` for every server; `onStep` hears how many have their answer. Never rejects. */
export async function forAll(
  servers: readonly ServerView[],
  send: (server: ServerView) => Promise<ServerView>,
  onStep: (answered: number) => void,
): Promise<BulkResult> {
  const waiting = [...servers];
  const result: BulkResult = { done: [], failed: [] };
  const worker = async (): Promise<void> => {
    for (let server = waiting.shift(); server !== undefined; server = waiting.shift()) {
      try {
        result.done.push(await send(server));
      } catch (error) {
        result.failed.push({ server, error });
      }
      onStep(result.done.length + result.failed.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return result;
}

/** Whether an action can be taken back: what a restart ended is gone. */
export function canUndo(action: BulkAction): boolean {
  return action !== 'restart';
}

/**
 * What takes `action` back on a server as it is `now`; `null` when there is nothing left to take back. `before` is what the
 * action was answered with.
 */
export function undoOf(action: BulkAction, now: ServerView, before: ServerView): PowerAction | null {
  if (action === 'start') return now.actions.stop.allowed ? 'stop' : null;
  if (action !== 'stop') return null;
  // A server that is still stopping cannot be started, but it can be told to come back once it has stopped. So can one
  // whose node has not begun to stop it yet; one that runs again since was started by somebody else.
  if (now.actions.start.allowed) return 'start';
  const notYet = now.state === 'running' && now.since === before.since;
  return (now.state === 'stopping' || notYet) && now.actions.restart.allowed ? 'restart' : null;
}
