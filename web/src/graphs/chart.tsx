/**
 * One graph: lines over time, the limit as a dashed line, what happened as marks on the time axis, and the values under
 * the pointer in words beside its name.
 */
import 'uplot/dist/uPlot.min.css';

import { useEffect, useRef, useState } from 'react';
import UPlot from 'uplot';

import { useCell } from '../api/cell';
import { effectiveTheme } from '../ui/theme';
import { clock } from '../ui/format';
import type { Columns } from './columns';
import { drawMarks } from './draw_marks';
import { markAt, type Mark } from './marks';

export interface Series {
  label: string;
  /** The colour, 1 or 2. */
  tone: 1 | 2;
}

interface ChartProps {
  name: string;
  series: readonly Series[];
  data: Columns;
  format: (value: number | null) => string;
  limit: number | null;
  /** Whether the figures are bytes, whose round numbers are powers of two. */
  binary: boolean;
  /** How much time the graph shows, in seconds, up to now: also where there are no figures yet. */
  span: number;
  /** What happened meanwhile. */
  marks: readonly Mark[];
}

/** Where the pointer is. */
interface Pointer {
  /** The sample under it. */
  index: number | null;
  /** The time under it, in seconds. */
  time: number;
  /** How many seconds a pixel is. */
  perPixel: number;
  /** Whether it is in the right half, so that words must stand to its left. */
  right: boolean;
}

const HEIGHT = 160;
const BINARY_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
const SYNC = UPlot.sync('server');
/** How near to a mark the pointer must be, in pixels. */
const REACH_PX = 10;
/** The most that is told of one mark. */
const TOLD = 4;

export function Chart({ name, series, data, format, limit, binary, span, marks }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const [pointer, setPointer] = useState<Pointer | null>(null);
  const [hovered, setHovered] = useState(false);
  const theme = useCell(effectiveTheme);
  // What the chart's own callbacks read; it is made once and lives through new data.
  const now = useRef({ data, format, limit, series, binary, span, marks });
  useEffect(() => {
    now.current = { data, format, limit, series, binary, span, marks };
  });

  useEffect(() => {
    const parent = box.current;
    if (parent === null) return;
    const made = new UPlot(options(parent, now, setPointer), now.current.data, parent);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: parent.clientWidth, height: HEIGHT }));
    observer.observe(parent);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme]);

  useEffect(() => plot.current?.setData(data), [data, limit, marks]);

  const under = pointer?.index ?? null;
  const index = under ?? data[0].length - 1;
  const told = hovered && pointer !== null ? markAt(marks, pointer.time, pointer.perPixel * REACH_PX) : null;
  const at = data[0][index];
  return (
    <section className="card chart" aria-label={name}>
      <div className="chart-head">
        <h2>{name}</h2>
        <span className="chart-values">
          {series.map(({ label, tone }, column) => (
            <span key={label}>
              <span className="swatch" data-tone={tone} aria-hidden="true" /> {series.length > 1 && `${label} `}
              <strong>{format(data[column + 1]?.[index] as number | null)}</strong>
            </span>
          ))}
          {limit !== null && <span className="muted">limit {format(limit)}</span>}
          {under !== null && at !== undefined && <time className="muted">{new Date(at * 1_000).toLocaleString('en-GB')}</time>}
        </span>
      </div>
      <div className="chart-box" onPointerEnter={() => setHovered(true)} onPointerLeave={() => setHovered(false)}>
        <div ref={box} />
        {told !== null && <MarkWords mark={told} right={pointer?.right ?? false} today={(data[0].at(-1) ?? 0) * 1_000} />}
      </div>
    </section>
  );
}

/** What a mark stands for. The list below the graphs says the same to those who have no pointer. */
function MarkWords({ mark, right, today }: { mark: Mark; right: boolean; today: number }) {
  const more = mark.entries.length - TOLD;
  return (
    <div className="mark-words" data-side={right ? 'left' : 'right'} aria-hidden="true">
      {mark.entries.slice(-TOLD).map((entry) => (
        <p key={`${entry.n} ${entry.at}`}>
          <span className="muted">{clock(entry.at, today)}</span> {entry.text}
        </p>
      ))}
      {more > 0 && <p className="muted">and {more} more before</p>}
    </div>
  );
}

function options(
  parent: HTMLElement,
  now: React.RefObject<{ format: (value: number | null) => string; limit: number | null; series: readonly Series[]; binary: boolean; span: number; marks: readonly Mark[] }>,
  onPointer: (pointer: Pointer | null) => void,
): UPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
  return {
    width: parent.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 12, 0, 0],
    cursor: { sync: { key: SYNC.key }, y: false, drag: { x: false, y: false } },
    scales: {
      x: {
        range: (_, __, newest) => {
          const end = Math.max(newest, Date.now() / 1_000);
          return [end - now.current.span, end];
        },
      },
      y: { range: (_, __, max) => [0, Math.max(max, now.current.limit ?? 0, 1e-9) * 1.08] },
    },
    axes: [
      { ...axis, size: 28, values: timeLabels },
      { ...axis, size: 76, ...(now.current.binary ? { incrs: BINARY_STEPS } : {}), values: (_, ticks) => ticks.map((tick) => now.current.format(tick)) },
    ],
    series: [
      {},
      ...now.current.series.map(({ tone }) => ({ stroke: colour(tone === 1 ? '--accent' : '--warn'), width: 1.5, points: { show: false } })),
    ],
    hooks: {
      setCursor: [(chart) => onPointer(pointerOf(chart))],
      draw: [
        (chart) => drawMarks(chart, now.current.marks, colour),
        (chart) => drawLimit(chart, now.current.limit, colour('--bad')),
      ],
    },
  };
}

function pointerOf(chart: UPlot): Pointer | null {
  const left = chart.cursor.left ?? -1;
  if (left < 0) return null;
  const time = chart.posToVal(left, 'x');
  const width = chart.over.clientWidth;
  return { index: chart.cursor.idx ?? null, time, perPixel: chart.posToVal(left + 1, 'x') - time, right: left > width / 2 };
}

function timeLabels(_: UPlot, ticks: number[]): string[] {
  const long = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) > 86_400;
  return ticks.map((tick) => {
    const date = new Date(tick * 1_000);
    return long
      ? date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
      : date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  });
}

function drawLimit(chart: UPlot, limit: number | null, colour: string): void {
  if (limit === null) return;
  const y = chart.valToPos(limit, 'y', true);
  const { left, width, top } = chart.bbox;
  if (y < top) return;
  chart.ctx.save();
  chart.ctx.strokeStyle = colour;
  chart.ctx.setLineDash([6, 4]);
  chart.ctx.beginPath();
  chart.ctx.moveTo(left, y);
  chart.ctx.lineTo(left + width, y);
  chart.ctx.stroke();
  chart.ctx.restore();
}
