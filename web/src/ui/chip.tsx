/** A word with an icon in a tone; the colour only repeats what they say. */
import type { ReactElement, ReactNode } from 'react';

export interface Mark {
  word: string;
  tone: string;
  icon: () => ReactElement;
}

export function Chip({ mark: { word, tone, icon: Icon }, busy = false, children }: { mark: Mark; busy?: boolean; children?: ReactNode }) {
  return (
    <span className="chip" data-tone={tone}>
      <span className={busy ? 'spin' : undefined}>
        <Icon />
      </span>
      {word}
      {children}
    </span>
  );
}
