/** The console, the figures of now beside it, and the installation's log while there is nothing else to see. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { ServerView } from '../../api/types';
import { Console } from '../../console/console';
import { queries } from '../../live/cache';
import { Button } from '../../ui/button';
import { InstallProgress } from './install_progress';
import { NowFigures } from './now_figures';
import { useServer } from './page';

export function ConsoleTab() {
  const server = useServer();
  const installing = server.state === 'installing' || server.install?.state === 'failed';
  const [chosen, setChosen] = useState<'console' | 'install' | null>(null);
  const template = useQuery({ ...queries.template(server.template.id), staleTime: Infinity });
  const shown = chosen ?? (installing ? 'install' : 'console');

  return (
    <>
      {installing && (
        <div className="card">
          <InstallProgress server={server} />
          <div className="form-buttons">
            <Button onClick={() => setChosen(shown === 'install' ? 'console' : 'install')}>
              {shown === 'install' ? 'Show the console instead' : 'Show the installation’s log'}
            </Button>
          </div>
        </div>
      )}
      <div className="console-tab">
        {shown === 'install' ? (
          <Console key={`install ${server.id}`} path={`/api/v1/servers/${server.id}/install/console`} server={null} label="Log of the installation" />
        ) : (
          <Console
            key={server.id}
            path={`/api/v1/servers/${server.id}/console`}
            server={server.id}
            disabledReason={whyNoCommands(server)}
            {...(template.data === undefined ? {} : { completions: template.data.completions })}
            label={`Console of ${server.name}`}
          />
        )}
        <NowFigures server={server} />
      </div>
    </>
  );
}

function whyNoCommands(server: ServerView): string | null {
  if (!server.permissions.includes('server.console.send')) return 'You may read this console, but not type into it.';
  const state = server.state === 'unreachable' ? server.last_known_state : server.state;
  if (state === 'running' || state === 'starting' || state === 'stopping') return null;
  return state === 'installing' ? 'The server is being installed; it takes commands when it runs.' : 'The server takes commands when it runs.';
}
