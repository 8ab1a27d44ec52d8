/**
 * A form's contents, kept in the tab's storage so that a reload or a crash of the browser's tab loses nothing. The
 * draft goes when its form succeeded, and with the tab. Passwords never belong in a draft.
 */
import { useCallback, useEffect, useState } from 'react';

const PREFIX = 'nodepanel.draft.';

export function useDraft<T extends object>(name: string, initial: T): [T, (change: Partial<T>) => void, () => void] {
  const [empty] = useState(initial);
  const [value, setValue] = useState<T>(() => ({ ...initial, ...read(name) }));
  const [touched, setTouched] = useState(false);

  useEffect(() => {
    if (!touched) return;
    try {
      sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
    } catch {
      // Storage is full or forbidden: the form still works, it only does not survive a reload.
    }
  }, [name, value, touched]);

  const change = useCallback((part: Partial<T>) => {
    setTouched(true);
    setValue((old) => ({ ...old, ...part }));
  }, []);
  const clear = useCallback(() => {
    setTouched(false);
    setValue(empty);
    sessionStorage.removeItem(PREFIX + name);
  }, [name, empty]);
  return [value, change, clear];
}

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
