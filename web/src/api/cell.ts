/**
 * A value that tells its readers when it changes: what `useSyncExternalStore` wants, for state that lives outside of
 * React because the transport writes it. Holds one value; does not batch, derive or persist.
 */
import { useSyncExternalStore } from 'react';

export class Cell<T> {
  readonly #readers = new Set<() => void>();
  #value: T;

  constructor(initial: T) {
    this.#value = initial;
  }

  readonly get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const reader of [...this.#readers]) reader();
  }

  readonly subscribe = (reader: () => void): (() => void) => {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  };
}

/** Reads a cell in a component. */
export function useCell<T>(cell: Cell<T>): T {
  return useSyncExternalStore(cell.subscribe, cell.get);
}
