/** The machines that run game servers. */
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import * as api from '../../api/endpoints';
import type { NodeView } from '../../api/types';
import { queries, queryClient } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Failure } from '../../ui/failure';
import { TextField } from '../../ui/field';
import { bytes, clock, percent } from '../../ui/format';
import { PlusIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { useNow } from '../../ui/now';
import { TableBox } from '../../ui/table_box';
import { useTitle } from '../../ui/title';
import { PresenceChip } from './presence';

export function NodesPage() {
  useTitle('Nodes');
  const query = useQuery(queries.nodes);
  const [adding, setAdding] = useState(false);
  return (
    <>
      <div className="page-head">
        <h1>Nodes</h1>
        <Button look="primary" icon={<PlusIcon />} onClick={() => setAdding(true)}>
          Add a node
        </Button>
      </div>
      <Loaded query={query} what="the nodes">
        {({ items }) =>
          items.length === 0 ? (
            <div className="empty">
              <h2>No nodes yet</h2>
              <p>A node is a machine that runs game servers. Add one here, then run one command on it.</p>
            </div>
          ) : (
            <LongList items={items} one="node" text={(node) => `${node.name} ${node.presence.state} ${node.facts?.hostname ?? ''}`}>
              {(shown) => (
                <TableBox label="Nodes" stacks>
                  <thead>
                    <tr>
                      <th>Node</th>
                      <th>State</th>
                      <th className="number">Servers</th>
                      <th className="number">CPU</th>
                      <th className="number">Memory</th>
                      <th className="number">Disk</th>
                      <th className="number">Ports given</th>
                    </tr>
                  </thead>
                  <tbody>
                    {shown.map((node) => (
                      <NodeRow key={node.id} node={node} />
                    ))}
                  </tbody>
                </TableBox>
              )}
            </LongList>
          )
        }
      </Loaded>
      {adding && <AddNode onClose={() => setAdding(false)} />}
    </>
  );
}

function NodeRow({ node }: { node: NodeView }) {
  const now = useNow();
  const { presence, usage, facts } = node;
  return (
    <tr>
      <td>
        <Link to="/admin/nodes/$nodeId" params={{ nodeId: node.id }}>
          {node.name}
        </Link>
        {facts !== null && <p className="muted small">{facts.system}</p>}
        {presence.state !== 'online' && <p className="small">{presence.reason}</p>}
        {facts?.warnings.map((warning) => (
          <p key={warning} className="small warn-text">
            {warning}
          </p>
        ))}
      </td>
      <td>
        <PresenceChip presence={presence} />
        {presence.state !== 'pending' && <p className="muted small">since {clock(presence.since, now)}</p>}
      </td>
      <td className="number" data-label="Servers">{node.servers}</td>
      <td className="number" data-label="CPU">{usage === null ? '–' : `${percent(usage.cpu_percent)} of ${usage.cpus * 100} %`}</td>
      <td className="number" data-label="Memory">{usage === null ? '–' : `${bytes(usage.memory_used_bytes)} of ${bytes(usage.memory_total_bytes)}`}</td>
      <td className="number" data-label="Disk">{usage === null ? '–' : `${bytes(usage.disk_used_bytes)} of ${bytes(usage.disk_total_bytes)}`}</td>
      <td className="number" data-label="Ports given">
        {node.ports_used} of {node.ports}
      </td>
    </tr>
  );
}

function AddNode({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const act = useAct((input: string, options) => api.nodes.create(input, options), {
    onDone: (node) => {
      void queryClient.invalidateQueries({ queryKey: queries.nodes.queryKey });
      void navigate({ to: '/admin/nodes/$nodeId', params: { nodeId: node.id } });
    },
  });
  return (
    <Dialog title="Add a node" onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          act.run(name);
        }}
      >
        <TextField label="Name" help="Letters, digits, dots, dashes: for example fra-2." required autoFocus maxLength={64} value={name} error={act.fieldError('name')} onChange={(event) => setName(event.target.value)} />
        <Failure error={act.error} what="The node was not added." shown={['name']} />
        <div className="dialog-buttons">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" progress={act.progress}>
            Add
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
