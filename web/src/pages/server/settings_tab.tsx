/** A server's settings, in the order of how often they are changed; what destroys is last. */
import { useMay } from '../../shell/session';
import { CrashSettings } from './settings/crash';
import { DangerSettings } from './settings/danger';
import { GeneralSettings } from './settings/general';
import { LimitSettings } from './settings/limits';
import { useServer } from './page';

export function SettingsTab() {
  const server = useServer();
  const mayLimits = useMay('server.limits') || server.permissions.includes('server.limits');
  const maySettings = server.permissions.includes('server.settings');
  return (
    <>
      {!maySettings && <p className="hint">You may look at these settings, but not change them.</p>}
      <GeneralSettings key={`general ${server.id}`} server={server} />
      {mayLimits && <LimitSettings key={`limits ${server.id}`} server={server} />}
      <CrashSettings key={`crash ${server.id}`} server={server} />
      <DangerSettings server={server} />
    </>
  );
}
