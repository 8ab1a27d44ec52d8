/** What all settings forms share: saving with the generation that the person saw, and what came of it. */
import type { ReactNode } from 'react';

import type { WriteOptions } from '../../../api/client';
import * as api from '../../../api/endpoints';
import { ProblemError } from '../../../api/problem';
import type { ServerView, UpdateServer } from '../../../api/types';
import { putServer } from '../../../live/cache';
import { useAct, type Act } from '../../../ui/act';
import { Button } from '../../../ui/button';
import { Failure } from '../../../ui/failure';
import { notify } from '../../../ui/notices';
import { stillFits } from './conflict';

/** Saves what the draft says now; `onSaved` is told which draft that was. */
export function useSave<T>(server: ServerView, draft: T, onSaved: (sent: T) => void): Act<UpdateServer> {
  const act = useAct(({ change }: { change: UpdateServer; sent: T }, options) => saveOver(server, change, options), {
    onDone: (view, { sent }) => {
      putServer(view);
      onSaved(sent);
      notify.done(`${view.name}: saved.${view.state === 'running' ? ' It takes effect at the next start.' : ''}`);
    },
  });
  return { ...act, run: (change) => act.run({ change, sent: draft }) };
}

/** How often the server may have been changed while its change was on the way. */
const TRIES = 3;

/** Saves what was made of the server that the person `saw`; what others changed elsewhere meanwhile stays theirs. */
async function saveOver(saw: ServerView, change: UpdateServer, { key, ...options }: WriteOptions): Promise<ServerView> {
  let generation = change.generation ?? saw.generation;
  for (let attempt = 1; ; attempt += 1) {
    try {
      // Each attempt was refused before the next one is made, which is therefore another request with another key.
      return await api.servers.update(saw.id, { ...change, generation }, attempt === 1 && key !== undefined ? { key, ...options } : options);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.code !== 'changed' || attempt === TRIES) throw error;
      const now = await api.servers.get(saw.id);
      if (!stillFits(change, saw, now)) {
        putServer(now);
        throw error;
      }
      generation = now.generation;
    }
  }
}

interface SettingsFormProps {
  title: string;
  act: Act<UpdateServer>;
  changed: boolean;
  mayChange: boolean;
  /** Fields that show their errors themselves. */
  shown: readonly string[];
  onSubmit: () => void;
  onDiscard: () => void;
  children: ReactNode;
}

export function SettingsForm({ title, act, changed, mayChange, shown, onSubmit, onDiscard, children }: SettingsFormProps) {
  const reason = mayChange ? (changed ? null : 'Nothing is changed.') : 'You may not change these settings.';
  return (
    <section className="card" aria-label={title}>
      <h2>{title}</h2>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (reason === null) onSubmit();
        }}
      >
        {children}
        <Failure error={act.error} what="Nothing was changed." shown={shown} />
        <div className="form-buttons">
          <Button type="submit" look="primary" progress={act.progress} disabledReason={reason}>
            Save
          </Button>
          {changed && (
            <Button look="quiet" onClick={onDiscard}>
              Discard changes
            </Button>
          )}
        </div>
      </form>
    </section>
  );
}
