/** Who is signed in, for every page within the shell. */
import { createContext, useContext } from 'react';

import type { Permission, SessionView } from '../api/types';

export const SessionContext = createContext<SessionView | null>(null);

export function useSession(): SessionView {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('useSession is for pages within the shell.');
  return session;
}

/** Whether the person holds a permission on the whole installation. */
export function useMay(permission: Permission): boolean {
  return useSession().permissions.includes(permission);
}
