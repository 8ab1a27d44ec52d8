/**
 * A list that may have thousands of entries: what fits the words in its filter, drawn in steps, so that nothing is left out
 * and nothing is drawn that nobody looks at. Short lists are shown as they are.
 */
import { useDeferredValue, useState, type ReactNode } from 'react';

import { Button } from './button';
import { count } from './format';

/** Fewer entries than this can be looked through. */
const FILTER_FROM = 20;
const STEP = 200;

interface LongListProps<T> {
  items: readonly T[];
  /** What one entry is, and many. */
  one: string;
  many?: string;
  /** What is looked through for the filter's words. */
  text: (item: T) => string;
  /** How many are drawn at first, and more with each press. */
  step?: number;
  children: (shown: readonly T[]) => ReactNode;
}

export function LongList<T>({ items, one, many = `${one}s`, text, step = STEP, children }: LongListProps<T>) {
  const [filter, setFilter] = useState('');
  const [drawn, setDrawn] = useState(step);
  const words = useDeferredValue(filter).toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = words.length === 0 ? items : items.filter((item) => fits(text(item).toLowerCase(), words));
  const rest = fitting.length - drawn;
  return (
    <>
      {items.length >= FILTER_FROM && (
        <div className="toolbar" role="search">
          <input type="search" aria-label={`Filter ${many}`} placeholder={`Filter ${many}`} value={filter} onChange={(event) => setFilter(event.target.value)} />
          <span className="muted" role="status">
            {fitting.length === items.length ? count(items.length, one, many) : `${fitting.length.toLocaleString('en-GB')} of ${count(items.length, one, many)}`}
          </span>
        </div>
      )}
      {fitting.length === 0 && items.length > 0 ? <p className="muted">Nothing fits “{filter}”.</p> : children(fitting.slice(0, drawn))}
      {rest > 0 && (
        <p>
          <Button onClick={() => setDrawn(drawn + step)}>{`Show ${Math.min(step, rest)} more of ${rest.toLocaleString('en-GB')}`}</Button>
        </p>
      )}
    </>
  );
}

function fits(text: string, words: readonly string[]): boolean {
  return words.every((word) => text.includes(word));
}
