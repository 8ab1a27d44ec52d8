/** Light or dark: the system's choice unless the person chose otherwise on this device. */
import { Cell } from '../api/cell';

export type Theme = 'system' | 'light' | 'dark';

const STORAGE = 'nodepanel.theme';
const system = window.matchMedia('(prefers-color-scheme: dark)');

export const theme = new Cell<Theme>(read());
/** What is on screen; charts and the terminal draw their own colours by it. */
export const effectiveTheme = new Cell<'light' | 'dark'>('light');

export function applyTheme(): void {
  const dark = theme.get() === 'dark' || (theme.get() === 'system' && system.matches);
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
  effectiveTheme.set(dark ? 'dark' : 'light');
}

export function chooseTheme(choice: Theme): void {
  theme.set(choice);
  localStorage.setItem(STORAGE, choice);
  applyTheme();
}

system.addEventListener('change', applyTheme);

function read(): Theme {
  const kept = localStorage.getItem(STORAGE);
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}
