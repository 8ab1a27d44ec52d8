/** My servers: everything that the person may see, live, with what can be done at once. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useCallback, useDeferredValue, useMemo, useState } from 'react';

import { queries, type ServerList } from '../../live/cache';
import { useMay, useSession } from '../../shell/session';
import { useDraft } from '../../ui/draft';
import { count } from '../../ui/format';
import { PlusIcon } from '../../ui/icons';
import { useCalm } from '../../ui/calm';
import { Loaded } from '../../ui/loaded';
import { STATE_ORDER, stateWord } from '../../ui/state_chip';
import { useTitle } from '../../ui/title';
import { BulkBar } from './bulk';
import { NO_FILTER, select, type ListFilter, type SortKey } from './filter';
import { ServerTable } from './table';

/** A list longer than this is sorted again a few times a second at most, however many events come. */
const LONG = 500;
const CALM_MS = 300;

export function ServersPage() {
  useTitle('Servers');
  const query = useQuery(queries.servers);
  const mayCreate = useMay('server.create');
  return (
    <div className="page">
      <div className="page-head">
        <h1>Servers</h1>
        {mayCreate && (
          <Link to="/servers/new" className="button" data-look="primary">
            <PlusIcon />
            <span>Create a server</span>
          </Link>
        )}
      </div>
      <Loaded query={query} what="your servers" rows={8}>
        {(list) => (list.items.length === 0 ? <Empty mayCreate={mayCreate} /> : <List list={list} />)}
      </Loaded>
    </div>
  );
}

function Empty({ mayCreate }: { mayCreate: boolean }) {
  return (
    <div className="empty">
      <h2>No servers yet</h2>
      {mayCreate ? (
        <>
          <p>A server is a game that runs on one of your machines. Choose a game, and NodePanel installs and starts it.</p>
          <Link to="/servers/new" className="button" data-look="primary">
            <PlusIcon />
            <span>Create your first server</span>
          </Link>
        </>
      ) : (
        <p>None belongs to you so far. An administrator can make one for you; it appears here by itself.</p>
      )}
    </div>
  );
}

function List({ list }: { list: ServerList }) {
  const session = useSession();
  const admin = session.user.role === 'administrator';
  const [filter, change] = useDraft<ListFilter>('servers.filter', NO_FILTER);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const deferred = useDeferredValue(filter);
  const items = useCalm(list.items, list.items.length > LONG ? CALM_MS : 0);
  const shown = useMemo(() => select(items, deferred, session.user.id), [items, deferred, session.user.id]);

  const onSort = useCallback((sort: SortKey, descending: boolean) => change({ sort, descending }), [change]);
  const onChoose = useCallback((id: string, on: boolean) => {
    setChosen((old) => {
      const next = new Set(old);
      if (on) next.add(id);
      else next.delete(id);
      return next;
    });
  }, []);
  const chosenServers = shown.filter((server) => chosen.has(server.id));

  return (
    <>
      <div className="toolbar" role="search">
        <input
          type="search"
          aria-label="Filter servers"
          placeholder="Filter by name, address, game, node"
          value={filter.text}
          onChange={(event) => change({ text: event.target.value })}
        />
        <select aria-label="State" value={filter.state} onChange={(event) => change({ state: event.target.value as ListFilter['state'] })}>
          <option value="all">Every state</option>
          <option value="trouble">Needs a look</option>
          {STATE_ORDER.map((state) => (
            <option key={state} value={state}>
              {stateWord(state)}
            </option>
          ))}
        </select>
        <select className="phone-only" aria-label="Sort by" value={filter.sort} onChange={(event) => onSort(event.target.value as SortKey, false)}>
          <option value="name">By name</option>
          <option value="state">By state</option>
          <option value="cpu">By CPU</option>
          <option value="memory">By memory</option>
        </select>
        {admin && (
          <select aria-label="Whose" value={filter.owner} onChange={(event) => change({ owner: event.target.value as ListFilter['owner'] })}>
            <option value="all">Everybody’s</option>
            <option value="mine">Mine</option>
          </select>
        )}
        <span className="muted" role="status">
          {shown.length === items.length ? count(list.total, 'server') : `${shown.length.toLocaleString('en-GB')} of ${count(list.total, 'server')}`}
          {list.total > list.items.length && `; ${list.items.length.toLocaleString('en-GB')} are here, the rest is on its way`}
        </span>
      </div>
      {chosenServers.length > 0 && <BulkBar servers={chosenServers} onClear={() => setChosen(new Set())} />}
      {shown.length === 0 ? (
        <div className="empty">
          <p>No server fits the filter.</p>
          <button type="button" className="button" onClick={() => change(NO_FILTER)}>
            Show all
          </button>
        </div>
      ) : (
        <ServerTable
          servers={shown}
          filter={filter}
          onSort={onSort}
          showOwner={admin}
          chosen={chosen}
          onChoose={onChoose}
          onChooseAll={(on) => setChosen(on ? new Set(shown.map((server) => server.id)) : new Set())}
        />
      )}
    </>
  );
}
