/** A server's figures of this second, beside its console. */
import type { Sample, ServerView } from '../../api/types';
import { useTicks } from '../../live/ticks';
import { bytes, duration, mebibytes, percent, rate } from '../../ui/format';
import { Sparkline } from '../../ui/sparkline';

const MIB = 1_048_576;

export function NowFigures({ server }: { server: ServerView }) {
  const ticks = useTicks(server.id);
  const now: Sample | null = ticks.at(-1) ?? server.stats;
  const { memory_mib, cpu_percent, disk_mib } = server.limits;
  return (
    <section className="now" aria-label="Figures">
      <Figure name="CPU" value={percent(now?.cpu_percent)} limit={cpu_percent == null ? null : percent(cpu_percent)}>
        <Sparkline values={ticks.map((tick) => tick.cpu_percent)} top={cpu_percent ?? 100} />
      </Figure>
      <Figure name="Memory" value={bytes(now?.memory_bytes)} limit={memory_mib == null ? null : mebibytes(memory_mib)}>
        <Sparkline values={ticks.map((tick) => tick.memory_bytes)} top={(memory_mib ?? 0) * MIB} />
      </Figure>
      <Figure name="Disk" value={bytes(now?.disk_bytes)} limit={disk_mib == null ? null : mebibytes(disk_mib)} />
      <Figure name="Network in" value={rate(now?.network_in_bps)} limit={null} />
      <Figure name="Network out" value={rate(now?.network_out_bps)} limit={null} />
      <Figure name="Up for" value={duration(now?.uptime_s)} limit={null} />
    </section>
  );
}

function Figure({ name, value, limit, children }: { name: string; value: string; limit: string | null; children?: React.ReactNode }) {
  return (
    <div className="now-figure">
      <span className="muted small">{name}</span>
      <span>
        <strong>{value}</strong>
        {limit !== null && <span className="muted small"> of {limit}</span>}
      </span>
      {children}
    </div>
  );
}
