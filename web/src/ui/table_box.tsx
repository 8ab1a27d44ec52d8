/** A table that scrolls within itself when the screen is narrow, by keyboard too. */
import type { ReactNode } from 'react';

export function TableBox({ label, short = false, children }: { label: string; short?: boolean; children: ReactNode }) {
  return (
    // What scrolls must be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={short ? 'table-box short' : 'table-box'} role="region" aria-label={label} tabIndex={0}>
      <table className="plain-table">{children}</table>
    </div>
  );
}
