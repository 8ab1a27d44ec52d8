/**
 * Lists to their end. The API gives parts; a page that shows only the first of them would hide things without a word. What
 * changes while the parts arrive is not lost: the newer of two views of one thing wins.
 */
import type { Page } from '../api/types';

export interface WholeList<T> {
  items: T[];
  /** How many there are; more than `items` only while the rest is on its way. */
  total: number;
}

/** Fetches part after part. `onPart` hears what is there so far, except for the last part. */
export async function wholeList<T>(
  fetchPart: (after: string | null) => Promise<Page<T>>,
  onPart?: (soFar: WholeList<T>) => void,
): Promise<WholeList<T>> {
  const items: T[] = [];
  let after: string | null = null;
  for (;;) {
    const page: Page<T> = await fetchPart(after);
    items.push(...page.items);
    after = page.next;
    if (after === null) return { items, total: items.length };
    onPart?.({ items: [...items], total: Math.max(page.total, items.length) });
  }
}

/** Notes what events say while a list is fetched. */
export class Meanwhile<T extends { id: string }> {
  readonly #changed = new Map<string, T>();
  readonly #removed = new Set<string>();

  put(item: T): void {
    this.#removed.delete(item.id);
    this.#changed.set(item.id, item);
  }

  remove(id: string): void {
    this.#changed.delete(id);
    this.#removed.add(id);
  }

  /** The list with what happened while it was fetched; `isOlder(a, b)` says whether `a` is the older view. */
  applyTo(list: WholeList<T>, isOlder: (a: T, b: T) => boolean): WholeList<T> {
    if (this.#changed.size === 0 && this.#removed.size === 0) return list;
    const missing = new Map(this.#changed);
    const items = list.items.flatMap((item) => {
      missing.delete(item.id);
      if (this.#removed.has(item.id)) return [];
      const newer = this.#changed.get(item.id);
      return [newer !== undefined && !isOlder(newer, item) ? newer : item];
    });
    items.push(...missing.values());
    return { items, total: list.total + items.length - list.items.length };
  }
}
