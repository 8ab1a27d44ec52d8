/** A server's figures in a list: processor time and memory with the last minute as a line, and who plays. */
import type { ServerView } from '../../api/types';
import { usePlayers } from '../../live/players';
import { useTicks } from '../../live/ticks';
import { bytes, mebibytes, percent } from '../../ui/format';
import { Sparkline } from '../../ui/sparkline';

const MIB = 1_048_576;

export function CpuFigure({ server }: { server: ServerView }) {
  const ticks = useTicks(server.id);
  const newest = newestSample(server, ticks);
  return (
    <span className="figure">
      <Sparkline values={ticks.map((tick) => tick.cpu_percent)} top={server.limits.cpu_percent ?? 100} />
      <span>{percent(newest?.cpu_percent)}</span>
    </span>
  );
}

export function MemoryFigure({ server }: { server: ServerView }) {
  const ticks = useTicks(server.id);
  const newest = newestSample(server, ticks);
  const limit = server.limits.memory_mib;
  return (
    <span className="figure">
      <Sparkline values={ticks.map((tick) => tick.memory_bytes)} top={limit == null ? 0 : limit * MIB} />
      <span>
        {bytes(newest?.memory_bytes)}
        {limit != null && <span className="muted"> of {mebibytes(limit)}</span>}
      </span>
    </span>
  );
}

export function PlayersFigure({ server }: { server: ServerView }) {
  const players = usePlayers(server);
  if (players === null) return <span className="muted">–</span>;
  return `${players.online}${players.max === null ? '' : ` / ${players.max}`}`;
}

function newestSample(server: ServerView, ticks: ReturnType<typeof useTicks>) {
  const runs = server.state !== 'stopped' && server.state !== 'installing';
  return runs ? (ticks.at(-1) ?? server.stats) : null;
}
