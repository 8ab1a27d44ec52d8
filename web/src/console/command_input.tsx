/**
 * The input of a command, a combobox: arrow up and down walk through the history while nothing is typed, and through the
 * suggestions while something is; Tab takes the nearest suggestion, Escape puts them away. Enter sends only what is in the
 * input, so that nothing is sent that was not read.
 */
import { useId, useRef, useState, type KeyboardEvent } from 'react';

import { suggest } from './completion';

/** The API's limit for a command. */
const MAX_LENGTH = 2_048;

interface CommandInputProps {
  line: string;
  disabledReason: string | null;
  /** Oldest first. */
  history: readonly string[];
  completions: readonly string[];
  onChange: (line: string) => void;
}

export function CommandInput({ line, disabledReason, history, completions, onChange }: CommandInputProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  /** The place in the history that the line came from. */
  const [place, setPlace] = useState<number | null>(null);
  const [wanted, setWanted] = useState(false);
  const [active, setActive] = useState<number | null>(null);

  const offered = wanted && disabledReason === null ? suggest(line, history, completions) : [];
  const open = offered.length > 0;

  const close = (): void => {
    setWanted(false);
    setActive(null);
  };
  const take = (suggestion: string): void => {
    setPlace(null);
    close();
    onChange(suggestion);
    input.current?.focus();
  };
  const recall = (step: -1 | 1): void => {
    const to = (place ?? history.length) + step;
    if (to < 0 || to > history.length) return;
    setPlace(to === history.length ? null : to);
    close();
    onChange(history[to] ?? '');
  };
  const walk = (step: -1 | 1): void => {
    const to = (active ?? offered.length) + step;
    setActive(to < 0 ? 0 : to >= offered.length ? null : to);
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const chosen = active === null ? undefined : offered[active];
    switch (event.key) {
      case 'ArrowUp':
      case 'ArrowDown':
        event.preventDefault();
        if (open) walk(event.key === 'ArrowUp' ? -1 : 1);
        else recall(event.key === 'ArrowUp' ? -1 : 1);
        break;
      case 'Tab': {
        const nearest = chosen ?? offered.at(-1);
        if (nearest === undefined || event.shiftKey) break;
        event.preventDefault();
        take(nearest);
        break;
      }
      case 'Enter':
        if (chosen === undefined) break;
        event.preventDefault();
        take(chosen);
        break;
      case 'Escape':
        if (!open) break;
        event.preventDefault();
        close();
        break;
    }
  };

  return (
    <div className="command-input">
      <input
        ref={input}
        className="mono"
        role="combobox"
        aria-label="Command"
        aria-autocomplete="list"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-activedescendant={active === null || !open ? undefined : `${id}-${active}`}
        placeholder={disabledReason ?? 'Type a command; Tab completes it, arrow up brings the last ones back'}
        value={line}
        maxLength={MAX_LENGTH}
        readOnly={disabledReason !== null}
        autoCapitalize="off"
        autoComplete="off"
        autoCorrect="off"
        spellCheck={false}
        enterKeyHint="send"
        onChange={(event) => {
          setPlace(null);
          setActive(null);
          setWanted(true);
          onChange(event.target.value);
        }}
        onBlur={close}
        onKeyDown={onKeyDown}
      />
      <div className="completions" id={`${id}-list`} role="listbox" aria-label="Suggestions" hidden={!open}>
        {offered.map((suggestion, index) => (
          <div
            key={suggestion}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            // Before the input loses the focus, and so closes the list.
            onPointerDown={(event) => {
              event.preventDefault();
              take(suggestion);
            }}
          >
            <b>{suggestion.slice(0, line.length)}</b>
            {suggestion.slice(line.length)}
          </div>
        ))}
      </div>
    </div>
  );
}
