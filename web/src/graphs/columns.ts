/** Samples as the columns that a chart draws, with holes where nothing was measured. Pure. */
import type { Sample } from '../api/types';

export type Columns = [number[], ...(number | null)[][]];

/** Seconds since the epoch, then one column per figure. A hole longer than three steps breaks the line. */
export function columns(samples: readonly Sample[], stepS: number, picks: readonly ((sample: Sample) => number | null)[]): Columns {
  const times: number[] = [];
  const values: (number | null)[][] = picks.map(() => []);
  let before: number | null = null;
  for (const sample of samples) {
    const at = Date.parse(sample.at) / 1_000;
    if (before !== null && at <= before) continue;
    if (before !== null && at - before > stepS * 3) {
      times.push(before + stepS);
      for (const column of values) column.push(null);
    }
    times.push(at);
    picks.forEach((pick, index) => values[index]?.push(pick(sample)));
    before = at;
  }
  return [times, ...values];
}

/** The series with what the live stream brought since; an hour at most. */
export function withTicks(samples: readonly Sample[], ticks: readonly Sample[]): Sample[] {
  const last = samples.at(-1)?.at ?? '';
  const all = [...samples, ...ticks.filter((tick) => tick.at > last)];
  const oldest = new Date(Date.parse(all.at(-1)?.at ?? '1970-01-01T00:00:00Z') - 3_600_000).toISOString();
  return all.filter((sample) => sample.at >= oldest);
}
