// Who would be told about an alert, and why not the others. Nothing is stored or sent.
import { useMutation } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { Link } from 'wouter';
import { ApiError, request } from '../api/client.ts';
import { PreviewRoutingDocument, type Severity } from '../gql/graphql.ts';
import { Badge, SeverityMark, severities } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Choice } from '../ui/fields.tsx';
import { Problem } from '../ui/states.tsx';
import { reasonInWords } from './words.ts';

export function RoutingDialog({ onClose }: { onClose: () => void }) {
  const [type, setType] = useState('');
  const [severity, setSeverity] = useState<Severity>('HIGH');
  const id = useId();
  const input = { type: type.trim(), severity, message: 'Who would be told?' };
  const ask = useMutation({ mutationFn: async () => (await request(PreviewRoutingDocument, { input })).previewRouting });
  const { error } = ask;
  const ofType = error instanceof ApiError && error.field === 'input.type' ? error : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  const told = ask.data?.filter(({ willNotify }) => willNotify).length;
  return (
    <Dialog title="Who would be told?" onClose={onClose} wide>
      <form onSubmit={submit} noValidate>
        <div className="dialog-body">
          <p className="muted">What would be decided now about such an alert. Nothing is stored, and nobody is told.</p>
          <div className="routing-form">
            <div className="field">
              <label htmlFor={id}>Alert type</label>
              <input id={id} type="text" autoFocus placeholder="high_cpu" value={type} maxLength={255} autoComplete="off" autoCapitalize="off" aria-invalid={ofType ? true : undefined} aria-describedby={`${id}f`} onChange={(event) => setType(event.target.value)} />
              <p className="fault" id={`${id}f`} role="alert">
                {ofType && `The type ${ofType.message.slice('input.type: '.length)}`}
              </p>
            </div>
            <div className="field">
              <span className="label">Severity</span>
              <Choice label="Severity" all={[...severities].reverse()} chosen={severity} onChange={setSeverity} show={(one) => <SeverityMark severity={one} withName />} />
            </div>
            <Button type="submit" kind="primary" busy={ask.isPending}>
              Look
            </Button>
          </div>
          <Problem error={ofType ? null : error} />
          <div role="status">
            {ask.data && (
              <>
                <p>{ask.data.length === 0 ? 'There is no channel.' : told === 0 ? 'Nobody would be told.' : `${told} of ${ask.data.length} would be told.`}</p>
                <ul className="routing-list">
                  {ask.data.map(({ channel, willNotify, reason }) => (
                    <li key={channel.id}>
                      <Badge tone={willNotify ? 'good' : 'calm'}>{willNotify ? 'Told' : 'Not told'}</Badge>
                      <Link href={`/channels/${channel.id}`}>{channel.name}</Link>
                      {!willNotify && <span className="muted small">{reasonInWords(reason)}</span>}
                    </li>
                  ))}
                </ul>
              </>
            )}
          </div>
        </div>
        <footer>
          <PlaygroundLink query={PreviewRoutingDocument} variables={{ input: { ...input, type: input.type || 'high_cpu' } }} />
          <Button onClick={onClose}>Close</Button>
        </footer>
      </form>
    </Dialog>
  );
}
