/** The input for one variable of a template. */
import { useState } from 'react';

import type { VariableView } from '../../api/types';
import { Button } from '../../ui/button';
import { SelectField, TextField } from '../../ui/field';

interface VariableFieldProps {
  variable: VariableView;
  value: string;
  error: string | null;
  onChange: (value: string) => void;
}

export function VariableField({ variable, value, error, onChange }: VariableFieldProps) {
  const [shown, setShown] = useState(false);
  const shared = { label: variable.label || variable.key, help: variable.help, error, required: variable.required, value };
  if (variable.options.length > 0) {
    return (
      <SelectField {...shared} onChange={(event) => onChange(event.target.value)}>
        {!variable.required && <option value="" />}
        {variable.options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </SelectField>
    );
  }
  if (!variable.secret) return <TextField {...shared} autoComplete="off" onChange={(event) => onChange(event.target.value)} />;
  return (
    <div className="secret">
      <TextField {...shared} type={shown ? 'text' : 'password'} autoComplete="off" onChange={(event) => onChange(event.target.value)} />
      <Button look="quiet" aria-pressed={shown} onClick={() => setShown(!shown)}>
        Show
      </Button>
    </div>
  );
}
