/** What the server may use. For those who may change limits. */
import type { ServerView } from '../../../api/types';
import { useDraft } from '../../../ui/draft';
import { LimitFields, limitTexts, readLimits, type LimitTexts } from '../../create/limit_fields';
import { SettingsForm, useSave } from './save';

export function LimitSettings({ server }: { server: ServerView }) {
  const [draft, change, clear] = useDraft<{ texts: LimitTexts | null }>(`settings.limits.${server.id}`, { texts: null });
  const act = useSave(server, draft, clear);
  const saved = limitTexts(server.limits);
  const texts = draft.texts ?? saved;
  return (
    <SettingsForm
      title="Limits"
      act={act}
      changed={JSON.stringify(texts) !== JSON.stringify(saved)}
      mayChange={server.permissions.includes('server.limits')}
      shown={['limits.memory_mib', 'limits.cpu_percent', 'limits.pids', 'limits.disk_mib']}
      onDiscard={() => clear()}
      onSubmit={() => act.run({ limits: readLimits(texts), generation: server.generation })}
    >
      <LimitFields texts={texts} onChange={(next) => change({ texts: next })} fieldError={act.fieldError} />
    </SettingsForm>
  );
}
