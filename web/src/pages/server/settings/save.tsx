/** What all settings forms share: saving with the generation that the person saw, and what came of it. */
import type { ReactNode } from 'react';

import * as api from '../../../api/endpoints';
import type { ServerView, UpdateServer } from '../../../api/types';
import { putServer } from '../../../live/cache';
import { useAct, type Act } from '../../../ui/act';
import { Button } from '../../../ui/button';
import { Failure } from '../../../ui/failure';
import { notify } from '../../../ui/notices';

export function useSave(server: ServerView, onSaved: () => void): Act<UpdateServer> {
  return useAct((change: UpdateServer, options) => api.servers.update(server.id, change, options), {
    onDone: (view) => {
      putServer(view);
      onSaved();
      notify.done(`${view.name}: saved.${view.state === 'running' ? ' It takes effect at the next start.' : ''}`);
    },
  });
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
    <section className="card">
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
