/**
 * Draws only the rows of a long list that are on screen. Rows have one fixed height, the page itself scrolls, and the
 * rest is room above and below. Short lists are drawn whole, so that the browser's own search finds everything.
 */
import { useEffect, useRef, useState, type RefObject } from 'react';

const WHOLE_UP_TO = 120;
const OVERSCAN = 12;

export interface Slice {
  first: number;
  last: number;
  before: number;
  after: number;
}

export function slice(count: number, rowHeight: number, scrolled: number, viewHeight: number): Slice {
  if (count <= WHOLE_UP_TO) return { first: 0, last: count, before: 0, after: 0 };
  const first = Math.min(Math.max(0, Math.floor(scrolled / rowHeight) - OVERSCAN), count);
  const last = Math.min(count, Math.ceil((scrolled + viewHeight) / rowHeight) + OVERSCAN);
  return { first, last: Math.max(first, last), before: first * rowHeight, after: (count - Math.max(first, last)) * rowHeight };
}

export function useWindow(list: RefObject<HTMLElement | null>, count: number, rowHeight: number): Slice {
  const [scrolled, setScrolled] = useState(0);
  const frame = useRef(0);
  useEffect(() => {
    const update = (): void => {
      frame.current ||= requestAnimationFrame(() => {
        frame.current = 0;
        const top = list.current?.getBoundingClientRect().top ?? 0;
        // Whole rows, so that scrolling by pixels draws nothing again.
        setScrolled(Math.max(0, Math.floor(-top / rowHeight) * rowHeight));
      });
    };
    update();
    window.addEventListener('scroll', update, { passive: true });
    window.addEventListener('resize', update);
    return () => {
      window.removeEventListener('scroll', update);
      window.removeEventListener('resize', update);
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [list, rowHeight, count]);
  return slice(count, rowHeight, scrolled, window.innerHeight);
}
