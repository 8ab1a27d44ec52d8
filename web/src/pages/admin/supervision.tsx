/** Who starts each process again when it ends, and when that was last seen to work: nothing unsupervised or unproven. */
import type { Component } from '../../api/types';
import { ago, clock, millis } from '../../ui/format';
import { AlertIcon, CheckIcon } from '../../ui/icons';
import { useNow } from '../../ui/now';
import { TableBox } from '../../ui/table_box';

type Supervision = Component['supervision'];

const RESTARTERS: Record<NonNullable<Supervision['restarted_by']>, string> = {
  systemd: 'systemd',
  keeper: 'the keeper',
  supervisor: 'the supervisor',
  agent: 'the agent',
  nobody: 'nobody',
  unknown: 'not known',
};

const OCCASIONS: Record<NonNullable<Supervision['proof']>['occasion'], string> = {
  fault: 'a fault',
  drill: 'a drill',
  planned: 'a planned restart',
  boot: 'a boot of the machine',
};

export function SupervisionSection({ components }: { components: readonly Component[] }) {
  const now = useNow();
  const doubts = components.flatMap(({ supervision }) => supervision.doubts);
  return (
    <>
      <h2>What starts them again</h2>
      <section aria-label="What is not certain" className="warnings">
        {doubts.length === 0 ? (
          <p className="warning" data-tone="good">
            <CheckIcon /> Each is started again by somebody, also after a boot, and was lately seen to come back.
          </p>
        ) : (
          doubts.map((doubt) => (
            <p key={doubt} className="warning" data-tone="warn">
              <AlertIcon />
              <span>{doubt}</span>
            </p>
          ))
        )}
      </section>
      <TableBox label="What starts them again" stacks>
        <thead>
          <tr>
            <th>Name</th>
            <th>Started again by</th>
            <th>At boot</th>
            <th className="number">Last seen to come back</th>
            <th className="number">Took</th>
            <th>From what</th>
            <th>Seen by</th>
          </tr>
        </thead>
        <tbody>
          {components.map(({ name, supervision: { restarted_by, at_boot, proof } }) => (
            <tr key={name}>
              <td>
                <strong>{name}</strong>
              </td>
              <td data-label="Started by">{restarted_by === null ? '–' : RESTARTERS[restarted_by]}</td>
              <td data-label="At boot">{atBoot(at_boot)}</td>
              {proof === null ? (
                <>
                  <td className="number" data-label="Came back">
                    never seen
                  </td>
                  <td colSpan={3} />
                </>
              ) : (
                <>
                  <td className="number" data-label="Came back" title={clock(proof.at, now)}>
                    {ago(proof.at, now)}
                  </td>
                  <td className="number" data-label="Took">
                    {millis(proof.took_ms)}
                  </td>
                  <td data-label="From what">
                    {OCCASIONS[proof.occasion]}
                    <p className="muted small">It {proof.why}.</p>
                  </td>
                  <td data-label="Seen by">the {proof.observed_by}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </TableBox>
    </>
  );
}

function atBoot(at_boot: Supervision['at_boot']): string {
  switch (at_boot?.kind) {
    case 'enabled':
      return 'yes';
    case 'disabled':
      return 'no: its unit is not enabled';
    case 'by_hand':
      return 'no: started by hand';
    case 'unknown':
    case undefined:
      return 'not known';
  }
}
