/**
 * A table that scrolls within itself when the screen is narrow, by keyboard too. One that `stacks` shows its rows as blocks on
 * a phone, where the cells' `data-label` stands in for the head.
 */
import type { ReactNode } from 'react';

export function TableBox({ label, short = false, stacks = false, children }: { label: string; short?: boolean; stacks?: boolean; children: ReactNode }) {
  return (
    // What scrolls must be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={short ? 'table-box short' : 'table-box'} role="region" aria-label={label} tabIndex={0}>
      <table className={stacks ? 'plain-table stacks' : 'plain-table'}>{children}</table>
    </div>
  );
}
