/** Power actions on many servers at once. What can be taken back offers to be for some seconds. */
import { useState } from 'react';

import * as api from '../../api/endpoints';
import { describe } from '../../api/problem';
import type { PowerAction, ServerView } from '../../api/types';
import { putServer, queries, queryClient } from '../../live/cache';
import { Button } from '../../ui/button';
import { count, withLocalTimes } from '../../ui/format';
import { PlayIcon, RestartIcon, StopIcon } from '../../ui/icons';
import { notify } from '../../ui/notices';
import { canUndo, forAll, undoOf, type BulkAction, type BulkResult } from './bulk_power';

const ACTIONS = [
  { action: 'start', word: 'Start', icon: PlayIcon },
  { action: 'stop', word: 'Stop', icon: StopIcon },
  { action: 'restart', word: 'Restart', icon: RestartIcon },
] as const;

interface Running {
  action: BulkAction;
  answered: number;
  of: number;
}

export function BulkBar({ servers, onClear }: { servers: readonly ServerView[]; onClear: () => void }) {
  const [running, setRunning] = useState<Running | null>(null);

  const run = (action: BulkAction, able: readonly ServerView[]): void => {
    if (running !== null) return;
    setRunning({ action, answered: 0, of: able.length });
    const onStep = (answered: number): void => setRunning({ action, answered, of: able.length });
    void forAll(able, (server) => power(server, action), onStep).then((result) => {
      setRunning(null);
      tell(action, result);
    });
  };
  const players = servers.reduce((sum, server) => sum + (server.players?.online ?? 0), 0);

  return (
    <div className="bulk" role="group" aria-label="Chosen servers">
      <strong>{count(servers.length, 'server')} chosen</strong>
      {players > 0 && <span>{count(players, 'player')} on them</span>}
      {ACTIONS.map(({ action, word, icon: Icon }) => {
        const able = servers.filter((server) => may(server, action));
        const mine = running?.action === action;
        return (
          <Button
            key={action}
            icon={<Icon />}
            disabledReason={
              running !== null && !mine
                ? 'Another action on these servers is under way.'
                : able.length === 0 && !mine
                  ? `None of the chosen servers can ${action} now.`
                  : null
            }
            progress={mine ? 'sending' : null}
            onClick={() => run(action, able)}
          >
            {mine ? `${word}: ${running.answered} of ${running.of}` : `${word} ${able.length}`}
          </Button>
        );
      })}
      <Button look="quiet" onClick={onClear}>
        Clear
      </Button>
    </div>
  );
}

function may(server: ServerView, action: PowerAction): boolean {
  return server.actions[action].allowed && server.permissions.includes('server.power');
}

async function power(server: ServerView, action: PowerAction): Promise<ServerView> {
  const view = await api.servers.power(server.id, action);
  putServer(view);
  return view;
}

/** Says what came of it, and offers the way back. */
function tell(action: BulkAction, { done, failed }: BulkResult): void {
  if (done.length > 0) {
    const words = `${WORDS[action]} of ${count(done.length, 'server')} was asked for.`;
    notify.done(words, canUndo(action) ? { word: 'Undo', run: () => undo(action, done) } : undefined);
  }
  tellFailed(`${WORDS[action]} was refused`, failed);
}

const WORDS: Record<BulkAction, string> = { start: 'Start', stop: 'Stop', restart: 'Restart' };

/** Each server as it is known now decides what takes the action back. */
function undo(action: BulkAction, servers: readonly ServerView[]): void {
  const now = new Map(queryClient.getQueryData(queries.servers.queryKey)?.items.map((server) => [server.id, server]));
  const steps = servers.flatMap((before) => {
    const server = now.get(before.id) ?? before;
    const back = undoOf(action, server, before);
    return back === null ? [] : [{ server, back }];
  });
  const backs = new Map(steps.map(({ server, back }) => [server.id, back]));
  void forAll(
    steps.map(({ server }) => server),
    (server) => power(server, backs.get(server.id) ?? 'start'),
    () => undefined,
  ).then(({ done, failed }) => {
    const untouched = servers.length - steps.length;
    const rest = untouched === 0 ? '' : ` ${count(untouched, 'server')} had changed meanwhile and stayed as they are.`;
    notify.done(`${action === 'stop' ? 'Start' : 'Stop'} of ${count(done.length, 'server')} was asked for.${rest}`);
    tellFailed('That could not be undone', failed);
  });
}

/** One sentence for all, with the first reasons: twenty notices would say less. */
function tellFailed(what: string, failed: BulkResult['failed']): void {
  const [first] = failed;
  if (first === undefined) return;
  const names = failed.slice(0, 5).map(({ server }) => server.name).join(', ');
  const more = failed.length > 5 ? ` and ${failed.length - 5} more` : '';
  notify.problem(`${what} by ${count(failed.length, 'server')} (${names}${more}). ${first.server.name}: ${withLocalTimes(describe(first.error), Date.now())}`);
}
