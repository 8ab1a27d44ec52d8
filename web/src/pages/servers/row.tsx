/** One server in the list: a row on wide screens, a card on phones; the same cells either way. */
import { Link } from '@tanstack/react-router';
import { memo } from 'react';

import type { ServerView } from '../../api/types';
import { Copy } from '../../ui/copy';
import { address } from '../../ui/format';
import { StateChip } from '../../ui/state_chip';
import { Tip } from '../../ui/tip';
import { CpuFigure, MemoryFigure, PlayersFigure } from './figures';
import { PowerButtons } from './power';

interface RowProps {
  server: ServerView;
  index: number;
  showOwner: boolean;
  chosen: boolean;
  onChoose: (id: string, chosen: boolean) => void;
}

export const ServerRow = memo(function ServerRow({ server, index, showOwner, chosen, onChoose }: RowProps) {
  const first = server.endpoints[0];
  return (
    <tr aria-rowindex={index + 2} data-chosen={chosen || undefined}>
      <td className="cell-choose">
        <input type="checkbox" aria-label={`Choose ${server.name}`} checked={chosen} onChange={(event) => onChoose(server.id, event.target.checked)} />
      </td>
      <td className="cell-state">
        <Tip text={server.reason}>
          <span>
            <StateChip state={server.state} percent={server.install_percent} />
          </span>
        </Tip>
      </td>
      <td className="cell-name">
        <Link to="/servers/$serverId" params={{ serverId: server.id }} className="row-link">
          {server.name}
        </Link>
        <span className="muted small">
          {server.template.name}
          {showOwner && ` · ${server.owner.email}`}
        </span>
      </td>
      <td className="cell-address">{first !== undefined && <Copy text={address(first)} what="address" />}</td>
      <td className="cell-cpu">
        <CpuFigure server={server} />
      </td>
      <td className="cell-memory">
        <MemoryFigure server={server} />
      </td>
      <td className="cell-players">
        <PlayersFigure server={server} />
      </td>
      <td className="cell-node">
        {server.node.name}
        {!server.node.online && <span className="muted small"> does not answer</span>}
      </td>
      <td className="cell-power">
        <PowerButtons server={server} compact />
      </td>
    </tr>
  );
});
