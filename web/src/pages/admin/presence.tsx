/** Whether a node answers, as an icon and a word. */
import type { NodeView } from '../../api/types';
import { RunningIcon, StoppedIcon, UnknownIcon } from '../../ui/icons';

export function PresenceChip({ presence }: { presence: NodeView['presence'] }) {
  switch (presence.state) {
    case 'online':
      return (
        <span className="chip" data-tone="good">
          <RunningIcon /> Online
        </span>
      );
    case 'unreachable':
      return (
        <span className="chip" data-tone="warn">
          <UnknownIcon /> Unreachable
        </span>
      );
    case 'pending':
      return (
        <span className="chip" data-tone="idle">
          <StoppedIcon /> Has not joined
        </span>
      );
  }
}
