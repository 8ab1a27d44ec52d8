/** Opens the palette by click or Ctrl-K; its code loads with the first use. */
import { Suspense, lazy, useEffect, useState } from 'react';

import type { SessionView } from '../api/types';
import { SearchIcon } from '../ui/icons';

const Palette = lazy(() => import('./palette').then((module) => ({ default: module.Palette })));

export function PaletteButton({ session }: { session: SessionView }) {
  const [open, setOpen] = useState(false);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      setOpen((was) => !was);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);

  return (
    <>
      <button type="button" className="button palette-button" onClick={() => setOpen(true)} aria-keyshortcuts="Control+K Meta+K">
        <SearchIcon />
        <span>Find</span>
        <kbd className="wide-only">Ctrl K</kbd>
      </button>
      {open && (
        <Suspense fallback={null}>
          <Palette session={session} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
