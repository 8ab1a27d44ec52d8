/** A text that one click copies. */
import { useEffect, useState } from 'react';

import { CheckIcon, CopyIcon } from './icons';

export function Copy({ text, what, shown = text }: { text: string; what: string; shown?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      className="copy"
      aria-label={copied ? `Copied ${what}` : `Copy ${what} ${text}`}
      onClick={(event) => {
        event.preventDefault();
        event.stopPropagation();
        void copyText(text).then(setCopied);
      }}
    >
      <span className="mono">{shown}</span>
      {copied ? <CheckIcon /> : <CopyIcon />}
    </button>
  );
}

/** Copies also on plain http, where the clipboard API does not exist. */
export async function copyText(text: string): Promise<boolean> {
  // The type says that it always exists; on plain http it does not.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard !== undefined) {
    try {
      await clipboard.writeText(text);
      return true;
    } catch {
      // Refused: fall through to the old way.
    }
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  document.body.append(area);
  area.select();
  // Deprecated, and the only way on an origin without TLS.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const done = document.execCommand('copy');
  area.remove();
  return done;
}
