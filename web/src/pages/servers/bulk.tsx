/** Power actions on many servers at once; each is a request of its own, and what failed is named. */
import * as api from '../../api/endpoints';
import type { PowerAction, ServerView } from '../../api/types';
import { putServer } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { count } from '../../ui/format';
import { PlayIcon, RestartIcon, StopIcon } from '../../ui/icons';
import { notify } from '../../ui/notices';

const AT_ONCE = 4;
const ACTIONS = [
  { action: 'start', word: 'Start', icon: PlayIcon },
  { action: 'stop', word: 'Stop', icon: StopIcon },
  { action: 'restart', word: 'Restart', icon: RestartIcon },
] as const;

export function BulkBar({ servers, onClear }: { servers: readonly ServerView[]; onClear: () => void }) {
  const act = useAct(powerAll, {
    onDone: ({ done, failed }) => {
      if (done > 0) notify.done(`Asked for on ${count(done, 'server')}.`);
      for (const { server, error } of failed) notify.failed(`${server.name}:`, error);
      onClear();
    },
  });
  return (
    <div className="bulk" role="group" aria-label="Chosen servers">
      <strong>{count(servers.length, 'server')} chosen</strong>
      {ACTIONS.map(({ action, word, icon: Icon }) => {
        const able = servers.filter((server) => may(server, action));
        return (
          <Button
            key={action}
            icon={<Icon />}
            disabledReason={able.length === 0 ? `None of the chosen servers can ${action} now.` : null}
            progress={act.progress}
            onClick={() => act.run({ servers: able, action })}
          >
            {`${word} ${able.length}`}
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

interface Failed {
  server: ServerView;
  error: unknown;
}

async function powerAll({ servers, action }: { servers: readonly ServerView[]; action: PowerAction }) {
  const waiting = [...servers];
  const failed: Failed[] = [];
  const worker = async (): Promise<void> => {
    for (let server = waiting.shift(); server !== undefined; server = waiting.shift()) {
      try {
        putServer(await api.servers.power(server.id, action));
      } catch (error) {
        failed.push({ server, error });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { done: servers.length - failed.length, failed };
}
