/** A server's power buttons. Which of them can be used, and why not, is the API's decision. */
import { useState } from 'react';

import * as api from '../../api/endpoints';
import type { PowerAction, ServerView } from '../../api/types';
import { putServer } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { KillIcon, PlayIcon, RestartIcon, StopIcon } from '../../ui/icons';
import { notify } from '../../ui/notices';

const ACTIONS: { action: PowerAction; word: string; icon: () => React.ReactElement }[] = [
  { action: 'start', word: 'Start', icon: PlayIcon },
  { action: 'stop', word: 'Stop', icon: StopIcon },
  { action: 'restart', word: 'Restart', icon: RestartIcon },
  { action: 'kill', word: 'Kill', icon: KillIcon },
];

const NO_PERMISSION = 'You may look at this server, but not start or stop it.';

export function PowerButtons({ server, compact = false }: { server: ServerView; compact?: boolean }) {
  const [asking, setAsking] = useState(false);
  const [last, setLast] = useState<PowerAction | null>(null);
  const act = useAct((action: PowerAction, options) => api.servers.power(server.id, action, options), {
    onDone: putServer,
    onError: (error) => notify.failed(`${server.name}: that was not done.`, error),
  });
  const run = (action: PowerAction): void => {
    setLast(action);
    act.run(action);
  };
  const may = server.permissions.includes('server.power');
  const shown = compact ? ACTIONS.filter(({ action }) => action !== 'kill') : ACTIONS;

  return (
    <div className="power" role="group" aria-label={`Power of ${server.name}`}>
      {shown.map(({ action, word, icon: Icon }) => {
        const state = server.actions[action];
        return (
          <Button
            key={action}
            compact={compact}
            look={action === 'kill' ? 'danger' : action === 'start' && state.allowed && !compact ? 'primary' : 'plain'}
            icon={<Icon />}
            disabledReason={may ? (state.allowed ? null : (state.reason ?? 'Not possible now.')) : NO_PERMISSION}
            progress={last === action ? act.progress : null}
            onClick={() => (action === 'kill' ? setAsking(true) : run(action))}
          >
            {word}
          </Button>
        );
      })}
      {asking && (
        <Dialog title={`Kill ${server.name}?`} onClose={() => setAsking(false)}>
          <p>
            The game ends at once and cannot save: what players did since its last save is lost. Use “Stop” to let it save
            first.
          </p>
          <div className="dialog-buttons">
            <Button onClick={() => setAsking(false)}>Cancel</Button>
            <Button
              look="danger"
              onClick={() => {
                setAsking(false);
                run('kill');
              }}
            >
              Kill now
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
