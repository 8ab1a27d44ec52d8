/** How far an installation is, and what came of it. */
import type { ServerView } from '../../api/types';
import * as api from '../../api/endpoints';
import { putServer } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Failure } from '../../ui/failure';
import { AlertIcon } from '../../ui/icons';

export function InstallProgress({ server }: { server: ServerView }) {
  const act = useAct((_: null, options) => api.servers.install(server.id, options), { onDone: putServer });
  if (server.install?.state === 'failed' && server.state !== 'installing') {
    return (
      <div className="failure">
        <AlertIcon />
        <div>
          <p>The installation failed: {server.install.message}</p>
          <Failure error={act.error} />
          <Button progress={act.progress} onClick={() => act.run(null)}>
            Install again
          </Button>
        </div>
      </div>
    );
  }
  const percent = server.install_percent ?? 0;
  return (
    <div className="progress" role="progressbar" aria-label="Installation" aria-valuenow={percent} aria-valuemin={0} aria-valuemax={100}>
      <div style={{ width: `${percent}%` }} />
    </div>
  );
}
