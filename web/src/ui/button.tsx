/**
 * The panel's button. A button that cannot be used now stays in the tab order and says why; a busy one ignores clicks
 * and says what it waits for.
 */
import { useId, type ButtonHTMLAttributes, type ReactNode } from 'react';

import type { Progress } from '../api/transport';
import { BusyIcon } from './icons';
import { Tip } from './tip';

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  look?: 'primary' | 'plain' | 'quiet' | 'danger';
  icon?: ReactNode;
  /** Why it cannot be used now. */
  disabledReason?: string | null;
  /** What it does at the moment; `null` when idle. */
  progress?: Progress | null;
  /** Shows only the icon; `children` stays the name. */
  compact?: boolean;
}

const WAITING: Record<Progress, string | null> = {
  sending: null,
  waiting: 'NodePanel does not answer; this is sent as soon as it does.',
  'finding-out': 'The connection broke, so it is not certain that this arrived. Finding out.',
};

export function Button({ look = 'plain', icon, disabledReason = null, progress = null, compact = false, children, onClick, className, ...rest }: ButtonProps) {
  const describedBy = useId();
  const words = disabledReason ?? (progress === null ? null : WAITING[progress]);
  const off = disabledReason !== null || progress !== null;
  const button = (
    <button
      type="button"
      {...rest}
      className={['button', className].filter(Boolean).join(' ')}
      data-look={look}
      data-compact={compact || undefined}
      aria-disabled={off || undefined}
      aria-busy={progress !== null || undefined}
      aria-describedby={words === null ? rest['aria-describedby'] : describedBy}
      onClick={(event) => {
        if (off) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {progress === null ? icon : <span className="spin"><BusyIcon /></span>}
      <span className={compact ? 'visually-hidden' : undefined}>{children}</span>
      {words !== null && (
        <span id={describedBy} hidden>
          {words}
        </span>
      )}
    </button>
  );
  return <Tip text={words ?? (compact && typeof children === 'string' ? children : null)}>{button}</Tip>;
}
