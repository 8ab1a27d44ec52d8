/** Limits as a person types them: empty means "no limit". */
import type { Limits } from '../../api/types';
import { TextField } from '../../ui/field';

const FIELDS = [
  { key: 'memory_mib', label: 'Memory', suffix: 'MiB', min: 16, max: 16_777_216, help: 'The server is ended when it needs more.' },
  { key: 'cpu_percent', label: 'CPU', suffix: '%', min: 1, max: 100_000, help: '100 is one core, 150 one and a half.' },
  { key: 'disk_mib', label: 'Disk', suffix: 'MiB', min: 1, max: 4_294_967_295, help: 'Reported, and enforced where the file system can.' },
  { key: 'pids', label: 'Processes and threads', suffix: '', min: 4, max: 1_000_000, help: '' },
] as const;

export type LimitTexts = Record<(typeof FIELDS)[number]['key'], string>;

export function limitTexts(limits: Limits): LimitTexts {
  const text = (value: number | null | undefined): string => (value == null ? '' : String(value));
  return { memory_mib: text(limits.memory_mib), cpu_percent: text(limits.cpu_percent), disk_mib: text(limits.disk_mib), pids: text(limits.pids) };
}

export function readLimits(texts: LimitTexts): Limits {
  const value = (text: string): number | null => (text.trim() === '' ? null : Number(text));
  return { memory_mib: value(texts.memory_mib), cpu_percent: value(texts.cpu_percent), disk_mib: value(texts.disk_mib), pids: value(texts.pids) };
}

interface LimitFieldsProps {
  texts: LimitTexts;
  onChange: (texts: LimitTexts) => void;
  fieldError: (field: string) => string | null;
}

export function LimitFields({ texts, onChange, fieldError }: LimitFieldsProps) {
  return (
    <div className="form-row">
      {FIELDS.map(({ key, label, suffix, min, max, help }) => (
        <TextField
          key={key}
          label={label}
          help={help}
          suffix={suffix}
          type="number"
          min={min}
          max={max}
          step={1}
          placeholder="No limit"
          value={texts[key]}
          error={fieldError(`limits.${key}`)}
          onChange={(event) => onChange({ ...texts, [key]: event.target.value })}
        />
      ))}
    </div>
  );
}
