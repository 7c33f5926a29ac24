// One channel: how it fares, what it is set to, what it was told last.
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { apiQuery, ApiError, request } from '../api/client.ts';
import { ChannelDeliveriesDocument, ChannelDocument, DropPreviousSigningSecretDocument, RotateSigningSecretDocument, SetChannelsActiveDocument, TestChannelDocument, type ChannelQuery } from '../gql/graphql.ts';
import { useParams } from '../lib/address.ts';
import { now } from '../lib/clock.ts';
import { useHotkeys } from '../lib/hotkeys.ts';
import { useMay } from '../lib/roles.ts';
import { number, plural } from '../lib/time.ts';
import { SeverityMark, StatusBadge, severityName } from '../ui/badges.tsx';
import { Button, PlaygroundLink } from '../ui/button.tsx';
import { Confirm, Menu, type MenuEntry } from '../ui/dialog.tsx';
import { DeliveryIcon, KeyIcon, MoreIcon, TrashIcon } from '../ui/icons.tsx';
import { Page } from '../ui/page.tsx';
import { SecretDialog } from '../ui/secret.tsx';
import { Empty, Failure, Loading, Problem } from '../ui/states.tsx';
import { Ago, Countdown } from '../ui/time.tsx';
import { toast } from '../ui/toast.tsx';
import { ConfirmOff, ConfirmDelete } from './bulk.tsx';
import { ChannelForm } from './channel-form.tsx';
import { HealthBadge, isHeld, standing } from './health.tsx';
import { channelsChanged, refetchInterval, useChannelsLive, useChannelTypes } from './live.ts';
import { settingsOf, type TypeInfo } from './settings.ts';
import { TestOutcome } from './test-outcome.tsx';
import { limitInWords } from './words.ts';

type Full = ChannelQuery['channel'] & object;

const toChannels = { to: '/channels', label: 'All channels' };

export function NewChannelPage() {
  const types = useChannelTypes();
  const [, navigate] = useLocation();
  return (
    <Page title="New channel" back={toChannels}>
      {types.data ? (
        <ChannelForm types={types.data.channelTypes} onDone={(id) => navigate(id ? `/channels/${id}` : '/channels', { replace: true })} />
      ) : types.error ? (
        <Failure error={types.error} onRetry={() => void types.refetch()} />
      ) : (
        <Loading />
      )}
    </Page>
  );
}

export function ChannelPage({ id }: { id: string }) {
  const [params] = useParams();
  const [, navigate] = useLocation();
  const admin = useMay('ADMIN');
  const types = useChannelTypes();
  const query = useQuery({ ...apiQuery(ChannelDocument, { id }), refetchInterval });
  useChannelsLive();
  const editing = admin && params.has('edit');
  const channel = query.data?.channel;
  const type = types.data?.channelTypes.find((one) => one.type === channel?.type);
  const error = query.error ?? types.error;

  if (query.error instanceof ApiError && query.error.code === 'NOT_FOUND') {
    return (
      <Page title="Channel" back={toChannels}>
        <Empty title="There is no such channel">
          It was deleted, or never was. <Link href="/channels">To the channels</Link>
        </Empty>
      </Page>
    );
  }
  if (!channel || !type || !types.data) {
    return (
      <Page title="Channel" back={toChannels}>
        {error ? <Failure error={error} onRetry={() => (void query.refetch(), void types.refetch())} /> : <Loading />}
      </Page>
    );
  }
  if (editing) {
    return (
      <Page title={channel.name} back={{ to: `/channels/${id}`, label: `Back to ${channel.name}` }} count="Edit">
        <ChannelForm types={types.data.channelTypes} channel={channel} onDone={() => navigate(`/channels/${id}`, { replace: true })} />
      </Page>
    );
  }
  return <Shown channel={channel} type={type} onEdit={() => navigate(`/channels/${id}?edit=1`)} />;
}

function Shown({ channel, type, onEdit }: { channel: Full; type: TypeInfo; onEdit: () => void }) {
  const { id, name } = channel;
  const admin = useMay('ADMIN');
  const [, navigate] = useLocation();
  const [dialog, setDialog] = useState<'off' | 'delete' | 'rotate' | 'drop' | null>(null);
  const [secret, setSecret] = useState('');
  const close = () => setDialog(null);
  const test = useMutation({ mutationFn: async () => (await request(TestChannelDocument, { id })).testChannel, onSettled: () => void channelsChanged() });
  const on = useMutation({
    mutationFn: () => request(SetChannelsActiveDocument, { ids: [id], active: true }),
    onSuccess: async () => {
      await channelsChanged();
      toast(`${name} is on`);
    },
  });
  useHotkeys(
    admin
      ? [
          { keys: 'e', what: 'Edit', group: 'Channel', run: onEdit },
          { keys: 't', what: 'Send a test', group: 'Channel', run: () => test.isPending || test.mutate() },
        ]
      : [],
  );
  // What signs has a field for its secret.
  const signs = type.fields.some((field) => field.name === 'signingSecret');
  const changing = typeof settingsOf(channel.config).previousSigningSecret === 'string';
  const entries: MenuEntry[] = [
    ...(signs && !changing ? [{ id: 'rotate', label: 'New signing secret…', icon: KeyIcon, run: () => setDialog('rotate') }] : []),
    ...(signs && changing ? [{ id: 'drop', label: 'Drop the previous signing secret…', icon: KeyIcon, run: () => setDialog('drop') }] : []),
    ...(signs ? (['separator'] as const) : []),
    { id: 'delete', label: 'Delete…', icon: TrashIcon, danger: true, run: () => setDialog('delete') },
  ];

  return (
    <Page
      title={name}
      back={toChannels}
      count={<span className="if-wide">{type.title}</span>}
      actions={
        <>
          {admin && (
            <>
              <Button className="icon-if-narrow" icon={DeliveryIcon} busy={test.isPending} onClick={() => test.mutate()}>
                {test.isPending ? 'Testing…' : 'Test'}
              </Button>
              {channel.isActive ? (
                <Button className="if-wide" onClick={() => setDialog('off')}>
                  Deactivate
                </Button>
              ) : (
                <Button busy={on.isPending} onClick={() => on.mutate()}>
                  Activate
                </Button>
              )}
              <Button kind="primary" onClick={onEdit}>
                Edit
              </Button>
            </>
          )}
          <PlaygroundLink query={ChannelDocument} variables={{ id }} />
          {admin && (
            <Menu
              label={`More for ${name}`}
              trigger={
                <>
                  <MoreIcon />
                  <span className="hidden">More for {name}</span>
                </>
              }
              entries={channel.isActive ? [{ id: 'off', label: 'Deactivate…', run: () => setDialog('off') }, ...entries] : entries}
            />
          )}
        </>
      }
    >
      <div className="channel-page">
        <Problem error={on.error ?? test.error} />
        <div role="status">{test.data && <TestOutcome result={test.data} />}</div>
        {channel.warnings.map((warning) => (
          <p key={warning} className="warning">
            {warning}
          </p>
        ))}
        <Health channel={channel} />
        <section aria-labelledby="settings-title" className="part">
          <h2 id="settings-title">Settings</h2>
          <Settings channel={channel} type={type} />
        </section>
        <LastDeliveries id={id} />
      </div>
      {dialog === 'off' && <ConfirmOff channels={[channel]} onClose={close} onDone={close} />}
      {dialog === 'delete' && <ConfirmDelete channels={[channel]} onClose={close} onDone={() => navigate('/channels', { replace: true })} />}
      {dialog === 'rotate' && (
        <Confirm
          title="Make a new signing secret?"
          action="Make it"
          onClose={close}
          run={async () => {
            setSecret((await request(RotateSigningSecretDocument, { id })).rotateSigningSecret.signingSecret);
            await channelsChanged();
          }}
        >
          <p>It is shown once. The old one stays valid beside it: every message carries both signatures until you drop the previous secret, so nothing is refused while receivers change.</p>
        </Confirm>
      )}
      {dialog === 'drop' && (
        <Confirm
          title="Drop the previous signing secret?"
          action="Drop it"
          danger
          onClose={close}
          run={async () => {
            await request(DropPreviousSigningSecretDocument, { id });
            await channelsChanged();
            toast('Messages carry the new signature alone');
          }}
        >
          <p>Receivers that know only the old secret refuse messages from then on.</p>
        </Confirm>
      )}
      {secret && (
        <SecretDialog title="The new signing secret" what="Signing secret" secret={secret} onClose={() => setSecret('')}>
          Give it to the receivers of {name} now. When all of them have it, drop the previous one.
        </SecretDialog>
      )}
    </Page>
  );
}

const Fact = ({ label, children }: { label: string; children: ReactNode }) => (
  <div>
    <dt>{label}</dt>
    <dd>{children}</dd>
  </div>
);

function Health({ channel }: { channel: Full }) {
  const { health } = channel;
  const [, , sentence] = standing(channel);
  return (
    <section aria-labelledby="health-title" className="part">
      <h2 id="health-title">Health</h2>
      <p className="health-line">
        <HealthBadge channel={channel} />
        <span>{sentence}</span>
        <span className="muted small">
          since <Ago at={health.since} />
        </span>
      </p>
      <dl className="channel-facts">
        <Fact label="Waiting">
          {number(health.waiting)}
          {health.oldestWaitingSince && (
            <span className="muted">
              , the oldest since <Ago at={health.oldestWaitingSince} />
            </span>
          )}
        </Fact>
        <Fact label="Last success">{health.lastSuccessAt ? <Ago at={health.lastSuccessAt} /> : <span className="muted">never</span>}</Fact>
        {health.nextProbeAt && health.state !== 'OK' && (
          <Fact label="Next probe">
            <Countdown at={health.nextProbeAt} />
          </Fact>
        )}
        {isHeld(health) && health.heldUntil && (
          <Fact label="Held, as the service asked">
            <Countdown at={health.heldUntil} />
          </Fact>
        )}
        <Fact label="Last error">
          {health.lastErrorAt ? (
            <>
              <Ago at={health.lastErrorAt} />
              {health.lastError && <p className="error-text">{health.lastError}</p>}
            </>
          ) : (
            <span className="muted">none</span>
          )}
        </Fact>
      </dl>
    </section>
  );
}

function Settings({ channel, type }: { channel: Full; type: TypeInfo }) {
  const settings = settingsOf(channel.config);
  return (
    <dl className="channel-facts">
      {type.fields.map(({ name, title, kind }) => {
        const value = settings[name];
        const empty = value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
        return (
          <Fact key={name} label={title}>
            {empty ? (
              <span className="muted">none</span>
            ) : kind === 'LIST' ? (
              (value as string[]).map((one) => <div key={one}>{one}</div>)
            ) : kind === 'MAP' ? (
              Object.entries(value as Record<string, string>).map(([key, text]) => (
                <div key={key}>
                  <code>
                    {key}: {text}
                  </code>
                </div>
              ))
            ) : kind === 'LONG_TEXT' ? (
              <details className="answer">
                <summary>{plural(String(value).split('\n').length, 'line')}</summary>
                <pre tabIndex={0}>{String(value)}</pre>
              </details>
            ) : (
              <code>{String(value)}</code>
            )}
          </Fact>
        );
      })}
      <Fact label="Severity">{channel.minSeverity === 'LOW' ? 'All' : channel.minSeverity === 'HIGH' ? severityName('HIGH') : `${severityName(channel.minSeverity)} and up`}</Fact>
      <Fact label="Alert types">{channel.alertTypes.length > 0 ? channel.alertTypes.join(', ') : 'All'}</Fact>
      <Fact label="Rate limit">{limitInWords(channel.rateLimit)}</Fact>
      <Fact label="Told of a resolve">{channel.notifyOnResolve ? 'Yes' : 'No'}</Fact>
      <Fact label="Told of an acknowledge">{channel.notifyOnAcknowledge ? 'Yes' : 'No'}</Fact>
      <Fact label="Made">
        <Ago at={channel.createdAt} />
      </Fact>
      <Fact label="Changed">
        <Ago at={channel.updatedAt} />
      </Fact>
    </dl>
  );
}

function LastDeliveries({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({ ...apiQuery(ChannelDeliveriesDocument, { filter: { channelId: id } }), staleTime: 0 });
  return (
    <section aria-labelledby="last-title" className="part">
      <h2 id="last-title">Last deliveries</h2>
      {error && !data ? (
        <Failure error={error} onRetry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={3} />
      ) : data.deliveries.nodes.length === 0 ? (
        <p className="muted">Nothing was sent to it so far.</p>
      ) : (
        <>
          <ul className="last-deliveries">
            {data.deliveries.nodes.map(({ id: delivery, status, attempts, alert, error: why, createdAt, nextAttemptAt }) => (
              <li key={delivery}>
                <Link href={`/deliveries/${delivery}?channel=${id}`}>
                  <StatusBadge status={status} attempts={attempts} />
                  <span className="what">
                    <SeverityMark severity={alert.severity} />
                    <strong>{alert.type}</strong> <bdi>{alert.message}</bdi>
                  </span>
                  {why && status !== 'DELIVERED' && <span className="why">{why}</span>}
                  <span className="when muted">{status === 'PENDING' && nextAttemptAt && Date.parse(nextAttemptAt) > now() ? <Countdown at={nextAttemptAt} /> : <Ago at={createdAt} />}</span>
                </Link>
              </li>
            ))}
          </ul>
          {data.deliveries.totalCount > data.deliveries.nodes.length && (
            <p>
              <Link href={`/deliveries?channel=${id}`}>All {number(data.deliveries.totalCount)} deliveries</Link>
            </p>
          )}
        </>
      )}
    </section>
  );
}
