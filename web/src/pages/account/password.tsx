/** Changes one's own password. Passwords are never kept as drafts. */
import { useState } from 'react';

import * as api from '../../api/endpoints';
import { useSession } from '../../shell/session';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Failure } from '../../ui/failure';
import { TextField } from '../../ui/field';
import { notify } from '../../ui/notices';

export function Password() {
  const { user } = useSession();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const act = useAct((_: null, options) => api.session.changePassword(current, next, options), {
    onDone: () => {
      setCurrent('');
      setNext('');
      notify.done('The password is changed. Your sessions on other devices have ended.');
    },
  });
  return (
    <section className="card">
      <h2>Password</h2>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          act.run(null);
        }}
      >
        {/* Password managers need to know whose password it is. */}
        <input type="email" autoComplete="username" value={user.email} readOnly hidden />
        <TextField label="Present password" type="password" autoComplete="current-password" required value={current} error={act.fieldError('current')} onChange={(event) => setCurrent(event.target.value)} />
        <TextField label="New password" help="At least 10 characters. Your other sessions end." type="password" autoComplete="new-password" required minLength={10} value={next} error={act.fieldError('new')} onChange={(event) => setNext(event.target.value)} />
        <Failure error={act.error} what="The password is the old one." shown={['current', 'new']} />
        <div className="form-buttons">
          <Button type="submit" progress={act.progress}>
            Change the password
          </Button>
        </div>
      </form>
    </section>
  );
}
