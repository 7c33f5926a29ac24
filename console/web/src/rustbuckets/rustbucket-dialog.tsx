import { useMutation, useQuery } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { Link } from 'wouter';
import { apiQuery, ApiError, request } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { graphqlURL } from '../base.ts';
import { ExpectHeartbeatDocument, HeartbeatDocument, OneRustbucketDocument, type OneRustbucketQuery, type Severity } from '../gql/graphql.ts';
import { alertsLink, silencesLink } from '../lib/links.ts';
import { useMay } from '../lib/roles.ts';
import { exactTime, plural } from '../lib/time.ts';
import { SeverityMark, severities, severityName } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { Choice, Select } from '../ui/fields.tsx';
import { Failure, Loading, Problem } from '../ui/states.tsx';
import { toast } from '../ui/toast.tsx';
import { Due, every, HeartbeatBadge, LastSeen } from './heartbeat.tsx';

const changed = () =>
  Promise.all(['Rustbuckets', 'RustbucketCounts', 'OneRustbucket'].map((name) => queryClient.invalidateQueries({ queryKey: [name] })));

// A rustbucket, and how often it is to be heard of.
export function RustbucketDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const admin = useMay('ADMIN');
  const query = useQuery({ ...apiQuery(OneRustbucketDocument, { id }), staleTime: 0, refetchInterval: 10_000, throwOnError: false });
  const unknown = query.error instanceof ApiError && query.error.code === 'NOT_FOUND';
  const bucket = unknown ? undefined : query.data?.rustbucket;
  return (
    <Dialog title={bucket?.name ?? id} onClose={onClose}>
      <div className="dialog-body">
        {bucket ? (
          <>
            <Facts bucket={bucket} />
            {admin && <Watch key={String(bucket.heartbeat?.intervalSeconds)} id={id} heartbeat={bucket.heartbeat} onDone={onClose} />}
            <Sending id={id} />
          </>
        ) : unknown ? (
          <>
            <p className="muted">Nothing was heard of this rustbucket yet: no alert was about it, and no heartbeat came.</p>
            {admin && <Watch id={id} heartbeat={null} onDone={onClose} />}
          </>
        ) : query.error ? (
          <Failure error={query.error} onRetry={() => void query.refetch()} />
        ) : (
          <Loading rows={4} />
        )}
      </div>
    </Dialog>
  );
}

// For one that was not heard of yet.
export function WatchDialog({ onClose }: { onClose: () => void }) {
  const field = useId();
  const [id, setId] = useState('');
  return (
    <Dialog title="Watch a rustbucket" onClose={onClose}>
      <div className="dialog-body">
        <p className="muted small">When its heartbeats stay away, an alert of type rustbucket_offline is raised, and resolved when they are back.</p>
        <div className="field">
          <label htmlFor={field}>Id in the registry</label>
          <input id={field} value={id} onChange={(event) => setId(event.target.value)} maxLength={255} placeholder="BKT123456" autoComplete="off" autoCapitalize="off" spellCheck={false} autoFocus />
        </div>
        <Watch id={id.trim()} heartbeat={null} onDone={onClose} />
      </div>
    </Dialog>
  );
}

type Bucket = NonNullable<OneRustbucketQuery['rustbucket']>;

function Facts({ bucket: { id, openAlerts, heartbeat, createdAt } }: { bucket: Bucket }) {
  const admin = useMay('ADMIN');
  return (
    <dl className="bucket-facts">
      <div>
        <dt>Id</dt>
        <dd>
          <code>{id}</code>
        </dd>
      </div>
      <div>
        <dt>Heartbeat</dt>
        <dd>
          <HeartbeatBadge heartbeat={heartbeat} />
        </dd>
      </div>
      <div>
        <dt>Last heard of</dt>
        <dd>
          <LastSeen heartbeat={heartbeat} />
        </dd>
      </div>
      {heartbeat?.intervalSeconds != null && (
        <div>
          <dt>Next one due</dt>
          <dd>
            <Due heartbeat={heartbeat} />
          </dd>
        </div>
      )}
      <div>
        <dt>Known since</dt>
        <dd>{exactTime(createdAt)}</dd>
      </div>
      <div>
        <dt>Alerts</dt>
        <dd>
          <Link href={alertsLink({ rustbucket: id, ...(openAlerts === 0 && { state: 'all' }) })}>{openAlerts > 0 ? `${plural(openAlerts, 'open alert')}` : 'None open; show all'}</Link>
          {admin && <Link href={silencesLink({ rustbucket: id })}>Silence them</Link>}
        </dd>
      </div>
    </dl>
  );
}

const units = { s: 1, min: 60, h: 3600, d: 86_400 };
type Unit = keyof typeof units;
const unitNames: Record<Unit, string> = { s: 'seconds', min: 'minutes', h: 'hours', d: 'days' };
const quick = { '1 min': 60, '5 min': 300, '15 min': 900, '1 h': 3600, Other: 0 };
type Quick = keyof typeof quick;

const unitOf = (seconds: number): Unit => (['d', 'h', 'min'] as const).find((unit) => seconds % units[unit] === 0) ?? 's';

// Sets the interval and the severity of what a missed one raises.
function Watch({ id, heartbeat, onDone }: { id: string; heartbeat: Bucket['heartbeat']; onDone: () => void }) {
  const label = useId();
  const set = heartbeat?.intervalSeconds ?? null;
  const [chosen, setChosen] = useState<Quick>(set === null ? '5 min' : ((Object.keys(quick) as Quick[]).find((one) => quick[one] === set) ?? 'Other'));
  const [unit, setUnit] = useState<Unit>(set === null ? 'min' : unitOf(set));
  const [amount, setAmount] = useState(String(set === null ? 5 : set / units[unitOf(set)]));
  const [severity, setSeverity] = useState<Severity>(heartbeat?.severity ?? 'HIGH');
  const seconds = chosen === 'Other' ? Number(amount) * units[unit] : quick[chosen];
  const expect = useMutation({
    mutationFn: (intervalSeconds: number | null) => request(ExpectHeartbeatDocument, { id, intervalSeconds, severity }),
    onSuccess: async (_, intervalSeconds) => {
      await changed();
      toast(intervalSeconds === null ? `${id} is not watched any more` : `${id} is to be heard of every ${every(intervalSeconds)}`);
      onDone();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    expect.mutate(seconds);
  };
  return (
    <form className="watch" onSubmit={submit} aria-labelledby={label}>
      <h3 id={label}>{set === null ? 'Expect heartbeats' : 'Expected heartbeats'}</h3>
      <div className="field">
        <span className="label">At least every</span>
        <Choice label="At least every" all={Object.keys(quick) as Quick[]} chosen={chosen} onChange={setChosen} show={(one) => one} />
        {chosen === 'Other' && (
          <span className="amount">
            <input type="number" aria-label="How many" value={amount} min={1} step={1} required onChange={(event) => setAmount(event.target.value)} />
            <Select label="Unit" all={Object.keys(units) as Unit[]} chosen={unit} onChange={setUnit} show={(one) => unitNames[one]} />
          </span>
        )}
        <p className="help">Better three times as long as the pause between two of them, so that one may get lost.</p>
      </div>
      <div className="field">
        <span className="label">A missed one raises an alert of severity</span>
        <Choice label="Severity" all={severities} chosen={severity} onChange={setSeverity} show={(one) => <><SeverityMark severity={one} /><span aria-hidden="true">{severityName(one)}</span></>} />
      </div>
      <Problem error={expect.error} />
      <footer>
        {set !== null && (
          <Button busy={expect.isPending && expect.variables === null} onClick={() => expect.mutate(null)}>
            Stop watching
          </Button>
        )}
        <Button type="submit" kind="primary" busy={expect.isPending && expect.variables !== null} disabled={id === ''}>
          {set === null ? 'Watch' : 'Save'}
        </Button>
      </footer>
    </form>
  );
}

// How the machine says that it lives.
function Sending({ id }: { id: string }) {
  const body = JSON.stringify({ query: 'mutation ($id: ID!) { heartbeat(rustbucketId: $id) { id } }', variables: { id } });
  return (
    <details className="sending">
      <summary>How it sends them</summary>
      <div>
        <p className="muted small">With a token of the role REPORTER, from a timer on the machine:</p>
        <pre tabIndex={0}>{`curl -fsS ${graphqlURL.href} \\\n  -H "Authorization: Bearer $TOKEN" \\\n  -H 'Content-Type: application/json' \\\n  -d '${body.replaceAll("'", "'\\''")}'`}</pre>
        <PlaygroundLink query={HeartbeatDocument} variables={{ rustbucketId: id }} />
      </div>
    </details>
  );
}
