/** Signing in. Keeps the address for the way back, and says why the person is here. */
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { useState } from 'react';

import { sessionEnded } from '../api/client';
import * as api from '../api/endpoints';
import type { SessionView } from '../api/types';
import { forgetEverything, queries, queryClient } from '../live/cache';
import { useAct } from '../ui/act';
import { Button } from '../ui/button';
import { forgetDrafts } from '../ui/draft';
import { Failure } from '../ui/failure';
import { TextField } from '../ui/field';

const route = getRouteApi('/sign-in');

export function SignInPage() {
  const { next, why } = route.useSearch();
  const router = useRouter();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const setup = useQuery({ queryKey: ['setup'], queryFn: ({ signal }) => api.setup.get(signal), staleTime: 0 });
  const act = useAct(
    (input: { email: string; password: string }, options) => api.session.signIn(input.email, input.password, options),
    {
      onDone: (session) => {
        enter(session);
        router.history.replace(next ?? '/servers');
      },
    },
  );

  return (
    <main className="gate">
      <h1>
        <img src="/favicon.svg" alt="" width="28" height="28" /> Sign in to NodePanel
      </h1>
      {why === 'ended' && <p className="hint">Your session has ended. Sign in to go on where you were; what you typed is kept.</p>}
      {setup.data?.needed === true && (
        <p className="hint">
          This NodePanel has no administrator yet. Open the one-time link that <code>nodepanel up</code> printed when it
          started; it leads to the set-up.
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          act.run({ email, password });
        }}
      >
        <TextField label="E-mail" type="email" autoComplete="username" autoFocus required value={email} onChange={(event) => setEmail(event.target.value)} />
        <TextField label="Password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
        <Failure error={act.error} />
        <Button type="submit" look="primary" progress={act.progress}>
          Sign in
        </Button>
      </form>
    </main>
  );
}

/** Takes up a session. Another person's figures and drafts on this tab are forgotten first. */
export function enter(session: SessionView): void {
  const before = queryClient.getQueryData<SessionView>(queries.session.queryKey);
  if (before !== undefined && before.user.id !== session.user.id) {
    forgetEverything();
    forgetDrafts();
  }
  queryClient.setQueryData(queries.session.queryKey, session);
  sessionEnded.set(false);
  void queryClient.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
}
