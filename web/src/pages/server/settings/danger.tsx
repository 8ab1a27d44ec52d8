/** Installing again, taking a newer template, deleting: each says first what will be lost. */
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import * as api from '../../../api/endpoints';
import type { ServerView } from '../../../api/types';
import { putServer } from '../../../live/cache';
import { useAct } from '../../../ui/act';
import { Button } from '../../../ui/button';
import { Dialog } from '../../../ui/dialog';
import { Failure } from '../../../ui/failure';
import { TextField } from '../../../ui/field';
import { notify } from '../../../ui/notices';

type Question = 'install' | 'upgrade' | 'delete';

export function DangerSettings({ server }: { server: ServerView }) {
  const [asking, setAsking] = useState<Question | null>(null);
  const maySettings = server.permissions.includes('server.settings') ? null : 'You may not change this server.';
  const mayDelete = server.permissions.includes('server.delete') ? null : 'You may not delete this server.';
  const close = (): void => setAsking(null);
  return (
    <section className="card">
      <h2>Installation and removal</h2>
      <div className="form-buttons">
        {server.template.newer_version !== null && (
          <Button disabledReason={maySettings} onClick={() => setAsking('upgrade')}>
            {`Use version ${server.template.newer_version} of the template…`}
          </Button>
        )}
        <Button disabledReason={maySettings ?? (server.state === 'installing' ? 'It is being installed now.' : null)} onClick={() => setAsking('install')}>
          Install again…
        </Button>
        <Button look="danger" disabledReason={mayDelete ?? (server.deleting ? 'It is being deleted.' : null)} onClick={() => setAsking('delete')}>
          Delete this server…
        </Button>
      </div>
      {asking === 'install' && <InstallAgain server={server} onClose={close} />}
      {asking === 'upgrade' && <Upgrade server={server} onClose={close} />}
      {asking === 'delete' && <Delete server={server} onClose={close} />}
    </section>
  );
}

interface QuestionProps {
  server: ServerView;
  onClose: () => void;
}

function InstallAgain({ server, onClose }: QuestionProps) {
  const act = useAct((_: null, options) => api.servers.install(server.id, options), {
    onDone: (view) => {
      putServer(view);
      onClose();
    },
  });
  return (
    <Dialog title={`Install ${server.name} again?`} onClose={onClose}>
      <p>
        The template’s installation runs once more. It replaces the files that it brings; worlds, saves and files of your
        own that it does not name stay. The server is stopped for it.
      </p>
      <Failure error={act.error} />
      <div className="dialog-buttons">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" progress={act.progress} onClick={() => act.run(null)}>
          Install again
        </Button>
      </div>
    </Dialog>
  );
}

function Upgrade({ server, onClose }: QuestionProps) {
  const act = useAct((_: null, options) => api.servers.update(server.id, { upgrade_template: true }, options), {
    onDone: (view) => {
      putServer(view);
      notify.done(`${view.name} uses version ${view.template.version} of its template from the next start on.`);
      onClose();
    },
  });
  return (
    <Dialog title={`Use version ${server.template.newer_version ?? ''} of ${server.template.name}?`} onClose={onClose}>
      <p>It takes effect at the next start. Files stay as they are; install again if the new version needs other ones.</p>
      <Failure error={act.error} />
      <div className="dialog-buttons">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" progress={act.progress} onClick={() => act.run(null)}>
          Use it
        </Button>
      </div>
    </Dialog>
  );
}

function Delete({ server, onClose }: QuestionProps) {
  const navigate = useNavigate();
  const [typed, setTyped] = useState('');
  const act = useAct((_: null, options) => api.servers.remove(server.id, options), {
    onDone: () => {
      notify.done(`${server.name} is being deleted.`);
      void navigate({ to: '/servers' });
    },
  });
  const matches = typed.trim() === server.name;
  return (
    <Dialog title={`Delete ${server.name}?`} onClose={onClose}>
      <p>
        The game is stopped and everything in its directory is deleted: worlds, saves, settings. This cannot be undone, and
        there is no copy unless you made one. Its address becomes free.
      </p>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (matches) act.run(null);
        }}
      >
        <TextField label={`Type “${server.name}” to confirm`} autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />
        <Failure error={act.error} what="The server was not deleted." />
        <div className="dialog-buttons">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="danger" progress={act.progress} disabledReason={matches ? null : 'Type the server’s name first.'}>
            Delete for good
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
