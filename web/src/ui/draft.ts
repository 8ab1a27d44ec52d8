/**
 * A form's contents, kept in the tab's storage so that a reload or a crash of the browser's tab loses nothing. The
 * draft goes when its form succeeded, and with the tab. Passwords never belong in a draft.
 */
import { useCallback, useEffect, useRef, useState } from 'react';

const PREFIX = 'nodepanel.draft.';

/**
 * What the draft is; what changes a part of it; and what forgets it. When something was `sent`, only that is forgotten:
 * a write may take as long as an outage does, and what was typed meanwhile is not in it.
 */
export function useDraft<T extends object>(name: string, initial: T): [T, (change: Partial<T>) => void, (sent?: T) => void] {
  const [empty] = useState(initial);
  const [value, setValue] = useState<T>(() => ({ ...initial, ...read(name) }));
  const [touched, setTouched] = useState(false);
  const latest = useRef(value);

  useEffect(() => {
    latest.current = value;
    if (touched) keep(name, value, empty);
  }, [name, value, touched, empty]);

  const change = useCallback((part: Partial<T>) => {
    setTouched(true);
    setValue((old) => ({ ...old, ...part }));
  }, []);
  const clear = useCallback(
    (sent?: T) => {
      const left = sent === undefined ? empty : remaining(latest.current, sent, empty);
      setValue(left);
      // At once: the page may be left before it is drawn again.
      keep(name, left, empty);
    },
    [name, empty],
  );
  return [value, change, clear];
}

function keep<T extends object>(name: string, value: T, empty: T): void {
  if (same(value, empty)) {
    sessionStorage.removeItem(PREFIX + name);
    return;
  }
  try {
    sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the form still works, it only does not survive a reload.
  }
}

/** What a draft still holds once `sent` has been taken: fields that were changed since stay as they are. */
export function remaining<T extends object>(now: T, sent: T, empty: T): T {
  const [fields, taken, initial] = [now, sent, empty].map((draft) => new Map<string, unknown>(Object.entries(draft))) as [Fields, Fields, Fields];
  const left = [...fields].flatMap(([key, value]): [string, unknown][] => {
    const [before, without] = [taken.get(key), initial.get(key)];
    if (same(value, before)) return initial.has(key) ? [[key, without]] : [];
    return [[key, isRecord(value) && isRecord(before) ? remaining(value, before, isRecord(without) ? without : {}) : value]];
  });
  return Object.fromEntries(left) as T;
}

type Fields = Map<string, unknown>;

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether there is something half filled under this name. */
export function hasDraft(name: string): boolean {
  return sessionStorage.getItem(PREFIX + name) !== null;
}

export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
}

function read(name: string): object {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(PREFIX + name) ?? '{}');
    return typeof kept === 'object' && kept !== null ? kept : {};
  } catch {
    return {};
  }
}
