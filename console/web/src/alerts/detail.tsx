import { useMutation, useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState, type ReactNode, type Ref } from 'react';
import { Link } from 'wouter';
import { apiQuery, ApiError, request } from '../api/client.ts';
import { useFeed } from '../api/feed.ts';
import { queryClient } from '../api/queries.ts';
import { pageURL } from '../base.ts';
import { AcknowledgeAlertDocument, AlertDocument, AssignAlertDocument, DeleteAlertsDocument, ReopenAlertDocument, ResolveAlertDocument, type AlertQuery, type AlertRowFragment } from '../gql/graphql.ts';
import { copy } from '../lib/clipboard.ts';
import { silencesLink } from '../lib/links.ts';
import { useMay } from '../lib/roles.ts';
import { useThrottled } from '../lib/throttle.ts';
import { exactTime, number } from '../lib/time.ts';
import { AlertStateBadge, SeverityMark } from '../ui/badges.tsx';
import { Button, IconButton, PlaygroundLink } from '../ui/button.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { BackIcon, CheckIcon, CloseIcon, EyeIcon, LinkIcon, PersonIcon, ReopenIcon, SilenceIcon, TrashIcon } from '../ui/icons.tsx';
import { Json } from '../ui/json.tsx';
import { useTitle } from '../ui/page.tsx';
import { Empty, Failure, Loading, Problem } from '../ui/states.tsx';
import { Ago } from '../ui/time.tsx';
import { toast } from '../ui/toast.tsx';
import { AssignDialog } from './assign.tsx';
import { Composer } from './composer.tsx';
import { Deliveries } from './deliveries.tsx';
import { Timeline } from './timeline.tsx';

export type FullAlert = NonNullable<AlertQuery['alert']>;

// An alert and its story, kept true while it is open.
export function AlertDetail({ id, seen, onClose }: { id: string; seen: AlertRowFragment[]; onClose: () => void }) {
  const query = useQuery({ ...apiQuery(AlertDocument, { id }), staleTime: 0 });
  const again = useThrottled(() => void queryClient.invalidateQueries({ queryKey: ['Alert', { id }] }), 400);
  useFeed((events) => {
    if (events.some((event) => event.alert.id === id)) again();
  });
  const gone = query.error instanceof ApiError && query.error.code === 'NOT_FOUND';
  const alert = gone ? undefined : query.data?.alert;
  const admin = useMay('ADMIN');
  const [deleting, setDeleting] = useState(false);
  const title = useRef<HTMLHeadingElement>(null);
  const known = alert !== undefined;
  useTitle(alert ? `${alert.type}: ${alert.message}` : `Alert ${id}`);
  // Where the list makes room for it, on a phone, whoever opened it goes on here.
  useEffect(() => {
    if (known && matchMedia('(max-width: 1000px)').matches) title.current?.focus();
  }, [known]);

  return (
    <section className="detail" aria-label={`Alert ${id}`}>
      <header className="detail-head">
        <IconButton className="back" label="Back to the list" icon={BackIcon} onClick={onClose} />
        <span className="muted">Alert {id}</span>
        <div className="actions">
          <IconButton label="Copy the link to this alert" icon={LinkIcon} onClick={() => void copy(pageURL(`/alerts/${id}`), 'Link')} />
          <PlaygroundLink query={AlertDocument} variables={{ id }} />
          {alert && admin && <IconButton label="Delete this alert" icon={TrashIcon} onClick={() => setDeleting(true)} />}
          <IconButton className="close" label="Close" icon={CloseIcon} onClick={onClose} />
        </div>
      </header>
      <div className="detail-body">
        {gone ? (
          <Empty title="There is no such alert">
            <p>It was deleted, or it is older than what is kept.</p>
          </Empty>
        ) : query.error && !alert ? (
          <Failure error={query.error} onRetry={() => void query.refetch()} />
        ) : alert ? (
          <>
            <div className="headline">
              <p className="marks">
                <SeverityMark severity={alert.severity} withName />
                <Link href={`/alerts?${new URLSearchParams({ type: alert.type })}`} title="All alerts of this type">
                  <code>{alert.type}</code>
                </Link>
                <AlertStateBadge state={alert.state} />
              </p>
              <Message ref={title} text={alert.message} />
            </div>
            <Actions alert={alert} seen={seen} onFocusLost={() => title.current?.focus({ preventScroll: true })} />
            <Facts alert={alert} />
            <Deliveries alert={alert} />
            <section aria-labelledby="story">
              <h3 id="story">Story</h3>
              <Timeline alert={alert} />
              <Composer key={alert.id} alert={alert} />
            </section>
            {alert.details && Object.keys(alert.details).length > 0 && (
              <section aria-labelledby="details">
                <h3 id="details">Details</h3>
                <Json value={alert.details} />
              </section>
            )}
          </>
        ) : (
          <Loading />
        )}
      </div>
      {deleting && (
        <Confirm
          title="Delete this alert?"
          action="Delete"
          danger
          onClose={() => setDeleting(false)}
          run={async () => {
            await request(DeleteAlertsDocument, { which: { ids: [id] } });
            toast('Alert deleted');
            onClose();
          }}
        >
          <p>It is gone with its history and its deliveries, for everybody and for good; what waits is not told any more. The audit log keeps that it was deleted.</p>
        </Confirm>
      )}
    </section>
  );
}

const most = { characters: 700, lines: 10 }; // of a message, before it is cut short: what can be done is to be in sight

function Message({ text, ref }: { text: string; ref: Ref<HTMLHeadingElement> }) {
  const isLong = text.length > most.characters || text.split('\n', most.lines + 1).length > most.lines;
  const [whole, setWhole] = useState(false);
  return (
    <>
      <h2 ref={ref} tabIndex={-1} dir="auto" className={isLong && !whole ? 'cut' : ''}>
        {text}
      </h2>
      {isLong && (
        <Button className="whole" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? 'Show less' : 'Show the whole message'}
        </Button>
      )}
    </>
  );
}

// onFocusLost: the button that was pressed is gone, and the focus with it.
function Actions({ alert, seen, onFocusLost }: { alert: FullAlert; seen: AlertRowFragment[]; onFocusLost: () => void }) {
  const { id, state, assignee } = alert;
  const analyst = useMay('ANALYST');
  const admin = useMay('ADMIN');
  const [assigning, setAssigning] = useState(false);
  const settled = () => queryClient.invalidateQueries({ queryKey: ['Alert', { id }] });
  const move = useMutation({
    mutationFn: async (to: 'acknowledge' | 'resolve' | 'reopen') => {
      if (to === 'acknowledge') await request(AcknowledgeAlertDocument, { id });
      else if (to === 'resolve') await request(ResolveAlertDocument, { id });
      else await request(ReopenAlertDocument, { id });
    },
    onSettled: settled,
  });
  const pressed = useRef(false);
  useEffect(() => {
    if (pressed.current && document.activeElement === document.body) onFocusLost();
    pressed.current = false;
  }, [state]);
  const press = (to: 'acknowledge' | 'resolve' | 'reopen') => {
    pressed.current = true;
    move.mutate(to);
  };
  if (!analyst) return null;
  const busy = (to: string) => move.isPending && move.variables === to;
  return (
    <div className="alert-actions">
      {state === 'OPEN' && (
        <Button kind="primary" icon={EyeIcon} shortcut="a" busy={busy('acknowledge')} onClick={() => press('acknowledge')}>
          Acknowledge
        </Button>
      )}
      {state !== 'RESOLVED' && (
        <Button kind={state === 'OPEN' ? 'plain' : 'primary'} icon={CheckIcon} shortcut="r" busy={busy('resolve')} onClick={() => press('resolve')}>
          Resolve
        </Button>
      )}
      {state !== 'OPEN' && (
        <Button icon={ReopenIcon} busy={busy('reopen')} onClick={() => press('reopen')}>
          Reopen
        </Button>
      )}
      <Button icon={PersonIcon} onClick={() => setAssigning(true)}>
        {assignee ? 'Reassign' : 'Assign'}
      </Button>
      {admin && (
        <Link className="button plain" href={silencesLink({ types: alert.type, rustbucket: alert.rustbucket?.id })} title="Silence alerts like this">
          <SilenceIcon />
          <span>
            Silence<span className="hidden"> alerts like this</span>
          </span>
        </Link>
      )}
      <Problem error={move.error} />
      {assigning && (
        <AssignDialog
          current={assignee}
          alerts={seen}
          onClose={() => setAssigning(false)}
          run={async (to) => {
            await request(AssignAlertDocument, { id, assignee: to });
            await settled();
          }}
        />
      )}
    </div>
  );
}

function Facts({ alert }: { alert: FullAlert }) {
  const { rustbucket, occurrences, assignee, acknowledgedAt, acknowledgedBy, resolvedAt, resolvedBy, dedupKey, source, pauseReason, silence } = alert;
  return (
    <dl className="facts-list">
      <Fact name="Came in">
        <Ago at={alert.createdAt} /> <span className="muted">({exactTime(alert.createdAt)})</span>
        {source === 'SERVER' && ' from the server itself'}
        {source === 'IMPORT' && ', imported'}
      </Fact>
      {rustbucket && (
        <Fact name="Rustbucket">
          <Link href={`/alerts?${new URLSearchParams({ rustbucket: rustbucket.id })}`} title="All alerts of this rustbucket">
            {rustbucket.name}
          </Link>{' '}
          <code className="muted">{rustbucket.id}</code>
        </Fact>
      )}
      <Fact name="Assignee">{assignee ?? <span className="muted">Nobody</span>}</Fact>
      {occurrences > 1 && <Fact name="Reported">{`${number(occurrences)} times`}</Fact>}
      {acknowledgedAt && (
        <Fact name="Acknowledged">
          by {acknowledgedBy}, <Ago at={acknowledgedAt} />
        </Fact>
      )}
      {resolvedAt && (
        <Fact name="Resolved">
          {resolvedBy && `by ${resolvedBy}, `}
          <Ago at={resolvedAt} />
        </Fact>
      )}
      {dedupKey && (
        <Fact name="Key">
          <code>{dedupKey}</code>
        </Fact>
      )}
      {silence && (
        <Fact name="Silenced">
          <Link href={`/silences/${silence.id}`}>{silence.reason}</Link> <span className="muted">(until {exactTime(silence.endsAt)})</span>
        </Fact>
      )}
      {pauseReason && <Fact name="Notifications">{`were paused when it came in: ${pauseReason}`}</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
