/** What it is called, and the game's own options. */
import { Checkbox, TextField } from '../../ui/field';
import type { StepProps } from './place_step';
import { VariableField } from './variable_field';

export function NameStep({ draft, change, template, fieldError }: StepProps) {
  return (
    <>
      <TextField label="Name" required autoFocus maxLength={64} placeholder={`My ${template.name}`} value={draft.name} error={fieldError('name')} onChange={(event) => change({ name: event.target.value })} />
      {template.variables.map((variable) => (
        <VariableField
          key={variable.key}
          variable={variable}
          value={draft.variables[variable.key] ?? variable.default}
          error={fieldError(`variables.${variable.key}`)}
          onChange={(value) => change({ variables: { ...draft.variables, [variable.key]: value } })}
        />
      ))}
      <Checkbox label="Start it as soon as it is installed" checked={draft.start} onChange={(event) => change({ start: event.target.checked })} />
    </>
  );
}
