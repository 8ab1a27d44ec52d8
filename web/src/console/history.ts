/** The commands that were typed into a server's console on this device, for arrow up and down. */

const KEPT = 100;

function storageKey(server: string): string {
  return `nodepanel.history.${server}`;
}

export function readHistory(server: string): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(storageKey(server)) ?? '[]');
    return Array.isArray(kept) ? kept.filter((line): line is string => typeof line === 'string') : [];
  } catch {
    return [];
  }
}

/** Adds a command as the newest; the same one is kept once. */
export function remember(server: string, line: string): string[] {
  const history = [...readHistory(server).filter((known) => known !== line), line].slice(-KEPT);
  try {
    localStorage.setItem(storageKey(server), JSON.stringify(history));
  } catch {
    // Storage is full or forbidden: the history then lasts as long as the page.
  }
  return history;
}
