/** A server's figures over an hour, live, or over a week. All graphs share one time under the pointer. */
import '../../styles/graphs.css';

import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';

import * as api from '../../api/endpoints';
import type { ActivityEntry, Sample } from '../../api/types';
import { Chart, type Series } from '../../graphs/chart';
import { columns, withTicks } from '../../graphs/columns';
import { marksBetween } from '../../graphs/marks';
import { queries } from '../../live/cache';
import { useTicks } from '../../live/ticks';
import { bytes, percent, rate } from '../../ui/format';
import { Loaded } from '../../ui/loaded';
import { useNow } from '../../ui/now';
import { MarksCard } from './marks';
import { useServer } from './page';

const MIB = 1_048_576;
const WINDOWS = [
  { window: 'hour', word: 'Last hour, live' },
  { window: 'week', word: 'Last week' },
] as const;
const SPAN_S = { hour: 3_600, week: 7 * 86_400 };
/** Marks nearer than this part of the axis would be drawn over each other. */
const MARK_PART = 1 / 70;
const NOTHING: readonly ActivityEntry[] = [];

interface Graph {
  name: string;
  series: (Series & { pick: (sample: Sample) => number | null })[];
  format: (value: number | null) => string;
  limit: number | null;
}

export function GraphsTab() {
  const server = useServer();
  const [window, setWindow] = useState<'hour' | 'week'>('hour');
  const query = useQuery({
    queryKey: ['stats', server.id, window],
    queryFn: ({ signal }) => api.servers.stats(server.id, window, signal),
    refetchInterval: window === 'hour' ? 300_000 : 60_000,
    staleTime: 10_000,
  });
  const ticks = useTicks(server.id);
  const samples = useMemo(
    () => (query.data === undefined ? [] : window === 'hour' ? withTicks(query.data.samples, ticks) : query.data.samples),
    [query.data, window, ticks],
  );

  const now = useNow();
  const span = SPAN_S[window];
  const activity = useQuery(queries.activity(server.id)).data?.items ?? NOTHING;
  const marks = useMemo(() => marksBetween(activity, 0, Infinity, span * MARK_PART), [activity, span]);
  const happened = activity.filter(({ at }) => Date.parse(at) >= now - span * 1_000);

  const { memory_mib, cpu_percent, disk_mib } = server.limits;
  const graphs: Graph[] = [
    { name: 'CPU', format: percent, limit: cpu_percent ?? null, series: [{ label: 'CPU', tone: 1, pick: (s) => s.cpu_percent }] },
    { name: 'Memory', format: bytes, limit: memory_mib == null ? null : memory_mib * MIB, series: [{ label: 'Memory', tone: 1, pick: (s) => s.memory_bytes }] },
    { name: 'Network', format: rate, limit: null, series: [{ label: 'In', tone: 1, pick: (s) => s.network_in_bps }, { label: 'Out', tone: 2, pick: (s) => s.network_out_bps }] },
    { name: 'Disk', format: bytes, limit: disk_mib == null ? null : disk_mib * MIB, series: [{ label: 'Disk', tone: 1, pick: (s) => s.disk_bytes }] },
    { name: 'Players', format: (value) => (value === null ? '–' : String(value)), limit: server.players?.max ?? null, series: [{ label: 'Players', tone: 1, pick: (s) => s.players }] },
  ];

  return (
    <>
      <div className="toolbar" role="group" aria-label="Range">
        {WINDOWS.map(({ window: each, word }) => (
          <button key={each} type="button" className="button" aria-pressed={window === each} onClick={() => setWindow(each)}>
            {word}
          </button>
        ))}
      </div>
      <Loaded query={query} what="the figures" rows={6}>
        {(data) =>
          samples.length === 0 ? (
            <div className="empty">
              <p>There are no figures yet. They are measured while the server runs, once a second.</p>
            </div>
          ) : (
            <div className="graphs">
              {graphs
                .filter(({ name, series }) => name !== 'Players' || samples.some((sample) => series[0]?.pick(sample) != null))
                .map(({ name, series, format, limit }) => (
                  <Chart
                    key={name}
                    name={name}
                    series={series}
                    data={columns(samples, data.step_s, series.map(({ pick }) => pick))}
                    format={format}
                    limit={limit}
                    binary={format === bytes || format === rate}
                    span={span}
                    marks={marks}
                  />
                ))}
              <MarksCard server={server.id} entries={happened} now={now} />
            </div>
          )
        }
      </Loaded>
    </>
  );
}
