/** A minute of one figure as a small line, with the newest value in words. The line is decoration. */

const WIDTH = 72;
const HEIGHT = 20;
const POINTS = 60;

interface SparklineProps {
  values: readonly (number | null)[];
  /** The value at the top; the largest one when it is smaller. */
  top: number;
}

export function Sparkline({ values, top }: SparklineProps) {
  const max = Math.max(top, 1e-9, ...values.map((value) => value ?? 0));
  let path = '';
  values.forEach((value, index) => {
    if (value === null) return;
    const x = ((POINTS - values.length + index) / (POINTS - 1)) * WIDTH;
    const y = HEIGHT - 1 - (value / max) * (HEIGHT - 2);
    const begins = path === '' || (values[index - 1] ?? null) === null;
    path += `${begins ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
