/** A node's ports: which can be given to servers, and which are. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMemo } from 'react';

import * as api from '../../api/endpoints';
import type { AllocationView, NodeView } from '../../api/types';
import { queries, queryClient } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { useDraft } from '../../ui/draft';
import { Failure } from '../../ui/failure';
import { TextField } from '../../ui/field';
import { address, count } from '../../ui/format';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { notify } from '../../ui/notices';
import { TableBox } from '../../ui/table_box';

export function PortsCard({ node }: { node: NodeView }) {
  const query = useQuery(queries.allocations(node.id));
  const [form, change, clear] = useDraft(`ports.${node.id}`, { address: '', ports: '' });
  const refresh = (): void => {
    void queryClient.invalidateQueries({ queryKey: queries.allocations(node.id).queryKey });
    void queryClient.invalidateQueries({ queryKey: queries.nodes.queryKey });
  };
  const add = useAct((asked: typeof form, options) => api.nodes.addAllocations(node.id, asked.address.trim(), asked.ports.trim(), options), {
    onDone: (_, asked) => {
      clear(asked);
      refresh();
    },
  });
  const remove = useAct((input: { address: string; ports: string }, options) => api.nodes.removeAllocations(node.id, input.address, input.ports, options), {
    onDone: refresh,
    onError: (error) => notify.failed('The port stays.', error),
  });
  const servers = useQuery(queries.servers).data?.items;
  const names = useMemo(() => new Map(servers?.map(({ id, name }) => [id, name])), [servers]);
  const nameOf = (id: string): string => names.get(id) ?? 'a server';

  return (
    <section className="card">
      <h2>Ports</h2>
      <p className="muted">
        {node.ports_used} of {count(node.ports, 'port')} given to servers.
      </p>
      <Loaded query={query} what="the ports" rows={2}>
        {({ items }) => (
          <>
            {items.length === 0 ? (
              <p>This node has no ports yet. Servers that listen need some: add a range below.</p>
            ) : (
              <LongList items={items} one="port" text={(port) => `${address(port)} ${port.server === null ? 'free' : nameOf(port.server)}`}>
                {(shown) => (
                  <TableBox label="Ports" short>
                    <thead>
                      <tr>
                        <th>Address</th>
                        <th>Given to</th>
                        <th>
                          <span className="visually-hidden">Remove</span>
                        </th>
                      </tr>
                    </thead>
                    <tbody>
                      {shown.map((port) => (
                        <tr key={address(port)}>
                          <td className="mono">{address(port)}</td>
                          <td>{port.server === null ? <span className="muted">free</span> : <ServerLink allocation={port} name={nameOf(port.server)} />}</td>
                          <td className="number">
                            {port.server === null && (
                              <Button
                                look="quiet"
                                aria-label={`Remove ${address(port)}`}
                                progress={remove.progress}
                                onClick={() => remove.run({ address: port.address, ports: String(port.port) })}
                              >
                                Remove
                              </Button>
                            )}
                          </td>
                        </tr>
                      ))}
                    </tbody>
                  </TableBox>
                )}
              </LongList>
            )}
          </>
        )}
      </Loaded>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          add.run(form);
        }}
      >
        <div className="form-row">
          <TextField label="Address" help="One of the node’s own." required placeholder="203.0.113.7" value={form.address} error={add.fieldError('address')} onChange={(event) => change({ address: event.target.value })} />
          <TextField label="Ports" help="25565-25600,27015" required placeholder="25565-25600" value={form.ports} error={add.fieldError('ports')} onChange={(event) => change({ ports: event.target.value })} />
        </div>
        <Failure error={add.error} what="No port was added." shown={['address', 'ports']} />
        <div className="form-buttons">
          <Button type="submit" progress={add.progress}>
            Add ports
          </Button>
        </div>
      </form>
    </section>
  );
}

function ServerLink({ allocation, name }: { allocation: AllocationView; name: string }) {
  return (
    <Link to="/servers/$serverId" params={{ serverId: allocation.server ?? '' }}>
      {name}
    </Link>
  );
}
