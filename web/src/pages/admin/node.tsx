/** One node: what it says of itself, how a machine becomes it, its ports, its removal. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import * as api from '../../api/endpoints';
import type { NodeView } from '../../api/types';
import { queries, queryClient } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Failure } from '../../ui/failure';
import { TextField } from '../../ui/field';
import { day } from '../../ui/format';
import { Loaded } from '../../ui/loaded';
import { notify } from '../../ui/notices';
import { useTitle } from '../../ui/title';
import { JoinCard } from './node_join';
import { PortsCard } from './node_ports';
import { PresenceChip } from './presence';

const route = getRouteApi('/shell/admin/nodes/$nodeId');

export function NodePage() {
  const { nodeId } = route.useParams();
  const query = useQuery(queries.nodes);
  return (
    <Loaded query={query} what="the node">
      {({ items }) => {
        const node = items.find(({ id }) => id === nodeId);
        return node === undefined ? <p>There is no such node any more.</p> : <NodeDetails key={node.id} node={node} />;
      }}
    </Loaded>
  );
}

function NodeDetails({ node }: { node: NodeView }) {
  useTitle(node.name);
  const [asking, setAsking] = useState<'rename' | 'remove' | null>(null);
  const { presence, facts } = node;
  return (
    <>
      <div className="page-head">
        <h1>
          {node.name} <PresenceChip presence={presence} />
        </h1>
        <div className="form-buttons">
          <Button onClick={() => setAsking('rename')}>Rename…</Button>
          <Button look="danger" disabledReason={node.servers > 0 ? 'Servers are on it. Delete them first.' : null} onClick={() => setAsking('remove')}>
            Remove…
          </Button>
        </div>
      </div>
      {presence.state !== 'online' && <p className="hint">{presence.reason}</p>}
      {facts !== null && (
        <section className="card">
          <h2>Machine</h2>
          <dl className="facts">
            <dt>Name</dt>
            <dd>{facts.hostname}</dd>
            <dt>System</dt>
            <dd>{facts.system}</dd>
            <dt>NodePanel</dt>
            <dd>{facts.version}</dd>
            <dt>Started</dt>
            <dd>{day(facts.booted_at)}</dd>
          </dl>
          {facts.warnings.map((warning) => (
            <p key={warning} className="warn-text">
              {warning}
            </p>
          ))}
        </section>
      )}
      <JoinCard node={node} />
      <PortsCard node={node} />
      {asking === 'rename' && <Rename node={node} onClose={() => setAsking(null)} />}
      {asking === 'remove' && <Remove node={node} onClose={() => setAsking(null)} />}
    </>
  );
}

const refresh = (): void => void queryClient.invalidateQueries({ queryKey: queries.nodes.queryKey });

function Rename({ node, onClose }: { node: NodeView; onClose: () => void }) {
  const [name, setName] = useState(node.name);
  const act = useAct((input: string, options) => api.nodes.rename(node.id, input, options), {
    onDone: () => {
      refresh();
      onClose();
    },
  });
  return (
    <Dialog title={`Rename ${node.name}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          act.run(name);
        }}
      >
        <TextField label="Name" required autoFocus maxLength={64} value={name} error={act.fieldError('name')} onChange={(event) => setName(event.target.value)} />
        <Failure error={act.error} what="The name is the old one." shown={['name']} />
        <div className="dialog-buttons">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" progress={act.progress}>
            Rename
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Remove({ node, onClose }: { node: NodeView; onClose: () => void }) {
  const navigate = useNavigate();
  const act = useAct((_: null, options) => api.nodes.remove(node.id, options), {
    onDone: () => {
      refresh();
      notify.done(`${node.name} is removed.`);
      void navigate({ to: '/admin/nodes' });
    },
  });
  return (
    <Dialog title={`Remove ${node.name}?`} onClose={onClose}>
      <p>Its certificate is no longer accepted and its ports are forgotten. The machine itself is not touched; it can join again with a new token.</p>
      <Failure error={act.error} what="The node was not removed." />
      <div className="dialog-buttons">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" progress={act.progress} onClick={() => act.run(null)}>
          Remove
        </Button>
      </div>
    </Dialog>
  );
}
