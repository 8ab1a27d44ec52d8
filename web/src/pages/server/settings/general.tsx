/** The name and the template's variables. */
import { useQuery } from '@tanstack/react-query';

import type { ServerView } from '../../../api/types';
import { queries } from '../../../live/cache';
import { useDraft } from '../../../ui/draft';
import { TextField } from '../../../ui/field';
import { Skeleton } from '../../../ui/loaded';
import { VariableField } from '../../create/variable_field';
import { SettingsForm, useSave } from './save';

interface Draft {
  name: string | null;
  variables: Record<string, string>;
}

const UNCHANGED: Draft = { name: null, variables: {} };

export function GeneralSettings({ server }: { server: ServerView }) {
  const template = useQuery(queries.template(server.template.id));
  // Only what was changed is in the draft, so that somebody else's change of another field shows and stays.
  const [draft, change, clear] = useDraft<Draft>(`settings.general.${server.id}`, UNCHANGED);
  const act = useSave(server, draft, clear);
  const variables = template.data?.variables ?? [];
  const changedVariables = Object.entries(draft.variables).filter(([key, value]) => server.variables[key] !== value);
  const newName = draft.name !== null && draft.name !== server.name ? draft.name : null;

  return (
    <SettingsForm
      title="General"
      act={act}
      changed={newName !== null || changedVariables.length > 0}
      mayChange={server.permissions.includes('server.settings')}
      shown={['name', ...variables.map(({ key }) => `variables.${key}`)]}
      onDiscard={() => clear()}
      onSubmit={() =>
        act.run({
          ...(newName === null ? {} : { name: newName }),
          ...(changedVariables.length === 0 ? {} : { variables: Object.fromEntries(changedVariables) }),
          generation: server.generation,
        })
      }
    >
      <TextField label="Name" required maxLength={64} value={draft.name ?? server.name} error={act.fieldError('name')} onChange={(event) => change({ name: event.target.value })} />
      {template.isPending && <Skeleton what="the template’s variables" rows={1} />}
      {variables.map((variable) => (
        <VariableField
          key={variable.key}
          variable={variable}
          value={draft.variables[variable.key] ?? server.variables[variable.key] ?? variable.default}
          error={act.fieldError(`variables.${variable.key}`)}
          onChange={(value) => change({ variables: { ...draft.variables, [variable.key]: value } })}
        />
      ))}
    </SettingsForm>
  );
}
