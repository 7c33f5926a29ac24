import { useMutation } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { ApiError, request } from '../api/client.ts';
import { CreateTokenDocument, type Role } from '../gql/graphql.ts';
import { RoleValues } from '../gql/enums.ts';
import { now } from '../lib/clock.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { faultAt, Field, notes } from '../ui/form.tsx';
import { Problem } from '../ui/states.tsx';
import { tokensChanged } from './tokens-view.tsx';

const may: Record<Role, string> = {
  REPORTER: 'Creates alerts and reads back its own. For machines and scripts.',
  VIEWER: 'Reads everything but secrets and tokens.',
  ANALYST: 'Acknowledges, assigns, comments, resolves, retries, too.',
  ADMIN: 'May do everything.',
};

const day = 86_400_000;
const ends = { never: 'Never', '1': 'In a day', '7': 'In 7 days', '30': 'In 30 days', '90': 'In 90 days', '365': 'In a year', other: 'At …' };
type Ends = keyof typeof ends;

export function CreateTokenDialog({ onClose, onMade }: { onClose: () => void; onMade: (name: string, secret: string) => void }) {
  const id = useId();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('REPORTER');
  const [end, setEnd] = useState<Ends>('never');
  const [at, setAt] = useState('');
  const [limit, setLimit] = useState('');

  const expiresAt = () => {
    if (end === 'never') return null;
    if (end !== 'other') return new Date(now() + Number(end) * day).toISOString();
    if (Number.isNaN(Date.parse(at))) throw new ApiError('input.expiresAt: give a day and a time', 'BAD_USER_INPUT', 'input.expiresAt');
    return new Date(at).toISOString();
  };
  const perMinute = () => {
    if (limit.trim() === '') return null;
    if (!/^\d{1,9}$/.test(limit.trim())) throw new ApiError('input.alertsPerMinute: give a whole number, or nothing for no limit', 'BAD_USER_INPUT', 'input.alertsPerMinute');
    return Number(limit);
  };
  const create = useMutation({
    mutationFn: async () => (await request(CreateTokenDocument, { input: { name: name.trim(), role, expiresAt: expiresAt(), alertsPerMinute: perMinute() } })).createToken,
    onSuccess: async ({ secret, token }) => {
      onMade(token.name, secret);
      await tokensChanged();
    },
    gcTime: 0, // the secret is not kept
  });
  const { error } = create;
  const fault = (field: string) => faultAt(error, field);
  const placed = ['name', 'expiresAt', 'alertsPerMinute'].some((field) => fault(field));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  const described = (field: string) => ({ id: `${id}${field}`, 'aria-invalid': fault(field) ? true : undefined, 'aria-describedby': notes(`${id}${field}`, fault(field)) });

  return (
    <Dialog title="New token" onClose={onClose}>
      <form className="token-form" onSubmit={submit} noValidate>
        <Field id={`${id}name`} label="Name" help="For whom or what it is. The audit log shows it." fault={fault('name')}>
          <input {...described('name')} type="text" autoFocus aria-required value={name} maxLength={255} autoComplete="off" onChange={(event) => setName(event.target.value)} />
        </Field>
        <fieldset>
          <legend className="label">Role</legend>
          {RoleValues.map((one) => (
            <label key={one} className={one === role ? 'role-choice chosen' : 'role-choice'}>
              <input type="radio" name={`${id}role`} checked={one === role} onChange={() => setRole(one)} />
              <span>
                <strong>{one}</strong>
                <span className="muted small">{may[one]}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <Field id={`${id}expiresAt`} label="Ends" fault={fault('expiresAt')}>
          <div className="ends">
            <select className="select" {...described('expiresAt')} value={end} onChange={(event) => setEnd(event.target.value as Ends)}>
              {(['never', '1', '7', '30', '90', '365', 'other'] as const).map((one) => (
                <option key={one} value={one}>
                  {ends[one]}
                </option>
              ))}
            </select>
            {end === 'other' && <input type="datetime-local" aria-label="Ends at" aria-invalid={fault('expiresAt') ? true : undefined} value={at} onChange={(event) => setAt(event.target.value)} />}
          </div>
        </Field>
        <Field id={`${id}alertsPerMinute`} label="Alerts a minute" optional help="How many it may create at most. Nothing: no limit." fault={fault('alertsPerMinute')}>
          <input {...described('alertsPerMinute')} type="text" inputMode="numeric" value={limit} autoComplete="off" onChange={(event) => setLimit(event.target.value)} />
        </Field>
        <Problem error={placed ? null : error} />
        <footer>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={create.isPending}>
            Make the token
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
