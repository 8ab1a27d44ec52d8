/** The first administrator, by the one-time link `/setup#token=…`. The token stays out of the server's logs. */
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import * as api from '../api/endpoints';
import { useAct } from '../ui/act';
import { Button } from '../ui/button';
import { useDraft } from '../ui/draft';
import { Failure } from '../ui/failure';
import { TextField } from '../ui/field';
import { enter } from './sign_in';

const SHORTEST_PASSWORD = 10;

export function SetupPage() {
  const navigate = useNavigate();
  const [token] = useState(() => new URLSearchParams(window.location.hash.slice(1)).get('token') ?? '');
  const [form, change, clear] = useDraft('setup', { email: '' });
  const [password, setPassword] = useState('');
  const state = useQuery({ queryKey: ['setup'], queryFn: ({ signal }) => api.setup.get(signal), staleTime: 0 });
  const act = useAct((_: null, options) => api.setup.create(token, form.email, password, options), {
    onDone: (session) => {
      clear();
      enter(session);
      void navigate({ to: '/servers', replace: true });
    },
  });

  if (state.data?.needed === false) {
    return (
      <main className="gate">
        <h1>Already set up</h1>
        <p>
          This NodePanel has an administrator. <Link to="/sign-in">Sign in</Link>
        </p>
      </main>
    );
  }
  return (
    <main className="gate">
      <h1>
        <img src="/favicon.svg" alt="" width="28" height="28" /> Set up NodePanel
      </h1>
      <p>Make the account of the first administrator. Everything else can be changed later.</p>
      {token === '' && (
        <p className="hint">
          The link is not complete: it ends with <code>#token=…</code>. Open it as <code>nodepanel up</code> printed it.
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          act.run(null);
        }}
      >
        <TextField label="E-mail" type="email" autoComplete="username" autoFocus required value={form.email} error={act.fieldError('email')} onChange={(event) => change({ email: event.target.value })} />
        <TextField
          label="Password"
          type="password"
          autoComplete="new-password"
          required
          minLength={SHORTEST_PASSWORD}
          help={`At least ${SHORTEST_PASSWORD} characters.`}
          value={password}
          error={act.fieldError('password')}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Failure error={act.error} shown={['email', 'password']} />
        <Button type="submit" look="primary" progress={act.progress}>
          Make the account
        </Button>
      </form>
    </main>
  );
}
