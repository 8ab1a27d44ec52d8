/** Labelled inputs with their help and their error. The error is announced and tied to the input. */
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes } from 'react';

interface FieldProps {
  label: string;
  help?: ReactNode;
  error?: string | null;
}

interface Parts {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': true | undefined;
}

function Field({ label, help, error = null, required, children }: FieldProps & { required?: boolean | undefined; children: (parts: Parts) => ReactNode }) {
  const id = useId();
  const described = [help !== undefined && help !== '' ? `${id}-help` : '', error === null ? '' : `${id}-error`].filter(Boolean).join(' ');
  return (
    <div className="field" data-invalid={error !== null || undefined}>
      <label htmlFor={id}>
        {label}
        {required === false && <span className="muted"> (optional)</span>}
      </label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error === null ? undefined : true })}
      {help !== undefined && help !== '' && (
        <p className="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {error !== null && (
        <p className="error" id={`${id}-error`} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

export function TextField({ label, help, error, suffix, ...input }: FieldProps & { suffix?: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Field label={label} help={help} error={error ?? null} required={input.required}>
      {(parts) =>
        suffix === undefined ? (
          <input {...input} {...parts} />
        ) : (
          <span className="with-suffix">
            <input {...input} {...parts} />
            <span className="muted">{suffix}</span>
          </span>
        )
      }
    </Field>
  );
}

export function SelectField({ label, help, error, children, ...select }: FieldProps & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Field label={label} help={help} error={error ?? null} required={select.required}>
      {(parts) => (
        <select {...select} {...parts}>
          {children}
        </select>
      )}
    </Field>
  );
}

export function TextArea({ label, help, error, ...area }: FieldProps & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field label={label} help={help} error={error ?? null} required={area.required}>
      {(parts) => <textarea {...area} {...parts} />}
    </Field>
  );
}

export function Checkbox({ label, help, ...input }: { label: string; help?: string } & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <div className="checkbox">
      <input type="checkbox" id={id} aria-describedby={help ? `${id}-help` : undefined} {...input} />
      <label htmlFor={id}>{label}</label>
      {help !== undefined && (
        <p className="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}
