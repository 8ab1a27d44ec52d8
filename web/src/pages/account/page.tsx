/** The person's own account: password, API keys, how the panel looks. */
import { useSession } from '../../shell/session';
import { useCell } from '../../api/cell';
import { SelectField } from '../../ui/field';
import { chooseTheme, theme, type Theme } from '../../ui/theme';
import { useTitle } from '../../ui/title';
import { Keys } from './keys';
import { Password } from './password';

export function AccountPage() {
  useTitle('Account');
  const { user } = useSession();
  const chosen = useCell(theme);
  return (
    <div className="page narrow">
      <h1>Account</h1>
      <section className="card">
        <p>
          Signed in as <strong>{user.email}</strong>, {user.role === 'administrator' ? 'administrator' : 'user'}.
        </p>
        <div className="form">
          <SelectField label="Colours" help="On this device." value={chosen} onChange={(event) => chooseTheme(event.target.value as Theme)}>
            <option value="system">As the system</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </SelectField>
        </div>
      </section>
      <Password />
      <Keys />
    </div>
  );
}
