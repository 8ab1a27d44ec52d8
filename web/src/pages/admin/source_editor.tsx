/**
 * A plain text editor with line numbers. When the API says "line 3, column 1", a click takes the person there. A heavier
 * editor would inject styles, which the content security policy forbids.
 */
import { useId, useRef } from 'react';

import { ProblemError, fieldErrors } from '../../api/problem';
import { Button } from '../../ui/button';

interface SourceEditorProps {
  label: string;
  source: string;
  error: unknown;
  onChange: (source: string) => void;
}

export function SourceEditor({ label, source, error, onChange }: SourceEditorProps) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const lines = source.split('\n').length;
  const errors = error instanceof ProblemError ? fieldErrors(error.problem).filter(({ field }) => field.startsWith('source')) : [];

  const goTo = (line: number, column: number): void => {
    if (area.current === null) return;
    const at = offset(source, line, column);
    area.current.focus();
    area.current.setSelectionRange(at, !source.includes('\n', at) ? source.length : source.indexOf('\n', at));
    area.current.scrollTop = (line - 5) * Number.parseFloat(getComputedStyle(area.current).lineHeight);
  };

  return (
    <div className="field source-editor" data-invalid={errors.length > 0 || undefined}>
      <label htmlFor={id}>{label}</label>
      <div className="source-box">
        <pre aria-hidden="true">{Array.from({ length: lines }, (_, index) => index + 1).join('\n')}</pre>
        <textarea
          id={id}
          ref={area}
          className="mono"
          rows={Math.max(lines, 12)}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          aria-invalid={errors.length > 0 || undefined}
          aria-describedby={errors.length > 0 ? `${id}-errors` : undefined}
          value={source}
          onChange={(event) => onChange(event.target.value)}
        />
      </div>
      <div id={`${id}-errors`} role="alert">
        <ul className="source-errors">
        {errors.map(({ field, message }) => {
          const place = position(message);
          return (
            <li key={field + message} className="error">
              {message}
              {place !== null && (
                <Button look="quiet" onClick={() => goTo(place.line, place.column)}>
                  {`Go to line ${place.line}`}
                </Button>
              )}
            </li>
          );
        })}
        </ul>
      </div>
    </div>
  );
}

/** Finds "line 3, column 1" in a message. */
function position(message: string): { line: number; column: number } | null {
  const match = /line (\d+)(?:, column (\d+))?/i.exec(message);
  return match === null ? null : { line: Number(match[1]), column: Number(match[2] ?? 1) };
}

function offset(source: string, line: number, column: number): number {
  const before = source.split('\n').slice(0, line - 1);
  return Math.min(source.length, before.reduce((sum, text) => sum + text.length + 1, 0) + column - 1);
}
