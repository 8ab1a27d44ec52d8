/** Where the server runs, for whom, and what it may use. */
import { useQuery } from '@tanstack/react-query';

import type { TemplateView } from '../../api/types';
import { queries } from '../../live/cache';
import { useMay } from '../../shell/session';
import { SelectField, TextField } from '../../ui/field';
import { bytes } from '../../ui/format';
import { limitsOf, type Draft } from './draft';
import { LimitFields } from './limit_fields';

export interface StepProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  template: TemplateView;
  fieldError: (field: string) => string | null;
}

export function PlaceStep({ draft, change, template, fieldError }: StepProps) {
  const maySeeNodes = useMay('node.view');
  const maySeeUsers = useMay('user.manage');
  const nodes = useQuery({ ...queries.nodes, enabled: maySeeNodes });
  const users = useQuery({ ...queries.users, enabled: maySeeUsers });
  return (
    <>
      {maySeeNodes && (
        <SelectField label="Node" help="The machine that runs it." error={fieldError('node')} value={draft.node} onChange={(event) => change({ node: event.target.value })}>
          <option value="">The one with the most free memory</option>
          {nodes.data?.items.map(({ id, name, presence, usage }) => (
            <option key={id} value={id} disabled={presence.state === 'pending'}>
              {name}
              {presence.state === 'online' && usage !== null && ` (${bytes(usage.memory_total_bytes - usage.memory_used_bytes)} free)`}
              {presence.state === 'unreachable' && ' (does not answer now)'}
              {presence.state === 'pending' && ' (has not joined yet)'}
            </option>
          ))}
        </SelectField>
      )}
      {maySeeUsers && (
        <SelectField label="Owner" error={fieldError('owner')} value={draft.owner} onChange={(event) => change({ owner: event.target.value })}>
          <option value="">Me</option>
          {users.data?.items.map(({ id, email }) => (
            <option key={id} value={id}>
              {email}
            </option>
          ))}
        </SelectField>
      )}
      <LimitFields texts={limitsOf(draft, template)} onChange={(limits) => change({ limits })} fieldError={fieldError} />
      {template.ports.length > 0 && (
        <div className="form-row">
          {template.ports.map((port) => (
            <TextField
              key={port}
              label={`Port “${port}”`}
              help="Empty: the next free one of the node."
              type="number"
              min={1024}
              max={65535}
              placeholder="Chosen for you"
              value={draft.ports[port] ?? ''}
              error={fieldError(`ports.${port}`)}
              onChange={(event) => change({ ports: { ...draft.ports, [port]: event.target.value } })}
            />
          ))}
        </div>
      )}
    </>
  );
}
