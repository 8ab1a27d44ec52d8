/** API keys: made, shown once, revoked. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import * as api from '../../api/endpoints';
import type { ApiKeyCreated, ApiKeyView } from '../../api/types';
import { queries, queryClient } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Copy } from '../../ui/copy';
import { Dialog } from '../../ui/dialog';
import { Failure } from '../../ui/failure';
import { TextField } from '../../ui/field';
import { day } from '../../ui/format';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { notify } from '../../ui/notices';
import { TableBox } from '../../ui/table_box';

const refresh = (): void => void queryClient.invalidateQueries({ queryKey: queries.keys.queryKey });

export function Keys() {
  const query = useQuery(queries.keys);
  const [name, setName] = useState('');
  const [created, setCreated] = useState<ApiKeyCreated | null>(null);
  const [revoking, setRevoking] = useState<ApiKeyView | null>(null);
  const act = useAct((input: string, options) => api.keys.create(input, options), {
    onDone: (key) => {
      setCreated(key);
      setName('');
      refresh();
    },
  });
  return (
    <section className="card">
      <h2>API keys</h2>
      <p className="muted">
        For scripts: sent as <code>Authorization: Bearer …</code>, they may do what you may do. <a href="/api/docs">API documentation</a>
      </p>
      <Loaded query={query} what="your keys" rows={1}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="muted">You have none.</p>
          ) : (
            <LongList items={items} one="key" text={(key) => `${key.name} ${key.prefix}`}>
              {(shown) => (
                <TableBox label="API keys">
                  <thead>
                    <tr>
                      <th>Name</th>
                      <th>Begins with</th>
                      <th>Made</th>
                      <th>
                        <span className="visually-hidden">Revoke</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {shown.map((key) => (
                      <tr key={key.id}>
                        <td>{key.name}</td>
                        <td className="mono">{key.prefix}…</td>
                        <td>{day(key.created_at)}</td>
                        <td className="number">
                          <Button look="danger" aria-label={`Revoke ${key.name}`} onClick={() => setRevoking(key)}>
                            Revoke
                          </Button>
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </TableBox>
              )}
            </LongList>
          )
        }
      </Loaded>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          act.run(name);
        }}
      >
        <TextField label="What is the new key for?" required maxLength={64} placeholder="Backup script" value={name} error={act.fieldError('name')} onChange={(event) => setName(event.target.value)} />
        <Failure error={act.error} what="No key was made." shown={['name']} />
        <div className="form-buttons">
          <Button type="submit" progress={act.progress}>
            Make a key
          </Button>
        </div>
      </form>
      {created !== null && (
        <Dialog title={`The key “${created.key.name}”`} onClose={() => setCreated(null)}>
          <p>Copy it now: it is shown only this once.</p>
          <p>
            <Copy text={created.token} what="key" />
          </p>
          <div className="dialog-buttons">
            <Button look="primary" onClick={() => setCreated(null)}>
              I have it
            </Button>
          </div>
        </Dialog>
      )}
      {revoking !== null && <Revoke apiKey={revoking} onClose={() => setRevoking(null)} />}
    </section>
  );
}

function Revoke({ apiKey, onClose }: { apiKey: ApiKeyView; onClose: () => void }) {
  const act = useAct((_: null, options) => api.keys.remove(apiKey.id, options), {
    onDone: () => {
      notify.done(`The key “${apiKey.name}” is revoked.`);
      refresh();
      onClose();
    },
  });
  return (
    <Dialog title={`Revoke “${apiKey.name}”?`} onClose={onClose}>
      <p>Whatever uses it is refused from now on. A revoked key cannot be brought back; make a new one instead.</p>
      <Failure error={act.error} what="The key is still valid." />
      <div className="dialog-buttons">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" progress={act.progress} onClick={() => act.run(null)}>
          Revoke
        </Button>
      </div>
    </Dialog>
  );
}
