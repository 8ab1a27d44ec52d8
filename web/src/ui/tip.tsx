/** A word of explanation on hover and focus, which is also the accessible description of what it is about. */
import type { ReactElement } from 'react';
import { Focusable, Tooltip, TooltipTrigger } from 'react-aria-components';

export function Tip({ text, children }: { text: string | null; children: ReactElement<React.HTMLAttributes<HTMLElement>> }) {
  // Always the same tree: what it is about must not lose the focus when a reason comes or goes.
  return (
    <TooltipTrigger delay={300} closeDelay={100} isDisabled={text === null}>
      <Focusable>{children as React.ComponentProps<typeof Focusable>['children']}</Focusable>
      <Tooltip className="tip" offset={6}>
        {text}
      </Tooltip>
    </TooltipTrigger>
  );
}
