/** Draws marks into a chart: a thin line through it, and at its foot a shape that tells the kinds apart without colour. */
import type UPlot from 'uplot';

import type { Mark, MarkKind } from './marks';

type Shape = 'triangle' | 'diamond' | 'circle' | 'square';

/** Shape and colour of each kind; the legend in `pages/server/marks.tsx` draws the same ones. */
export const MARK_LOOKS: Record<MarkKind, { shape: Shape; colour: string }> = {
  crash: { shape: 'triangle', colour: '--bad' },
  restart: { shape: 'diamond', colour: '--warn' },
  recovery: { shape: 'diamond', colour: '--good' },
  install: { shape: 'square', colour: '--busy' },
  power: { shape: 'circle', colour: '--muted' },
  remove: { shape: 'square', colour: '--muted' },
};

/** The outline of a shape in a square from (0, 0) to (10, 10). */
export const MARK_PATHS: Record<Shape, string> = {
  triangle: 'M5 0L10 10H0Z',
  diamond: 'M5 0L10 5L5 10L0 5Z',
  circle: 'M5 1A4 4 0 1 1 5 9A4 4 0 1 1 5 1Z',
  square: 'M1 1H9V9H1Z',
};

const SIZE = 9;

export function drawMarks(chart: UPlot, marks: readonly Mark[], colour: (name: string) => string): void {
  const { left, top, width, height } = chart.bbox;
  const { ctx } = chart;
  // The chart's canvas has the device's pixels.
  const scale = window.devicePixelRatio;
  const size = SIZE * scale;
  ctx.save();
  for (const { at, kind } of marks) {
    const x = chart.valToPos(at, 'x', true);
    if (x < left || x > left + width) continue;
    const look = MARK_LOOKS[kind];
    ctx.strokeStyle = ctx.fillStyle = colour(look.colour);
    ctx.lineWidth = scale;
    ctx.globalAlpha = 0.5;
    ctx.setLineDash([2 * scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height - size);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.setTransform(size / 10, 0, 0, size / 10, x - size / 2, top + height - size);
    ctx.fill(new Path2D(MARK_PATHS[look.shape]));
    ctx.resetTransform();
  }
  ctx.restore();
}
