/** When the proofs of recovery are renewed: the maintenance window, what goes on in it, and how it went the last time. */
import type { Renewal } from '../../api/types';
import { clock, withLocalTimes } from '../../ui/format';
import { useNow } from '../../ui/now';

export function RenewalWords({ renewal }: { renewal: Renewal }) {
  const now = useNow();
  const { window, next_at, until, renewing, waits_for, last } = renewal;
  return (
    <p className="muted" role="status">
      {window === null ? (
        <>
          Proofs are renewed by hand only: <code>nodepanel proofs renew</code>, or set a maintenance window (<code>proofs.window</code>) in
          nodepanel.toml.
        </>
      ) : until !== null ? (
        `Proofs are renewed now, until ${clock(until, now)} (${window} UTC).`
      ) : (
        `Proofs are renewed in the maintenance window ${window} UTC${next_at === null ? '' : `, next at ${clock(next_at, now)}`}.`
      )}{' '}
      {renewing !== null ? `${renewing} was ended for it and is on its way back. ` : waits_for !== null && `The next one waits: ${withLocalTimes(waits_for, now)} `}
      {last !== null && `The last time, at ${clock(last.at, now)}, ${last.component} ${withLocalTimes(last.text, now)}.`}
    </p>
  );
}
