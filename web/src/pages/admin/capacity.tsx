/** How much of the machines is used, each beside its limit; the fullest first. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import type { NodeView } from '../../api/types';
import { queries } from '../../live/cache';
import { bytes, clock, count, percent } from '../../ui/format';
import { Loaded } from '../../ui/loaded';
import { useNow } from '../../ui/now';

/** The most nodes that an overview names. */
const NAMED = 6;

export function CapacityCard() {
  const query = useQuery(queries.nodes);
  return (
    <section className="card">
      <h2>Capacity</h2>
      <Loaded query={query} what="the nodes" rows={1}>
        {({ items }) => {
          const fullest = items.filter(({ usage }) => usage !== null).sort((a, b) => fullness(b) - fullness(a));
          if (fullest.length === 0) return <p className="muted">No node has told its figures yet.</p>;
          return (
            <>
              <ul className="capacity">
                {fullest.slice(0, NAMED).map((node) => (
                  <Bars key={node.id} node={node} />
                ))}
              </ul>
              {fullest.length > NAMED && (
                <p>
                  <Link to="/admin/nodes">{count(fullest.length - NAMED, 'more node')}</Link>, all with more room than these.
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function fullness({ usage }: NodeView): number {
  if (usage === null) return 0;
  return Math.max(usage.memory_used_bytes / usage.memory_total_bytes, usage.disk_used_bytes / usage.disk_total_bytes);
}

function Bars({ node }: { node: NodeView }) {
  const now = useNow();
  const { usage, presence } = node;
  if (usage === null) return null;
  return (
    <li data-old={presence.state === 'online' ? undefined : true}>
      <span className="capacity-name">
        <Link to="/admin/nodes/$nodeId" params={{ nodeId: node.id }}>
          {node.name}
        </Link>
        {presence.state === 'unreachable' && <span className="warn-text small">Does not answer; figures from before {clock(presence.since, now)}.</span>}
      </span>
      <Bar name="CPU" used={usage.cpu_percent ?? 0} of={usage.cpus * 100} words={`${percent(usage.cpu_percent)} of ${usage.cpus * 100} %`} />
      <Bar name="Memory" used={usage.memory_used_bytes} of={usage.memory_total_bytes} words={`${bytes(usage.memory_used_bytes)} of ${bytes(usage.memory_total_bytes)}`} />
      <Bar name="Disk" used={usage.disk_used_bytes} of={usage.disk_total_bytes} words={`${bytes(usage.disk_used_bytes)} of ${bytes(usage.disk_total_bytes)}`} />
    </li>
  );
}

function Bar({ name, used, of, words }: { name: string; used: number; of: number; words: string }) {
  const part = of === 0 ? 0 : Math.min(100, (used / of) * 100);
  return (
    <span className="bar" data-full={part > 90 || undefined}>
      <span className="muted small">{name}</span>
      <span className="small">{words}</span>
      <span className="bar-room" aria-hidden="true">
        <span style={{ width: `${part}%` }} />
      </span>
    </span>
  );
}
