/** The list of servers: sortable columns, only the rows on screen drawn. */
import { useRef } from 'react';

import type { ServerView } from '../../api/types';
import { PHONE, useMedia } from '../../ui/media';
import { useWindow } from '../../ui/window';
import type { ListFilter, SortKey } from './filter';
import { ServerRow } from './row';

/** Must agree with styles/servers.css. */
const ROW_PX = 53;
const CARD_PX = 164;

const COLUMNS: { key: SortKey | null; word: string; className: string }[] = [
  { key: 'state', word: 'State', className: 'cell-state' },
  { key: 'name', word: 'Name', className: 'cell-name' },
  { key: null, word: 'Address', className: 'cell-address' },
  { key: 'cpu', word: 'CPU', className: 'cell-cpu' },
  { key: 'memory', word: 'Memory', className: 'cell-memory' },
  { key: 'players', word: 'Players', className: 'cell-players' },
  { key: 'node', word: 'Node', className: 'cell-node' },
  { key: null, word: 'Power', className: 'cell-power' },
];

interface TableProps {
  servers: readonly ServerView[];
  filter: ListFilter;
  onSort: (sort: SortKey, descending: boolean) => void;
  showOwner: boolean;
  chosen: ReadonlySet<string>;
  onChoose: (id: string, chosen: boolean) => void;
  onChooseAll: (chosen: boolean) => void;
}

export function ServerTable({ servers, filter, onSort, showOwner, chosen, onChoose, onChooseAll }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const shown = useWindow(body, servers.length, useMedia(PHONE) ? CARD_PX : ROW_PX);
  const all = servers.length > 0 && servers.every((server) => chosen.has(server.id));
  return (
    <table className="servers" aria-rowcount={servers.length + 1} aria-label="Servers">
      <thead>
        <tr aria-rowindex={1}>
          <th className="cell-choose">
            <input type="checkbox" aria-label="Choose all" checked={all} onChange={(event) => onChooseAll(event.target.checked)} />
          </th>
          {COLUMNS.map(({ key, word, className }) => (
            <th
              key={word}
             
              className={className}
              aria-sort={key === filter.sort ? (filter.descending ? 'descending' : 'ascending') : undefined}
            >
              {key === null ? (
                word
              ) : (
                <button type="button" onClick={() => onSort(key, key === filter.sort && !filter.descending)}>
                  {word}
                  <span aria-hidden="true">{key === filter.sort ? (filter.descending ? ' ↓' : ' ↑') : ''}</span>
                </button>
              )}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        <Room height={shown.before} />
        {servers.slice(shown.first, shown.last).map((server, offset) => (
          <ServerRow
            key={server.id}
            server={server}
            index={shown.first + offset}
            showOwner={showOwner}
            chosen={chosen.has(server.id)}
            onChoose={onChoose}
          />
        ))}
        <Room height={shown.after} />
      </tbody>
    </table>
  );
}

/** The room of rows that are not drawn. */
function Room({ height }: { height: number }) {
  if (height === 0) return null;
  return (
    <tr className="room" aria-hidden="true">
      <td style={{ height }} />
    </tr>
  );
}
