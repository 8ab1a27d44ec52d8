/** A word of explanation on hover and focus, which is also the accessible description of what it is about. */
import type { ReactElement } from 'react';
import { Focusable, Tooltip, TooltipTrigger } from 'react-aria-components';

export function Tip({ text, children }: { text: string | null; children: ReactElement<React.HTMLAttributes<HTMLElement>> }) {
  if (text === null) return children;
  return (
    <TooltipTrigger delay={300} closeDelay={100}>
      <Focusable>{children as React.ComponentProps<typeof Focusable>['children']}</Focusable>
      <Tooltip className="tip" offset={6}>
        {text}
      </Tooltip>
    </TooltipTrigger>
  );
}
