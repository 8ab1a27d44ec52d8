/** How crashes are answered. Every figure is a delay; NodePanel never gives up. */
import type { ServerView } from '../../../api/types';
import { useDraft } from '../../../ui/draft';
import { TextField } from '../../../ui/field';
import { SettingsForm, useSave } from './save';

const FIELDS = [
  { key: 'first_delay_ms', label: 'First restart after', help: 'Each crash in a row doubles the wait. After a healthy run it is at once.' },
  { key: 'max_delay_ms', label: 'Longest wait', help: 'It is tried again at this pace for as long as it takes.' },
  { key: 'healthy_after_ms', label: 'Healthy after', help: 'A run of this length forgets the crashes before it.' },
] as const;

type Key = (typeof FIELDS)[number]['key'];

export function CrashSettings({ server }: { server: ServerView }) {
  const [draft, change, clear] = useDraft<Partial<Record<Key, string>>>(`settings.crash.${server.id}`, {});
  const act = useSave(server, draft, clear);
  const seconds = (key: Key): string => draft[key] ?? String(server.crash[key] / 1_000);
  const milliseconds = (key: Key): number => Math.round(Number(seconds(key)) * 1_000);
  return (
    <SettingsForm
      title="After a crash"
      act={act}
      changed={FIELDS.some(({ key }) => milliseconds(key) !== server.crash[key])}
      mayChange={server.permissions.includes('server.settings')}
      shown={FIELDS.map(({ key }) => `crash.${key}`)}
      onDiscard={() => clear()}
      onSubmit={() =>
        act.run({
          crash: {
            first_delay_ms: milliseconds('first_delay_ms'),
            max_delay_ms: milliseconds('max_delay_ms'),
            healthy_after_ms: milliseconds('healthy_after_ms'),
          },
          generation: server.generation,
        })
      }
    >
      <div className="form-row">
        {FIELDS.map(({ key, label, help }) => (
          <TextField
            key={key}
            label={label}
            help={help}
            suffix="seconds"
            type="number"
            min={0}
            step="any"
            required
            value={seconds(key)}
            error={act.fieldError(`crash.${key}`)}
            onChange={(event) => change({ [key]: event.target.value })}
          />
        ))}
      </div>
    </SettingsForm>
  );
}
