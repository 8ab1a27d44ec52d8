/** Adding, changing and removing a person. Passwords are never kept as drafts. */
import { useState } from 'react';

import * as api from '../../api/endpoints';
import type { CreateUser, UpdateUser, UserRole, UserView } from '../../api/types';
import { queries, queryClient } from '../../live/cache';
import { useAct } from '../../ui/act';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Failure } from '../../ui/failure';
import { SelectField, TextField } from '../../ui/field';
import { count } from '../../ui/format';
import { notify } from '../../ui/notices';

interface Closable {
  onClose: () => void;
}

const SHOWN = ['email', 'password', 'role'];
const refresh = (): void => void queryClient.invalidateQueries({ queryKey: queries.users.queryKey });

export function AddUser({ onClose }: Closable) {
  const [form, setForm] = useState<Required<CreateUser>>({ email: '', password: '', role: 'user' });
  const act = useAct((input: CreateUser, options) => api.users.create(input, options), {
    onDone: (user) => {
      notify.done(`${user.email} can sign in now.`);
      refresh();
      onClose();
    },
  });
  return (
    <Dialog title="Add a user" onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          act.run(form);
        }}
      >
        <TextField label="E-mail" type="email" required autoFocus autoComplete="off" value={form.email} error={act.fieldError('email')} onChange={(event) => setForm({ ...form, email: event.target.value })} />
        <TextField label="First password" help="At least 10 characters. The person can change it." type="password" required minLength={10} autoComplete="new-password" value={form.password} error={act.fieldError('password')} onChange={(event) => setForm({ ...form, password: event.target.value })} />
        <RoleField role={form.role} error={act.fieldError('role')} onChange={(role) => setForm({ ...form, role })} />
        <Failure error={act.error} what="The user was not added." shown={SHOWN} />
        <Buttons onClose={onClose} progress={act.progress} word="Add" />
      </form>
    </Dialog>
  );
}

export function EditUser({ user, onClose }: Closable & { user: UserView }) {
  const [form, setForm] = useState({ email: user.email, password: '', role: user.role });
  const act = useAct((input: UpdateUser, options) => api.users.update(user.id, input, options), {
    onDone: () => {
      notify.done(`${form.email}: saved.`);
      refresh();
      onClose();
    },
  });
  return (
    <Dialog title={`Change ${user.email}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          act.run({
            ...(form.email === user.email ? {} : { email: form.email }),
            ...(form.password === '' ? {} : { password: form.password }),
            ...(form.role === user.role ? {} : { role: form.role }),
          });
        }}
      >
        <TextField label="E-mail" type="email" required autoComplete="off" value={form.email} error={act.fieldError('email')} onChange={(event) => setForm({ ...form, email: event.target.value })} />
        <TextField label="New password" required={false} help="Empty: it stays. A new one ends the person’s sessions." type="password" minLength={10} autoComplete="new-password" value={form.password} error={act.fieldError('password')} onChange={(event) => setForm({ ...form, password: event.target.value })} />
        <RoleField role={form.role} error={act.fieldError('role')} onChange={(role) => setForm({ ...form, role })} />
        <Failure error={act.error} what="Nothing was changed." shown={SHOWN} />
        <Buttons onClose={onClose} progress={act.progress} word="Save" />
      </form>
    </Dialog>
  );
}

export function RemoveUser({ user, onClose }: Closable & { user: UserView }) {
  const act = useAct((_: null, options) => api.users.remove(user.id, options), {
    onDone: () => {
      notify.done(`${user.email} is removed.`);
      refresh();
      onClose();
    },
  });
  return (
    <Dialog title={`Remove ${user.email}?`} onClose={onClose}>
      <p>
        The person can no longer sign in, and their API keys stop working.
        {user.servers > 0 && ` ${count(user.servers, 'server')} still belong to them: give those to somebody else first.`}
      </p>
      <Failure error={act.error} what="The user was not removed." />
      <div className="dialog-buttons">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" progress={act.progress} onClick={() => act.run(null)}>
          Remove
        </Button>
      </div>
    </Dialog>
  );
}

function RoleField({ role, error, onChange }: { role: UserRole; error: string | null; onChange: (role: UserRole) => void }) {
  return (
    <SelectField label="Role" help="Administrators may do everything; users look after their own servers." error={error} value={role} onChange={(event) => onChange(event.target.value as UserRole)}>
      <option value="user">User</option>
      <option value="administrator">Administrator</option>
    </SelectField>
  );
}

function Buttons({ onClose, progress, word }: Closable & { progress: React.ComponentProps<typeof Button>['progress']; word: string }) {
  return (
    <div className="dialog-buttons">
      <Button onClick={onClose}>Cancel</Button>
      <Button type="submit" look="primary" progress={progress ?? null}>
        {word}
      </Button>
    </div>
  );
}
